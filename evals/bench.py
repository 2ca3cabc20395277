"""What the evaluations share: the studio's own stages, run on a clip, and a second look at what was written."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from evals.scores import lag
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.engines.seam import Engine, Guide, Redetect, Study, StudyFacts
from lipdub.errors import LipdubError
from lipdub.faces.active_speaker import FaceSelector
from lipdub.faces.tracker import FaceTracker
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import prefetch, read_frames
from lipdub.media.sound_damage import SoundDamage
from lipdub.media.write import WriteOptions, write_clip
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.analyse.covered_mouths import judged_by_person
from lipdub.studio.analyse.faces import find_faces, read_faces
from lipdub.studio.analyse.people import find_people
from lipdub.studio.analysis import Analysis, FaceAnalysis
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.dub_plan import DubPlan, DubSpeech, FacePlan, FacePlans, PlannedCue
from lipdub.studio.inputs import Inputs
from lipdub.studio.job import Job, OutputNames
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.patch_scores import shapes_of
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.progress import Clock
from lipdub.studio.render.cue_rendering import CueRendering
from lipdub.studio.render.render import CueRenderer
from lipdub.studio.session import Session, SessionSpec, open_session
from lipdub.studio.tools import Tools
from lipdub.studio.track_features import SoundTrack, TrackFeatures, track_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Frame
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

ACTING = 0.5
"""Rows count as performed from this weight on."""

VIDEO = {".mp4", ".mov", ".mkv", ".webm", ".mpg", ".avi", ".m4v"}

Row = dict[str, Any]
"""One line of a table: names to numbers or words."""


@dataclass(frozen=True, eq=False)
class Bench:
    """The session with the tools that are evaluated, and which prior is for which clip (``CLIP.npz`` in ``priors``,
    CLIP up to its first "_")."""

    session: Session
    priors: Path | None = None

    @property
    def tools(self) -> Tools:
        """Engine, landmark models and speech analyser."""
        return self.session.tools

    def features(self, path: Path, later: Fraction = Fraction(0)) -> SpeechFeatures:
        """The speech features of the sound of ``path``, ``later`` seconds later."""
        return track_features(SoundTrack(path), self.session).shifted(later).features

    def prior(self, clip: Path) -> Prior:
        """The prior that has not seen ``clip``, if there is one; else the shipped one."""
        own = None if self.priors is None else self.priors / f"{clip.stem.split('_')[0]}.npz"
        return Prior.load(own if own is not None and own.is_file() else None)


@dataclass(eq=False)
class WatchedEngine:
    """An engine whose studies learn nothing from ``hidden`` frames, and whose patches are kept until they are taken."""

    engine: Engine
    hidden: range = range(0)
    patches: dict[int, list[Patch]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name, self.limits = self.engine.name, self.engine.limits

    def study(self, folder: Path, redetect: Redetect | None = None, same_person: Sequence[Path] = ()) -> "WatchedStudy":
        """A watched study."""
        return WatchedStudy(self.engine.study(folder, redetect, same_person), self)


@dataclass(eq=False)
class WatchedStudy:
    """The study of a watched engine."""

    study: Study
    watched: WatchedEngine

    def see(self, view: FaceView) -> None:
        """As the study does."""
        self.study.see(view)

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """As the study does, from frames that are not hidden."""
        return self.study.finish(motion, usable & shown_rows(motion, self.watched.hidden))

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """As the study does; patches are kept."""
        for answer in self.study.render(guide, views):
            if isinstance(answer, Patch):
                self.watched.patches.setdefault(answer.index, []).append(answer)
            yield answer


def shown_rows(motion: FaceMotion, hidden: range) -> np.ndarray:
    """(frames of the track,) True for frames that are not hidden."""
    index = np.arange(motion.track.first, motion.track.stop)
    return (index < hidden.start) | (index >= hidden.stop)


class NotFit(Exception):
    """A clip that an evaluation cannot use, and why."""


def watching(bench: Bench, folder: Path, hidden: range = range(0)) -> tuple[Session, WatchedEngine]:
    """A session with its own files in ``folder`` and the bench's tools, whose engine is watched."""
    folder.mkdir(parents=True, exist_ok=True)
    options, tools, watched = (
        bench.session.options,
        Tools(bench.session.options),
        WatchedEngine(bench.tools.engine, hidden),
    )
    vars(tools).update(engine=watched, landmarker=bench.tools.landmarker, analyser=bench.tools.analyser)
    spec = SessionSpec(options, bench.session.store.root, folder)
    return Session(options, Clock(), Inputs(), tools, ExitStack(), spec), watched


