"""What the evaluations share: the studio's own stages, run on a clip, and a second look at what was written."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lipdub import weights
from lipdub.anatomy.motion import measure_motion
from lipdub.engines.find import find
from lipdub.errors import LipdubError
from lipdub.faces.active_speaker import FaceSelector
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.faces.tracker import FaceTracker
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import prefetch, read_frames
from lipdub.media.write import WriteOptions, write_clip
from lipdub.review.scores import lag
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.cast import Audible, Cast, Part, cast
from lipdub.studio.hearing import Hearing, open_ears
from lipdub.studio.progress import Clock
from lipdub.studio.stage import Audit, Script, performed
from lipdub.studio.store import Store, content_digest, default_root
from lipdub.studio.study import ClipStudy, Crew, open_study, study_clip
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
    """Who works, and which prior is for which clip (``CLIP.npz`` in ``priors``, CLIP up to its first "_")."""

    crew: Crew
    hearing: Hearing
    priors: Path | None = None

    def features(self, path: Path, later: Fraction = Fraction(0)) -> SpeechFeatures:
        """What the sound of ``path`` says, ``later`` seconds later."""
        return self.hearing.hear(path, content_digest(path), later)

    def prior(self, clip: Path) -> Prior:
        """The prior that has not seen ``clip``, if there is one; else the shipped one."""
        own = None if self.priors is None else self.priors / f"{clip.stem.split('_')[0]}.npz"
        return Prior.load(own if own is not None and own.is_file() else None)


@dataclass(eq=False)
class Watcher(Audit):
    """An audit that also keeps the performances of each frame until they are asked for."""

    seen: dict[int, list[Patch]] = field(default_factory=dict)

    def saw(self, part: Part, view: FaceView, answer: Patch | Passthrough) -> None:
        """Note one answer."""
        super().saw(part, view, answer)
        if isinstance(answer, Patch):
            self.seen.setdefault(answer.index, []).append(answer)


class NotFit(Exception):
    """A clip that an evaluation cannot use, and why."""


def studied(bench: Bench, clip: Clip, folder: Path, hidden: range = range(0)) -> ClipStudy:
    """The clip's faces and mouths, none taken from ``hidden`` frames."""
    study_clip(clip, bench.crew, folder, Clock(), hidden)
    return open_study(clip, bench.crew, folder)


def sole_part(roles: Cast, clip: Clip, share: float = 0.8) -> Part:
    """The part of the one face that is there through ``share`` of the clip. Raises ``NotFit``."""
    long = [p for p in roles.parts if len(p.subject.track) >= share * len(clip)]
    if not long:
        raise NotFit("no one face through the whole clip speaks")
    return max(long, key=lambda p: float(np.nanmedian(p.subject.motion.poses.scale)))


def casted(clip: Clip, study: ClipStudy, audible: Audible, hidden: range = range(0)) -> Cast:
    """Everybody's part, the largest face speaking."""
    return cast(clip, study, audible, FaceSelector("largest"), hidden)


def filmed(
    clip: Clip, study: ClipStudy, part: Part, watcher: Watcher, check: Callable[[Frame, Frame, list[Patch]], None]
) -> Iterator[Frame]:
    """The composed frames; ``check(source, composed, performances)`` is called for each performed one."""
    script = Script(clip, study.shots, [part])
    for frame, before in zip(performed(prefetch(read_frames(clip)), script, watcher), read_frames(clip), strict=True):
        performances = watcher.seen.pop(frame.index, [])
        if performances:
            check(before, frame, performances)
        yield frame


def encoded(clip: Clip, pictures: Iterator[Frame], sound: Path, output: Path) -> Clip:
    """Write ``output`` as the product does, and open it again."""
    write_clip(clip, pictures, sound, output, WriteOptions(overwrite=True))
    return open_clip(output)


def shapes_again(bench: Bench, result: Clip, part: Part, folder: Path) -> np.ndarray:
    """Mouth shapes (rows of the part's track, 6) found in ``result`` by a fresh look; NaN where no face was."""
    tracker = FaceTracker(folder, result.size, bench.crew.finder)
    for frame in prefetch(read_frames(result)):
        tracker.track(frame, frame.index == part.subject.track.shot.first and frame.index > 0)
    own, out = part.subject.track, np.full((len(part.subject.track), 6), np.nan)
    for track in tracker.finish():
        first, stop = max(track.first, own.first), min(track.stop, own.stop)
        if stop <= first:
            continue
        there = track.landmarks.read(first - track.first, stop - track.first)[:, [33, 263], :2].mean(1)
        here = own.landmarks.read(first - own.first, stop - own.first)[:, [33, 263], :2].mean(1)
        away = (
            np.linalg.norm(there - here, axis=1) / part.subject.motion.poses.scale[first - own.first : stop - own.first]
        )
        if not np.isfinite(away).any() or np.nanmedian(away) > 0.5:
            continue
        shapes = measure_motion(track, part.subject.motion.mean).shapes
        out[first - own.first : stop - own.first] = shapes[first - track.first : stop - track.first]
    return out


def later(features: SpeechFeatures, by: Fraction) -> SpeechFeatures:
    """The same, ``by`` seconds later."""
    return replace(features, start=features.start + by)


def voiced_at(features: SpeechFeatures, seconds: np.ndarray) -> np.ndarray:
    """Probability of speech at ``seconds``; 0 beyond the sound."""
    grid = float(features.start) + np.arange(len(features)) * float(FEATURE_STEP)
    return np.interp(seconds, grid, features.voiced, left=0, right=0)


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
    parser.add_argument("--hearing", default="auto", choices=("auto", "best", "light"))
    parser.add_argument("--engine", default="exemplar")
    parser.add_argument("--json", type=Path, help="where to save all numbers")
    parser.add_argument("--only", default="", help="comma-separated starts of names")
    for name, meaning in more.items():
        parser.add_argument(f"--{name}", type=Path, help=meaning)
    return parser.parse_args()


def run(given: argparse.Namespace, title: str, one: Callable[[Bench, Path, Path], Row]) -> int:
    """Evaluate every clip, print one table, save the numbers. ``one(bench, clip, scratch folder)`` gives a row."""
    finder = FaceLandmarker(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
    hearing = open_ears(given.hearing, Store(default_root()), None)
    bench = Bench(Crew(finder, find(given.engine)), hearing, given.priors)
    starts = tuple(given.only.split(","))
    jobs = [(p.stem, partial(one, bench, p)) for p in clips_in(given.folder) if p.name.startswith(starts)]
    table = tabulated(jobs, given.json)
    show(table, f"{title}; {'with' if hearing.keen else 'without'} the whisper encoder")
    return 0 if table else 1


def tabulated(jobs: Sequence[tuple[str, Callable[[Path], Row]]], save: Path | None) -> list[Row]:
    """A row for each of ``jobs`` (name, what makes it in a scratch folder), saved to ``save`` if it is given."""
    table: list[Row] = []
    for name, job in jobs:
        begun = time.perf_counter()
        with TemporaryDirectory(prefix="lipdub-eval-") as scratch:
            try:
                row = job(Path(scratch))
            except (NotFit, LipdubError) as why:
                row = {"left out": str(why)}
        row = {"clip": name[:16], **row, "seconds": time.perf_counter() - begun}
        table.append(row)
        print(json.dumps(row, default=float), file=sys.stderr, flush=True)
    if save is not None:
        save.write_text(json.dumps(table, indent=1, default=float) + "\n")
    return table


def eye(bench: Bench) -> LandmarkRedetector:
    """Finds a face again near where it was."""
    return LandmarkRedetector(bench.crew.finder)


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
