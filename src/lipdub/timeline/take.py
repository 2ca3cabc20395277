"""Takes: one attempt at cues, made by an engine; and segments, the pieces of a film that are copied or encoded as
one."""

from dataclasses import dataclass, field
from pathlib import Path

from lipdub.timeline.cue import PassthroughSpan

Option = str | int | float | bool | None
"""What an option may hold so that it can be written down."""


@dataclass(frozen=True, slots=True)
class Take:
    """One attempt at the ``cues`` (by id) of one face track: what an engine made of them, and how it measured.

    ``id`` is stable within a project. ``reel`` is the file with the patches (None: they went straight into the film).
    ``frames`` counts the frames that were changed; ``passthrough`` are the spans that the engine left as filmed
    although cues asked for them. ``metrics`` are finite numbers, named: ``sync_score``, ``closures_requested``,
    ``closures_found`` and others. ``seconds`` is how long the engine worked.
    """

    id: str
    cues: tuple[str, ...]
    face: int
    engine: str
    seed: int
    reel: Path | None = None
    frames: int = 0
    passthrough: tuple[PassthroughSpan, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames ``[first, stop)`` of a film that are ``copied`` from the source as they are, or encoded as one."""

    first: int
    stop: int
    copied: bool = False

    def __post_init__(self) -> None:
        assert 0 <= self.first < self.stop

    def __len__(self) -> int:
        return self.stop - self.first