def analysed(bench: Bench, clip: Clip, folder: Path, hidden: range = range(0), sound: Path | None = None) -> Analysis:
    """The clip's faces and the speech features of its sound (or of the file ``sound``, which has the same); nothing is
    learnt from ``hidden`` frames."""
    session, _ = watching(bench, folder, hidden)
    find_faces(clip, session, folder)
    shots, faces = read_faces(clip, folder)
    faces = tuple(replace(face, learnable=face.learnable & shown_rows(face.motion, hidden)) for face in faces)
    people = find_people(faces).people
    faces = judged_by_person(faces, people, clip, session.tools.engine.limits)
    return Analysis(shots, faces, people, TrackFeatures(bench.features(sound or clip.path), SoundDamage()))


def planned(clip: Clip, analysis: Analysis, dub: SpeechFeatures, prior: Prior) -> FacePlans:
    """Everybody's plan, the largest face speaking."""
    return plan_faces(clip, analysis, FollowedSpeech(dub), prior, [FaceSelector("largest")])


def sole_plan(plans: FacePlans, clip: Clip, share: float = 0.8) -> FacePlan:
    """The plan of the one face that is there through ``share`` of the clip. Raises ``NotFit``."""
    long = [plan for plan in plans.faces if len(plan.face.track) >= share * len(clip)]
    if not long:
        raise NotFit("no one face through the whole clip speaks")
    return max(long, key=lambda plan: float(np.nanmedian(plan.face.motion.poses.scale)))


class WatchedRenderer(CueRenderer):
    """Keeps where the landmarks of each rendered frame were found again, by frame, until they are taken from
    ``lips``."""

    def __init__(self, job: Job, plan: DubPlan, folders: CueFolders, session: Session) -> None:
        """As for ``CueRenderer``."""
        super().__init__(job, plan, folders, session)
        self.lips: dict[int, np.ndarray] = {}

    def _rendering(self, planned: PlannedCue) -> CueRendering:
        rendering = super()._rendering(planned)
        check, add = rendering.check, rendering.check.add

        def noted(view: FaceView, answer: Patch | Passthrough) -> None:
            add(view, answer)
            if isinstance(answer, Patch):
                self.lips[view.index] = check.landmarks.read(len(check.landmarks) - 1, len(check.landmarks))[0]

        vars(check)["add"] = noted
        return rendering


