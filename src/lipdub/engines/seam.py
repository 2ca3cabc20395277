"""The interface of an engine: study one face in one shot, then render a dub as a stream of patches.

An engine is found by name through the entry point group ``lipdub.engines``. An entry is a function that takes an
``EngineSetup`` and returns an ``Engine``; any installed package can add one. ``engines.fake`` is the shortest complete
example. Every engine must pass the suite in ``tests/engines/conformance.py``.

One face track is handled like this::

    study = engine.study(folder, redetect)
    for view in views:                          # first pass over the frames of the track
        study.see(view)
    facts = study.finish(motion, usable)

    study = engine.study(folder, redetect, same_person=others)  # the finished studies of the person's other shots
    for answer in study.render(guide, views):   # second pass; may be repeated with other guides and other views
        ...                                     # a Patch or a Passthrough for each view
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
"""Detects the landmarks of a face again: (RGB picture, landmarks (478, 3) near which to search, in pixels of that
picture) -> landmarks (478, 3) in the same pixels, or None if no face is found there."""


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """What the user chooses for an engine.

    ``weights`` is the folder that holds its model files, or None. ``options`` are the engine's own options, as text
    (``{"device": "cuda"}``); an engine raises ``OptionError`` for an option that it does not have.
    """

    weights: Path | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What an engine can handle and what it needs.

    ``smallest_face`` is a distance between the outer eye corners in pixels: smaller faces stay as filmed.
    ``largest_yaw`` is in degrees: frames in which the head is turned further stay as filmed.
    ``needs`` names what a ``Guide`` must hold: ``"trajectory"`` (``Guide.trajectory``) or ``"sound"``
    (``Guide.dub_sound``, and ``Guide.source_sound`` if the clip has sound), or both.
    ``speaks`` is True if the engine can also make the voice: its studies are then ``SpeakingStudy`` objects too.
    ``lag`` is how many views ``Study.render`` may take before it gives its first answer.
    ``context`` is how many views before and after the wanted ones ``Study.render`` must be shown, as far as the track
    has them, so that its answers to the wanted ones do not depend on where the views begin and end.
    ``accelerator`` is True if the engine needs a GPU.
    ``occluders`` is True if the engine leaves what ``FaceView.occluder`` tells as filmed. It is then shown mouths that
    are covered in part, too.
    """

    smallest_face: float = 20.0
    largest_yaw: float = 40.0
    needs: frozenset[str] = frozenset({"trajectory"})
    speaks: bool = False
    lag: int = 0
    accelerator: bool = False
    context: int = 0
    occluders: bool = False


@dataclass(frozen=True, eq=False)
class Guide:
    """What the mouth of one face track must follow. The same guide, ``seed`` included, gives the same bytes.

    ``trajectory``: mouth shapes, one row per frame of the track (not of the clip).
    ``dub_sound``: the dub on the clip's clock; None if the engine speaks the lines itself.
    ``source_sound``: the clip's own sound on the clip's clock; None if it has none.
    ``cues``: the spans in which this face follows the dub, with their lines where these are known.
    ``times``: when each frame of the clip (not of the track) is shown.
    ``own_voice``: ids of cues whose part of ``dub_sound`` is the voice that this engine itself made with
    ``SpeakingStudy.speak`` for a cue of the same id. Such a cue has a line, and is rendered with the pictures that were
    made together with that voice, whatever ``dub_sound`` holds there. Every other cue follows ``dub_sound``.
    """

    trajectory: MouthTrajectory | None = None
    dub_sound: Sound | None = None
    source_sound: Sound | None = None
    cues: tuple[Cue, ...] = ()
    times: FrameTimes | None = None
    seed: int = 0
    own_voice: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """What an engine knows about a face after it has seen the whole track.

    ``coverage`` is in 0..1: how much of the range of mouth openings that speech needs can be shown for this face.
    ``notes`` are sentences for the report. ``figures`` are finite numbers for the report, by name.
    """

    coverage: float
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


