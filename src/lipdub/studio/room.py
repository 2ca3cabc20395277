"""The room in which a dub is made: where work is kept, who listens, and whom to ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lipdub import weights
from lipdub.disk.scratch import scratch_folder
from lipdub.studio.hearing import Hearing, Track, open_ears
from lipdub.studio.inputs import Inputs
from lipdub.studio.progress import Clock
from lipdub.studio.store import Store, default_root
from lipdub.timeline.clip import Clip
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span

_PLAIN = frozenset({".mp4", ".m4v", ".mov"})


@dataclass(frozen=True, eq=False)
class Room:
    """``store`` keeps work for the next dub, ``scratch`` only for this one. ``clock`` tells how far the work is,
    ``hearing`` hears sounds. ``mix_name`` names a mix such that it suits the output's container. ``inputs`` are the
    files that are read."""

    store: Store
    scratch: Path
    clock: Clock
    hearing: Hearing
    mix_name: str = "mix.flac"
    inputs: Inputs = field(default_factory=Inputs)

    def digest(self, path: Path) -> str:
        """The content digest of an input: read once, however often asked. Raises ``InputError`` as ``Inputs`` does."""
        return self.inputs.digest(path)

    def hear_dub(self, track: Path, clip: Clip) -> SpeechFeatures:
        """What a dub track says, on the clock of ``clip``: it begins where players start the clip."""
        return self.hearing.hear(dub_track(track, clip), self.digest(track), clip.start)

    def hear_clip(self, clip: Clip) -> SpeechFeatures:
        """What the clip's own sound says."""
        return self.hearing.hear(own_track(clip), self.digest(clip.path))


BEYOND = Fraction(1)
"""Seconds of a dub track after the end of the picture that are still heard."""


def own_track(clip: Clip) -> Track:
    """The clip's own sound."""
    return Track(clip.path, clip.sound)


def dub_track(path: Path, clip: Clip) -> Track:
    """A dub track for ``clip``, heard no further than shortly after the picture's end."""
    return Track(path, None, clip.span.end - clip.start + BEYOND)


def whole_of(clip: Clip) -> Span:
    """From where players start the clip to the end of its picture."""
    return Span(min(clip.start, clip.span.end), clip.span.end)


@contextmanager
def open_room(
    clock: Clock,
    ask_download: weights.AskDownload | None,
    *,
    hearing: str = "auto",
    reuse: bool = True,
    output: Path | None = None,
    inputs: Inputs | None = None,
) -> Iterator[Room]:
    """A room with ears as ``hearing`` wishes (see ``open_ears``), for work on ``output`` from ``inputs``. Without
    ``reuse`` nothing is kept for next time."""
    # Few players know FLAC in mp4, and mov holds none: there a mix becomes AAC or PCM.
    name = "mix.wav" if output is not None and output.suffix.lower() in _PLAIN else "mix.flac"
    inputs = inputs or Inputs()
    with scratch_folder() as scratch:
        store = Store(default_root() if reuse else scratch / "work", inputs=inputs, temporary=not reuse)
        try:
            yield Room(store, scratch, clock, open_ears(hearing, store, ask_download), name, inputs)
        finally:
            store.close()