@dataclass(eq=False)
class Filming:
    """Renders one face of a clip. ``shapes`` tells what was found in the rendered frames again."""

    clip: Clip
    renderer: "WatchedRenderer"
    plan: DubPlan
    folders: CueFolders
    watched: WatchedEngine

    @classmethod
    def of(
        cls, bench: Bench, clip: Clip, following: tuple[Analysis, FacePlan, SpeechFeatures], folder: Path
    ) -> "Filming":
        """The face of a plan, which follows the dub's speech features; files lie in ``folder``."""
        analysis, plan, dub = following
        session, watched = watching(bench, folder)
        names, selectors = OutputNames(Path("out.mp4"), Path("out.report.json")), (FaceSelector("largest"),)
        job = Job(clip, "", None, SpeechOptions(), session.options, names, selectors, None, {})
        speech = DubSpeech(clip.path, clip.path, brought=True)
        whole = DubPlan(speech, TrackFeatures(dub, SoundDamage()), analysis.shots, (plan,), ())
        folders = CueFolders(folder / "cues")
        return cls(clip, WatchedRenderer(job, whole, folders, session), whole, folders, watched)

    def shapes(self) -> np.ndarray:
        """Mouth shapes (frames of the track, 6) found again in the frames that were rendered; NaN elsewhere."""
        made = (self.folders.finished(planned.cue.id) for planned in self.plan.cues(self.clip))
        return shapes_of(self.plan.faces[0], [patches for patches in made if patches is not None])

    def frames(self, judge: Callable[[Frame, Frame, list[Patch]], None]) -> Iterator[Frame]:
        """The rendered frames; ``judge(source, rendered, patches)`` is called for each that was patched."""
        rendered = self.renderer.patched(0, len(self.clip), prefetch(read_frames(self.clip)))
        for frame, before in zip(rendered, read_frames(self.clip), strict=True):
            patches = self.watched.patches.pop(frame.index, [])
            if patches:
                judge(before, frame, patches)
            yield frame


def encoded(clip: Clip, pictures: Iterator[Frame], sound: Path, output: Path) -> Clip:
    """Write ``output`` as the product does, and open it again."""
    write_clip(clip, pictures, sound, output, WriteOptions(overwrite=True))
    return open_clip(output)


def shapes_again(bench: Bench, result: Clip, face: FaceAnalysis, folder: Path) -> np.ndarray:
    """Mouth shapes (rows of the face's track, 6) found in ``result`` by a fresh look; NaN where no face was."""
    tracker = FaceTracker(folder, result.size, bench.tools.landmarker)
    for frame in prefetch(read_frames(result)):
        tracker.track(frame, frame.index == face.track.shot.first and frame.index > 0)
    own, out = face.track, np.full((len(face.track), 6), np.nan)
    for track in tracker.finish():
        first, stop = max(track.first, own.first), min(track.stop, own.stop)
        if stop <= first:
            continue
        there = track.landmarks.read(first - track.first, stop - track.first)[:, [33, 263], :2].mean(1)
        here = own.landmarks.read(first - own.first, stop - own.first)[:, [33, 263], :2].mean(1)
        away = np.linalg.norm(there - here, axis=1) / face.motion.poses.scale[first - own.first : stop - own.first]
        if not np.isfinite(away).any() or np.nanmedian(away) > 0.5:
            continue
        shapes = measure_motion(track, face.motion.mean).shapes
        out[first - own.first : stop - own.first] = shapes[first - track.first : stop - track.first]
    return out


def later(features: SpeechFeatures, by: Fraction) -> SpeechFeatures:
    """The same, ``by`` seconds later."""
    return replace(features, start=features.start + by)


def voice_activity_at(features: SpeechFeatures, seconds: np.ndarray) -> np.ndarray:
    """Probability of speech at ``seconds``; 0 beyond the sound."""
    grid = float(features.start) + np.arange(len(features)) * float(FEATURE_STEP)
    return np.interp(seconds, grid, features.voice_activity, left=0, right=0)


def step_of(clip: Clip) -> float:
    """Seconds from frame to frame, on average."""
    return float(clip.span.duration) / len(clip)


def late_ms(path: np.ndarray, asked: np.ndarray, rows: np.ndarray, seconds: np.ndarray) -> float:
    """Milliseconds by which ``path`` comes after ``asked`` in ``rows``, whatever the spacing of ``seconds``."""
    known = rows & np.isfinite(path) & np.isfinite(asked)
    if known.sum() < 10:
        return float("nan")
    grid = np.arange(seconds[known][0], seconds[known][-1], 0.02)
    even = [np.interp(grid, seconds[known], values[known]) for values in (path, asked)]
    return 1000 * lag(even[0], even[1], 0.02)


def clips_in(folder: Path) -> list[Path]:
    """Video files with sound in ``folder`` (or the file itself), sorted."""
    some = [folder] if folder.is_file() else sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO)
    return [p for p in some if probe(p).has_sound]


