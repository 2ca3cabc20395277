"""What will be done with a source in one language: values that can be pickled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lipdub.sound_to_mouth.mouth_trajectory import PredictedMouth
from lipdub.sound_to_mouth.sync import Sync
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.take import LineVoice
from lipdub.timeline.time import Span

if TYPE_CHECKING:
    from lipdub.compose.mix.mixer import MixLevels


@dataclass(frozen=True, eq=False)
class DubSpeech:
    """The speech of a dub. ``track`` is a file with speech alone, which the mouths follow; it begins where players
    start the clip. ``name`` is what the report calls it.

    ``brought``: ``track`` is the user's own dub track, and its words are not known. Otherwise ``lines`` are what is
    said, at the times at which it is finally said, and ``said`` tells the same for the report. ``engine_lines`` are
    those that the engine spoke itself, as they were given to it. ``voices`` speak; ``helpers`` are the recogniser and
    the translator; ``metrics`` are numbers by name, ``notes`` sentences for the report. ``line_voices`` are the lines'
    own samples in files of the session, by line id. ``new`` are the ids of the lines that were spoken in this run
    (None: all of them).
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
    line_voices: dict[str, LineVoice] = field(default_factory=dict)
    new: frozenset[str] | None = None

    @property
    def new_lines(self) -> tuple[Line, ...]:
        """The lines that were spoken in this run."""
        return self.lines if self.new is None else tuple(line for line in self.lines if line.id in self.new)


@dataclass(frozen=True, eq=False)
class KeptLine:
    """A ``line`` that was spoken before and is not spoken again: its ``voice`` (None: the dub track is the user's own),
    and the ``cues`` whose patches are kept (None: none are, its mouths are planned anew)."""

    line: Line
    voice: LineVoice | None
    cues: tuple[Cue, ...] | None


@dataclass(frozen=True, eq=False)
class LineChoices:
    """What was decided for single lines, by line id.

    ``kept`` lines are not made again. ``voices`` are voices (as after ``--voice``), ``offsets`` seconds by which the
    speech of a line is moved (later if positive), ``people`` the ids of those who say the lines ("": somebody off
    screen), ``seeds`` those of the engine. In ``excluded`` spans no mouth is changed, and nothing is said that begins
    there. ``names`` are the ids of people by the names that the user gave them. ``later`` are lines that are made in
    another run, with the spans in which the source says them: their time stays free. ``speakers`` are those whose
    voices lines have that name no speaker.
    """

    kept: Mapping[str, KeptLine] = field(default_factory=dict)
    voices: Mapping[str, str] = field(default_factory=dict)
    offsets: Mapping[str, Fraction] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    excluded: tuple[Span, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    later: tuple[Line, ...] = ()
    speakers: Mapping[str, str] = field(default_factory=dict)

    def speaker(self, line: Line) -> str:
        """Under which name ``line`` gets its voice; "" if nobody is named and there is one voice for all."""
        return line.speaker or self.speakers.get(line.id, "")

    def cast(self, lines: Iterable[Line]) -> tuple[Line, ...]:
        """``lines`` with the names under which they get their voices."""
        return tuple(replace(line, speaker=self.speaker(line)) for line in lines)


@dataclass(frozen=True, eq=False)
class FacePlan:
    """What one face does in the dub: the ``cues`` in which it follows the dub, and its mouth's ``trajectory``, one
    row for each frame of the track, with weight inside the cues.

    ``sync`` is how the source's own voice fits this mouth; ``predicted`` is how the trajectory came about. ``studies``
    are the folders of all studies of the same person.
    """

    face: FaceAnalysis
    cues: tuple[Cue, ...]
    trajectory: MouthTrajectory
    sync: Sync
    predicted: PredictedMouth
    studies: tuple[Path, ...] = ()

    def frames_of(self, cue: Cue, clip: Clip) -> range:
        """The frames of the clip that ``cue`` may change: those of the track that appear inside its span."""
        inside, track = clip.times.within(cue.span), self.face.track
        return range(max(inside.start, track.first), max(inside.start, track.first, min(inside.stop, track.stop)))


@dataclass(frozen=True, eq=False)
class PlannedCue:
    """One ``cue`` of the ``plan`` of a face, and the ``frames`` of the clip that it may change (at least one)."""

    plan: FacePlan
    cue: Cue
    frames: range


@dataclass(frozen=True, eq=False)
class FacePlans:
    """The plans of all ``faces`` that are dubbed, in order of first frame, and everything that stays as filmed, with
    the reason. ``people`` are the ids of those who say the lines, by line id ("": somebody off screen), as far as that
    is known. ``notes`` are sentences for the report."""

    faces: tuple[FacePlan, ...]
    passthrough: tuple[PassthroughSpan, ...]
    notes: tuple[str, ...] = ()
    people: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DubPlan:
    """What will be rendered: the speech, its features on the clip's clock, the shots, and a plan for each face.

    ``lines`` are those of the dub, with the spans in which the source says them. ``seeds`` are the engine's,
    by line id, where they are not those of the job. ``mix_levels`` are those of an earlier mix, which are used again.
    ``source_speech`` are the spans in which the source's own sound speaks, for the mix. ``engines`` are the names of
    those whose kept takes are used. ``notes`` and ``warnings`` are sentences for the report.
    """

    speech: DubSpeech
    features: TrackFeatures
    shots: tuple[Shot, ...]
    faces: tuple[FacePlan, ...]
    passthrough: tuple[PassthroughSpan, ...]
    notes: tuple[str, ...] = ()
    source_speech: tuple[Span, ...] = ()
    warnings: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    seeds: dict[str, int] = field(default_factory=dict)
    mix_levels: "MixLevels | None" = None
    engines: frozenset[str] = frozenset()

    def noted(self, note: str) -> "DubPlan":
        """The same plan, with one more note for the report."""
        return replace(self, notes=(*self.notes, note))

    def cues(self, clip: Clip) -> tuple[PlannedCue, ...]:
        """All cues that change frames, face by face, in order of time."""
        every = ((plan, cue, plan.frames_of(cue, clip)) for plan in self.faces for cue in plan.cues)
        return tuple(PlannedCue(plan, cue, frames) for plan, cue, frames in every if len(frames))
