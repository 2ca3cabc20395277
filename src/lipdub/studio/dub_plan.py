"""What will be done with a source in one language: values that can be pickled."""

from dataclasses import dataclass, field
from pathlib import Path

from lipdub.sound_to_mouth.mouth_trajectory import PredictedMouth
from lipdub.sound_to_mouth.sync import Sync
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Shot
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.time import Span


@dataclass(frozen=True, eq=False)
class DubSpeech:
    """The speech of a dub. ``track`` is a file with speech alone, which the mouths follow; it begins where players
    start the clip. ``name`` is what the report calls it.

    ``brought``: ``track`` is the user's own dub track, and its words are not known. Otherwise ``lines`` are what is
    said, at the times at which it is finally said, and ``said`` tells the same for the report. ``engine_lines`` are
    those that the engine spoke itself, as they were given to it. ``voices`` speak; ``helpers`` are the recogniser and
    the translator; ``metrics`` are numbers by name, ``notes`` sentences for the report.
    """

    track: Path
    name: Path
    brought: bool = False
    language: str = ""
    lines: tuple[Line, ...] = ()
    said: tuple[SaidLine, ...] = ()
    engine_lines: tuple[Line, ...] = ()
    voices: tuple[ModelUsed, ...] = ()
    helpers: tuple[ModelUsed, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FacePlan:
    """What one face does in the dub: the ``cues`` in which it follows the dub, and its mouth's ``trajectory``, one
    row for each frame of the track, with weight inside the cues.

    ``sync`` is how the source's own voice fits this mouth; ``predicted`` is how the trajectory came about.
    """

    face: FaceAnalysis
    cues: tuple[Cue, ...]
    trajectory: MouthTrajectory
    sync: Sync
    predicted: PredictedMouth


@dataclass(frozen=True, eq=False)
class FacePlans:
    """The plans of all ``faces`` that are dubbed, in order of first frame, and everything that stays as filmed, with
    the reason. ``notes`` are sentences for the report."""

    faces: tuple[FacePlan, ...]
    passthrough: tuple[PassthroughSpan, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DubPlan:
    """What will be rendered: the speech, its features on the clip's clock, the shots, and a plan for each face.

    ``source_speech`` are the spans in which the source's own sound speaks, for the mix. ``notes`` and ``warnings`` are
    sentences for the report.
    """

    speech: DubSpeech
    features: TrackFeatures
    shots: tuple[Shot, ...]
    faces: tuple[FacePlan, ...]
    passthrough: tuple[PassthroughSpan, ...]
    notes: tuple[str, ...] = ()
    source_speech: tuple[Span, ...] = ()
    warnings: tuple[str, ...] = ()
