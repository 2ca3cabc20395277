"""What was made of a cue and of a line, and the pieces of a film that are copied or encoded as one."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.time import Span

Option = str | int | float | bool | None
"""What an option may hold so that it can be written down."""


@dataclass(frozen=True, slots=True)
class CuePatches:
    """What an engine made of one ``cue``: patches for frames ``[first, stop)`` of the clip, and how they measured.

    ``reel`` is the file with the patches (None: they went straight into the film). ``frames`` counts the frames whose
    picture was changed, ``changed`` are their spans; ``passthrough`` are the spans that the engine left as filmed
    although the cue asked for them.
    ``metrics`` are finite numbers by name: ``sync_score``, ``closures_requested``, ``closures_found`` and others.
    ``seconds`` is how long the engine worked. ``shapes`` is a file (.npy) with the mouth shapes (stop - first, 6) as
    found again in the patched pictures, NaN where they are unknown.
    """

    cue: Cue
    first: int
    stop: int
    reel: Path | None = None
    frames: int = 0
    passthrough: tuple[PassthroughSpan, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    shapes: Path | None = None
    changed: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class LineRecipe:
    """Everything that a take of a line is made from; two equal recipes give the same take.

    ``text`` is what is said, by ``voice`` (as after ``--voice``; "" for the usual one). ``sound`` is the digest of the
    line's part of a finished dub track, where the user brought one. ``slot`` is the time that belongs to the line, and
    ``person`` the id of who says it. ``offset`` moves the speech, in seconds, later if positive. ``engine`` names the
    mouth engine with its options, and ``seed`` is given to it. In the spans ``excluded`` of the slot nothing is dubbed.
    """

    text: str
    slot: Span
    person: str = ""
    voice: str = ""
    sound: str = ""
    offset: Fraction = Fraction(0)
    engine: str = ""
    seed: int = 0
    excluded: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class LineVoice:
    """The speech of one take: ``file`` holds its samples, which begin at the instant ``start`` of the clip's clock.

    ``span`` is when it is heard, ``source_span`` when the source says the line. ``text`` is what is said, which may be
    shorter than what was wanted. ``rate`` is the time-stretch, ``missing`` how many seconds were cut. ``model`` is the
    name of the voice and ``licence`` its licence.
    """

    file: Path
    span: Span
    source_span: Span
    text: str
    rate: float = 1.0
    missing: Fraction = Fraction(0)
    model: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """One attempt at a line: its ``recipe``, its ``voice`` (None: the dub track is the user's own), and the patches of
    each of its cues.

    ``line`` is the line's id and ``number`` counts the takes of a line from 1. ``made`` is when it was completed
    (ISO 8601). ``planned`` is the time that belongs to the line by the plan for which the take was made or used last
    (None: not written down).
    """

    line: str
    number: int
    recipe: LineRecipe
    voice: LineVoice | None = None
    patches: tuple[CuePatches, ...] = ()
    made: str = ""
    planned: Span | None = None


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