def arguments(what: str, **more: str) -> argparse.Namespace:
    """The command line all evaluations share; ``more`` are further options with their help."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("folder", type=Path, help="clips (one face each, with sound), or one clip")
    parser.add_argument("--priors", type=Path, help="folder of priors that have not seen a clip: d01.npz for d01_*.mp4")
    parser.add_argument("--speech-features", default="best", choices=("best", "light"))
    parser.add_argument("--engine", default="exemplar")
    parser.add_argument("--json", type=Path, help="where to save all numbers")
    parser.add_argument("--only", default="", help="comma-separated starts of names")
    parser.add_argument("--shots", action="store_true", help="half test: cut a clip into several shots")
    parser.add_argument("--both", action="store_true", help="asked: the other way round, too")
    for name, meaning in more.items():
        parser.add_argument(f"--{name}", type=Path, help=meaning)
    return parser.parse_args()


Test = Callable[["Bench", Path, Path], Row | list[Row]]
"""(bench, clip, scratch folder) -> the clip's row, or rows."""


def run(given: argparse.Namespace, title: str, one: Test) -> int:
    """Evaluate every clip with ``one``, print one table, save the numbers."""
    options = DubOptions(engine=given.engine, speech_features=given.speech_features)
    with open_session(options) as session:
        return _run(Bench(session, given.priors), given, title, one)


def _run(bench: Bench, given: argparse.Namespace, title: str, one: Test) -> int:
    starts = tuple(given.only.split(","))
    jobs = [(p.stem, partial(one, bench, p)) for p in clips_in(given.folder) if p.name.startswith(starts)]
    table = tabulated(jobs, given.json)
    show(table, f"{title}; {'with' if bench.tools.analyser.detailed else 'without'} the speech encoder")
    return 0 if table else 1


def tabulated(jobs: Sequence[tuple[str, Callable[[Path], Row | list[Row]]]], save: Path | None) -> list[Row]:
    """The rows of each of ``jobs`` (name, what makes it in a scratch folder), saved to ``save`` if it is given."""
    table: list[Row] = []
    for name, job in jobs:
        begun = time.perf_counter()
        with TemporaryDirectory(prefix="lipdub-eval-") as scratch:
            try:
                made = job(Path(scratch))
            except (NotFit, LipdubError) as why:
                made = {"left out": str(why)}
        for row in made if isinstance(made, list) else [made]:
            table.append({"clip": name[:16], **row, "seconds": time.perf_counter() - begun})
            print(json.dumps(table[-1], default=float), file=sys.stderr, flush=True)
    if save is not None:
        save.write_text(json.dumps(table, indent=1, default=float) + "\n")
    return table


def show(rows: list[Row], title: str) -> None:
    """Print ``rows`` as a table, with medians and sums beneath."""
    console = Console(width=None if Console().is_terminal else 160)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=title)
    for name in names:
        table.add_column(name, justify="left" if name in ("clip", "left out") else "right")
    numbers = [{n: v for n, v in row.items() if isinstance(v, int | float)} for row in rows]
    middle = {n: float(np.nanmedian(v)) for n in names if (v := [r[n] for r in numbers if n in r and r[n] == r[n]])}
    shares = {n: _summed([str(r[n]) for r in rows if "/" in str(r.get(n, ""))]) for n in names if n not in middle}
    for row in [*rows, {**shares, **middle, "clip": "median, sum"}]:
        table.add_row(*(_told(row.get(name, "")) for name in names))
    console.print(table)


def _summed(shares: list[str]) -> str:
    """The sum of shares written as "met/asked", term by term."""
    parts = [tuple(map(int, share.split("/"))) for share in shares if share.replace("/", "").isdigit()]
    return f"{sum(p[0] for p in parts)}/{sum(p[1] for p in parts)}" if parts else ""


def _told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}"
    return str(value)
