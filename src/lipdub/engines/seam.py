"""The seam every mouth engine fits: study a speaker in a shot, then perform a dub as a stream of pictures.

An engine is found by name through the entry point group ``lipdub.engines``, whose entries are called with a
``EngineSetup`` and return an engine; a third party's package can add one. The conformance suite in
``tests/engines/conformance.py`` runs over every implementation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Rgb
from lipdub.timeline.sound import Sound

Redetect = Callable[[Rgb, np.ndarray], "np.ndarray | None"]
"""Finds a face again: (RGB picture, landmarks (478, 3) near which to look, in that picture's pixels)
-> landmarks (478, 3) in the same pixels, or None."""


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """What a user may tell an engine when it is made: the folder that holds its ``weights``, and its own ``options``
    as words (``{"device": "cuda"}``)."""

    weights: Path | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What an engine can take and what it needs; the studio plans by it.

    ``smallest_face`` eye distance in pixels below which faces are left alone; ``largest_yaw`` degrees.
    ``needs`` is what a guide must hold: any of ``"path"`` (a mouth path) and ``"sound"`` (the dub track's own
    samples, and the source's). ``speaks`` is True if the engine can make the voice too: its studies
    are ``SpeakingStudy``s.
    ``lag`` is how many looks it may take before it answers the first. ``accelerator`` is True if it needs a GPU.
    """

    smallest_face: float = 20.0
    largest_yaw: float = 40.0
    needs: frozenset[str] = frozenset({"path"})
    speaks: bool = False
    lag: int = 0
    accelerator: bool = False


@dataclass(frozen=True, eq=False)
class Guide:
    """What a performance must follow, for the whole of one face track.

    ``path`` has one row per frame of the track. ``sound`` is the dub track and ``source`` the clip's own sound, both
    on the clip's clock; ``sound`` is None if the engine is to speak the lines itself. ``cues`` are the spans in which
    this face follows the dub, with their lines where they are known. ``times`` tells when each frame of the clip
    (not of the track) is shown. The same guide, seed included, gives the same bytes.
    """

    path: MouthTrajectory | None = None
    sound: Sound | None = None
    source: Sound | None = None
    cues: tuple[Cue, ...] = ()
    times: FrameTimes | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """What a study knows after it has seen the track, for the report and the gates.

    ``coverage`` 0..1: how much of the mouth's range that speech needs this face shows. ``notes`` are sentences
    for the report; ``figures`` are numbers for it.
    """

    coverage: float
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


@runtime_checkable
class Study(Protocol):
    """What an engine learns about one face in one shot. Lives in its own folder; opened again from it."""

    def see(self, view: FaceView) -> None:
        """See one frame of the track; called once for each, in order, before ``finish``. Nothing may be kept
        in memory that grows with the track, beyond about a kilobyte a frame."""
        ...

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """All frames were seen; ``motion`` is the face's pose and shape over the track. ``usable`` (frames,)
        bool: frames from which mouths may be taken, i.e. found, not covered (the caller can hide others, e.g.
        to judge on them). Writes what ``perform`` needs to the study's folder."""
        ...

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """Exactly one answer per look, in order; ``looks`` are those of the track's frames, in order.
        Takes looks lazily: at most ``EngineLimits.lag`` ahead of its answers."""
        ...


@runtime_checkable
class SpeakingStudy(Protocol):
    """What a study can do besides, if its engine ``speaks``."""

    def speak(self, guide: Guide, views: Iterable[FaceView]) -> Sound:
        """The voice of the lines of ``guide.cues``, on the clip's clock, silent between them, at any rate. ``looks``
        are those of the track's frames, in order. Whatever was made with the voice is kept in the study's folder, so
        that ``perform`` with the same guide plays it back."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Makes studies. ``name`` is what ``--engine`` takes.

    Studies are kept and used again as long as the clip and the engine are the same. What makes an engine another one
    is told by its method ``fingerprint`` (``plugins.Fingerprinted``: version, options, weights); of an engine that has
    none, the version of its package is taken, with the ``EngineSetup`` it was made with.
    """

    name: str
    limits: EngineLimits

    def study(self, folder: Path, eye: Redetect | None = None) -> Study:
        """A new study in an empty or absent ``folder``, or the finished one that lies there (``finish`` is
        then not called again). ``eye`` lets the engine check its own work."""
        ...


@runtime_checkable
class EngineDiagnostics(Protocol):
    """What an engine can do besides: say what it could do on this machine."""

    def examine(self) -> list[str]:
        """Lines for the doctor: what it would run on, or what it lacks. Reads nothing large, raises nothing."""
        ...