@runtime_checkable
class Study(Protocol):
    """What an engine has learnt about one face in one shot.

    A study keeps its files in a folder of its own, and can be opened again from that folder in another process.
    """

    def see(self, view: FaceView) -> None:
        """Take one frame of the track. Called once per frame, in order, before ``finish``.

        Memory must not grow with the track, except for about a kilobyte per frame: write pixels to the folder.
        """
        ...

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """Write to the folder what ``render`` needs, after all frames were seen.

        ``motion``: pose and mouth shape of the face over the track. ``usable`` (frames,) bool: frames from which mouths
        may be taken; False where the face was not found or the mouth is covered.
        """
        ...

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """Answer every view exactly once, in order: with a ``Patch``, or with a ``Passthrough`` (stays as filmed).

        ``views`` are frames of the track in order, without gaps; they may begin after its first frame and end before
        its last one: a track is rendered cue by cue, in calls that may come from different processes. The answer to a
        view is the same bytes in every call with the same guide that shows ``EngineLimits.context`` views before and
        after it. The time of a call grows with the rows that have weight and with ``views``, not with the track. At
        most ``EngineLimits.lag`` views are taken ahead of the answers. A frame with weight 0, or for which no change is
        wanted, gets a ``Passthrough`` without a reason; a frame that cannot be changed gets one with a reason. Raises
        ``InputError`` if the files of the study, or of a study of the same person, are damaged.
        """
        ...


@runtime_checkable
class PooledStudy(Protocol):
    """An optional method of a finished ``Study`` whose engine uses ``same_person``."""

    def pooled_facts(self) -> StudyFacts:
        """What is known about the face with the other studies of the person, in place of what ``finish`` returned.

        Raises ``InputError`` if one of the studies is damaged.
        """
        ...


@runtime_checkable
class SpeakingStudy(Protocol):
    """The additional method of a ``Study`` whose engine ``speaks``."""

    def speak(self, guide: Guide, views: Iterable[FaceView]) -> Sound:
        """The voice that says the lines of ``guide.cues``; ``guide.dub_sound`` is ignored.

        ``views`` are all frames of the track, in order. The result is on the clip's clock, at any sample rate, and
        silent between the lines. The pictures that were made with the voice are kept in the study's folder:
        ``render`` shows them if the same guide has the ids of the cues in ``Guide.own_voice``. If they were removed,
        it makes them again. Raises ``OptionError`` for a line that cannot be said, before any work is done.
        """
        ...


@runtime_checkable
class ExpectingStudy(Protocol):
    """An optional method of a ``Study`` whose engine prepares something for several calls together."""

    def expect(self, guide: Guide) -> None:
        """``render``, or ``speak`` if the guide has no dub sound, will be called with this ``guide`` later.

        Called before the first of these calls. It may be that fewer calls follow.
        """
        ...


@runtime_checkable
class SharedDisk(Protocol):
    """An optional method of an ``Engine`` whose studies of one clip share a limited space on the disk."""

    def limit_disk(self, folder: Path, share: float) -> None:
        """The studies that are being made in ``folder``, those of one shot, may take ``share`` (0..1) of that space.

        Called when all their frames were seen, before they are finished.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """Makes studies. ``name`` is the word after ``--engine``.

    A finished study is used again as long as the clip and the engine are unchanged. An engine tells what it depends on
    with a method ``fingerprint`` (``plugins.Fingerprinted``: its version, options and weights). For an engine without
    that method, the version of its package and the ``EngineSetup`` are taken instead.
    """

    name: str
    limits: EngineLimits

    def study(self, folder: Path, redetect: Redetect | None = None, same_person: Sequence[Path] = ()) -> Study:
        """A new study if ``folder`` is empty or absent, or the finished study that is in it.

        ``see`` and ``finish`` are not called for a finished one. With ``redetect`` an engine can measure the pictures
        that it made. ``same_person`` are folders of finished studies of the same person in other shots of the clip: an
        engine may use them when it renders; their order does not matter, and ``folder`` itself among them is ignored.
        All studies of a clip lie in one folder, beside each other.
        """
        ...


@runtime_checkable
class WorkForecast(Protocol):
    """An optional method of an ``Engine`` that tells the user how long its work will take."""

    def expect(self, cues: Sequence[Cue], times: FrameTimes) -> None:
        """From now on ``cues`` will be rendered, one after the other; what was expected before is forgotten.

        ``times``: when each frame of the clip is shown. Cues that are kept from an earlier run are left out.
        """
        ...


@runtime_checkable
class EngineDiagnostics(Protocol):
    """An optional method of an ``Engine``, for ``lipdub doctor`` and ``lipdub engines``."""

    def diagnose(self) -> list[str]:
        """Lines for the user: on what the engine would run here, or what is missing.

        Returns quickly, reads no large file and raises nothing.
        """
        ...
