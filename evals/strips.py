"""The look at motion: strips of eight consecutive frames of a dub, measured against the film itself.

    python -m evals.strips FOLDER [--priors FOLDER] [--keep FOLDER] [--json strips.json]

Every clip is dubbed twice and written as the product writes it: with the sound of the next clip ("cross"), and its
first half with its own second half's sound ("half"). Both are read back, and their faces are found afresh. A strip is
good in one respect if it lies within what 95 % of the untouched film's own strips show; an untouched film has .95.

    hold    motion of the mouth where the picture outside of it repeats       (n: how many pairs of frames repeat)
    speed   fastest change of the aperture, eye distances per second          sharp   worst frame against its neighbours
    beside  correlation of the picture's motion beside the jaw with the jaw's  jaw     correlation of jaw and lower lip
    drag    how far the picture beside the jaw follows what the dub's jaw does more than the filmed one: 0 not, 1 wholly
    stir    change of the mouth in the dub's silence over that of the rest of the face, and "own": the film's in its own
    all     strips that are good in all respects that could be measured

``hold``, ``speed``, ``sharp``, ``beside`` and ``jaw`` are shares of strips; names with "95" are the bounds, and
"speed dub" is the speed that 95 % of the dub's strips stay below.
With ``--keep`` the dubbed films stay in a folder, and are used again.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from evals.bench import (
    ACTING,
    Bench,
    Filming,
    NotFit,
    Row,
    analysed,
    arguments,
    clips_in,
    encoded,
    later,
    planned,
    run,
    shapes_again,
    sole_plan,
    step_of,
    voice_activity_at,
)
from evals.scores import correlation, mouth_crop
from lipdub.anatomy.motion import FaceMotion
from lipdub.media.probe import open_clip
from lipdub.media.read import prefetch, read_frames
from lipdub.studio.dub_plan import FacePlan
from lipdub.timeline.clip import Clip
from lipdub.timeline.mouth import AP, JAW, UL
from lipdub.timeline.picture import Window
from lipdub.timeline.speech_features import SpeechFeatures

STRIP = 8
"""Frames of a strip."""

_UNIT = 64  # pixels of an eye distance in the pictures that are compared
_HALF = (1.1, 0.9)  # half the width and height of such a picture, in eye distances, around the middle of the lower face
_BESIDE = (0.07, 0.32)  # from the line of the jaw, eye distances
_REPEATS = 0.1  # of what is usual in the second around it: the picture repeats
_USUAL = 12  # frames before and after
_MOVES = 0.006  # spread of the jaw within a strip, eye distances, from which correlations are measured

_JAW_LINE = np.array([127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361])
_JAW_LINE = np.append(_JAW_LINE, [323, 454, 356])


@dataclass(frozen=True, eq=False)
class Dubbed:
    """A film dubbed by the ``plan`` of one face: ``clip`` is the source, ``result`` what was written; ``rows`` of the
    track are judged; ``again`` (rows, 6) are the shapes found in the result; ``voiced`` is the dub's probability of
    speech, ``source_voiced`` that of the film's own sound."""

    clip: Clip
    result: Clip
    plan: FacePlan
    rows: np.ndarray
    again: np.ndarray
    voiced: np.ndarray
    source_voiced: np.ndarray


@dataclass(frozen=True, eq=False)
class Motion:
    """What moves from the row before to each row of a track (NaN: unknown).

    ``mouth`` and ``outside``: mean change of the picture there (0..255). ``detail``: of the mouth's picture (standard
    deviation of the Laplacian). ``beside`` (rows, 2): how far the picture left and right of the jaw moves along the
    face, in eye distances.
    """

    mouth: np.ndarray
    outside: np.ndarray
    detail: np.ndarray
    beside: np.ndarray


def motion_of(film: Clip, motion: FaceMotion) -> Motion:
    """Look at ``film`` through the poses of ``motion``: source and dub must be given the same."""
    n, first = len(motion), motion.track.first
    mouth, outside, detail = (np.full(n, np.nan) for _ in range(3))
    beside = np.full((n, 2), np.nan)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    before: Callable[[Window], np.ndarray] | None = None
    for frame in prefetch(read_frames(film, first, motion.track.stop)):
        row = frame.index - first
        crop = mouth_crop(motion, row, film.size, frame.rgb)
        if crop is not None:
            grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
            detail[row] = cv2.Laplacian(grey, cv2.CV_32F)[24:96, 30:114].std()
        if before is not None and motion.ok[row] and motion.ok[row - 1]:
            zones = _Zones.at(motion, row, film.size)
            if zones is not None:
                old, new = zones.picture(before), zones.picture(frame.rgb)
                change = cv2.absdiff(old, new).astype(np.float32)
                mouth[row], outside[row] = change[zones.mouth].mean(), change[zones.outside].mean()
                along = flow.calc(old, new, np.zeros((*old.shape, 2), np.float32)) @ zones.down.astype(np.float32)
                beside[row] = [_textured_mean(along, new, side) / _UNIT for side in zones.beside]
        before = _kept(frame.rgb, motion, row, film.size)
    return Motion(mouth, outside, detail, beside)


def _kept(
    rgb: Callable[[Window], np.ndarray], motion: FaceMotion, row: int, size: tuple[int, int]
) -> Callable[[Window], np.ndarray]:
    """``rgb`` of a frame for windows near the face, after the frame is gone."""
    if not motion.ok[row]:
        return lambda window: np.zeros((window.height, window.width, 3), np.uint8)
    near = _window(motion, row, size, 1.5)
    picture = rgb(near).copy()

    def pixels(window: Window) -> np.ndarray:
        left, top = window.left - near.left, window.top - near.top
        out = np.zeros((window.height, window.width, 3), np.uint8)
        some = picture[max(top, 0) : top + window.height, max(left, 0) : left + window.width]
        out[max(-top, 0) : max(-top, 0) + some.shape[0], max(-left, 0) : max(-left, 0) + some.shape[1]] = some
        return out

    return pixels


def _window(motion: FaceMotion, row: int, size: tuple[int, int], times: float = 1.0) -> Window:
    unit, middle = float(motion.poses.scale[row]), motion.pixels(row, motion.mean[[13, 152]]).mean(0)
    reach = np.array(_HALF) * unit * times
    low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
    return Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(size)


@dataclass(frozen=True, eq=False)
class _Zones:
    """Where mouth, surroundings and the stripes left and right of the jaw are in a small picture of ``window``.

    ``down`` (2,) is the face's own downward direction in it.
    """

    window: Window
    mouth: np.ndarray
    outside: np.ndarray
    beside: tuple[np.ndarray, np.ndarray]
    down: np.ndarray

    @classmethod
    def at(cls, motion: FaceMotion, row: int, size: tuple[int, int]) -> "_Zones | None":
        window = _window(motion, row, size)
        if window.width < 8 or window.height < 8:
            return None
        unit = float(motion.poses.scale[row])
        shape = round(window.height * _UNIT / unit), round(window.width * _UNIT / unit)
        to_small = np.array([shape[1] / window.width, shape[0] / window.height])
        line = (motion.pixels(row, motion.face(row)[_JAW_LINE]) - [window.left, window.top]) * to_small
        y, x = np.mgrid[: shape[0], : shape[1]]
        away = np.ones(shape, np.uint8)
        cv2.fillPoly(away, [np.round(line * 16).astype(np.int32)], (0,), cv2.LINE_8, 4)
        far = cv2.distanceTransform(away, cv2.DIST_L2, 5) / _UNIT
        lips, chin, nose = (
            (motion.pixels(row, motion.mean[[k]])[0] - [window.left, window.top]) * to_small for k in (13, 152, 2)
        )
        down = (chin - nose) / max(float(np.linalg.norm(chin - nose)), 1e-6)
        across = (x - nose[0]) * down[1] - (y - nose[1]) * down[0]
        along = ((x - nose[0]) * down[0] + (y - nose[1]) * down[1]) / max(float((chin - nose) @ down), 1e-6)
        stripe = (far > _BESIDE[0]) & (far < _BESIDE[1]) & (along > 0.1) & (along < 0.95)
        mouth = np.hypot(x - lips[0], y - lips[1]) < 0.45 * _UNIT
        outside = (far > 0.5) | (along < -0.1)
        return cls(window, mouth, outside, (stripe & (across < 0), stripe & (across > 0)), down)

    def picture(self, rgb: Callable[[Window], np.ndarray]) -> np.ndarray:
        grey = cv2.cvtColor(np.ascontiguousarray(rgb(self.window)), cv2.COLOR_RGB2GRAY)
        return cv2.resize(grey, self.mouth.shape[::-1], interpolation=cv2.INTER_AREA)


def _textured_mean(values: np.ndarray, picture: np.ndarray, zone: np.ndarray) -> float:
    """The mean of ``values`` in ``zone`` where the picture has edges that motion along the face would move."""
    edges = np.abs(cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3)) > 24
    some = zone & edges
    return float(values[some].mean()) if some.sum() >= 24 else float("nan")


def repeated(outside: np.ndarray, share: float = _REPEATS) -> np.ndarray:
    """(rows,) True where the picture outside the mouth changes by less than ``share`` of what is usual around it."""
    out = np.zeros(len(outside), bool)
    for row in np.flatnonzero(np.isfinite(outside)):
        near = outside[max(0, row - _USUAL) : row + _USUAL + 1]
        usual = float(np.nanpercentile(near, 75))
        out[row] = usual > 0.05 and outside[row] < share * usual
    return out


@dataclass(frozen=True, eq=False)
class Strips:
    """One number for each strip in each respect, larger is worse (NaN: it cannot be told)."""

    values: dict[str, np.ndarray]

    @classmethod
    def of(cls, rows: np.ndarray, motion: Motion, shapes: np.ndarray, repeats: np.ndarray, step: float) -> "Strips":
        """The strips that lie wholly in ``rows``; ``repeats``: pairs of frames that repeat in the source."""
        kinds: dict[str, list[float]] = {name: [] for name in ("hold", "speed", "sharp", "beside", "jaw")}
        lower = shapes[:, UL] + shapes[:, AP]
        for first in range(0, len(rows) - STRIP + 1, STRIP // 2):
            if not rows[first : first + STRIP].all():
                continue
            pairs = slice(first + 1, first + STRIP)
            jaw = np.diff(shapes[first : first + STRIP, JAW])
            moves = float(np.nanstd(shapes[first : first + STRIP, JAW])) > _MOVES if np.isfinite(jaw).any() else False
            held = motion.mouth[pairs][repeats[pairs]]
            kinds["hold"].append(float(held.max()) if len(held) else np.nan)
            speed = np.abs(np.diff(shapes[first : first + STRIP, AP])) / step
            kinds["speed"].append(float(np.nanmax(speed)) if np.isfinite(speed).any() else np.nan)
            kinds["sharp"].append(_unevenness(motion.detail[first : first + STRIP]))
            sides = [correlation(motion.beside[pairs, k], jaw) for k in (0, 1)] if moves else [np.nan]
            kinds["beside"].append(float(np.nanmax(np.abs(sides))) if np.isfinite(sides).any() else np.nan)
            both = correlation(shapes[first : first + STRIP, JAW], lower[first : first + STRIP])
            wide = float(np.nanstd(lower[first : first + STRIP])) > _MOVES if np.isfinite(jaw).any() else False
            kinds["jaw"].append(-both if wide else np.nan)
        return cls({name: np.array(some) for name, some in kinds.items()})

    def within(self, own: "Strips") -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """For each strip and respect, 1 where it lies within 95 % of ``own`` (NaN: unknown); and these bounds."""
        good, bounds = {}, {}
        for name, values in self.values.items():
            known = own.values[name][np.isfinite(own.values[name])]
            bounds[name] = float(np.percentile(known, 95)) if len(known) else float("nan")
            slack = 0.25 if name == "hold" else 0.0  # of 255: what coding adds
            good[name] = np.where(np.isfinite(values) & bool(len(known)), values <= bounds[name] + slack, np.nan)
        return good, bounds


def _unevenness(detail: np.ndarray) -> float:
    """How much less, or more, detail the most different frame has than the median of its neighbours (logarithm)."""
    known = detail[np.isfinite(detail) & (detail > 0)]
    if len(known) < 5:
        return float("nan")
    sizes = np.log(known)
    worst = [abs(sizes[k] - np.median(np.delete(sizes[max(0, k - 2) : k + 3], min(k, 2)))) for k in range(len(sizes))]
    return float(max(worst))


def drag(dub: Motion, source: Motion, more_jaw: np.ndarray, rows: np.ndarray) -> float:
    """The slope of what moves beside the jaw only in the dub against how much more the jaw moves there (both in eye
    distances per frame); NaN if the jaw does not."""
    extra = np.r_[np.nan, np.diff(more_jaw)]
    x = np.concatenate([extra, extra])
    y = np.concatenate([dub.beside[:, k] - source.beside[:, k] for k in (0, 1)])
    some = np.isfinite(x) & np.isfinite(y) & np.concatenate([rows, rows])
    if some.sum() < 10 or float((x[some] ** 2).sum()) < 1e-6:
        return float("nan")
    return float((x[some] * y[some]).sum() / (x[some] ** 2).sum())


def _stir(motion: Motion, silent: np.ndarray, rows: np.ndarray) -> float:
    """Change of the mouth in silent ``rows`` over that of its surroundings (medians)."""
    some = silent & rows & np.isfinite(motion.mouth)
    if some.sum() < 4:
        return float("nan")
    return float(np.median(motion.mouth[some]) / max(float(np.median(motion.outside[some])), 0.05))


def judged(made: Dubbed) -> Row:
    """The numbers of one film."""
    source, dub = motion_of(made.clip, made.plan.face.motion), motion_of(made.result, made.plan.face.motion)
    shapes, step, everywhere = made.plan.face.motion.shapes, step_of(made.clip), made.plan.face.motion.ok
    repeats = repeated(source.outside)
    own = Strips.of(everywhere, source, shapes, repeats, step)
    here = Strips.of(made.rows, dub, made.again, repeats, step)
    good, bounds = here.within(own)
    every = np.stack(list(good.values()))
    shares: dict[str, Any] = {name: _mean(some) for name, some in good.items()}
    return {
        "strips": every.shape[1],
        "all": float(np.nanmin(every, 0).mean()) if every.shape[1] else float("nan"),
        "n": int((repeats & made.rows).sum()),
        **shares,
        "speed95": bounds["speed"],
        "speed dub": _percentile(here.values["speed"], 95),
        "beside95": bounds["beside"],
        "drag": drag(dub, source, made.again[:, JAW] - shapes[:, JAW], made.rows),
        "stir": _stir(dub, made.voiced < 0.3, made.rows),
        "own": _stir(source, made.source_voiced < 0.3, everywhere),
    }


def _mean(some: np.ndarray) -> float:
    return float(np.nanmean(some)) if np.isfinite(some).any() else float("nan")


def _percentile(some: np.ndarray, which: float) -> float:
    return float(np.nanpercentile(some, which)) if np.isfinite(some).any() else float("nan")


def film_of(
    bench: Bench, path: Path, dub: tuple[SpeechFeatures, Path], hidden: range, scratch: Path, keep: Path | None
) -> Dubbed:
    """``path`` dubbed with the speech features and the sound ``dub``; nothing is learnt from ``hidden`` frames."""
    clip = open_clip(path)
    analysis = analysed(bench, clip, scratch / "faces", hidden)
    plan = sole_plan(planned(clip, analysis, dub[0], bench.prior(path)), clip)
    rows = plan.trajectory.weight >= ACTING
    if len(hidden):
        rows = rows & (np.arange(plan.face.track.first, plan.face.track.stop) < hidden.start)
    if rows.sum() < STRIP:
        raise NotFit("fewer than 8 frames were performed")
    if keep is None or not keep.is_file():
        filming = Filming.of(bench, clip, (analysis, plan, dub[0]), scratch / "rendered")
        result = encoded(clip, filming.frames(lambda *_: None), dub[1], scratch / "dubbed.mp4")
        if keep is not None:
            shutil.copyfile(result.path, keep)
    else:
        result = open_clip(keep)
    seconds = plan.face.seconds(clip)
    again = shapes_again(bench, result, plan.face, scratch / "again")
    own = bench.features(path)
    return Dubbed(clip, result, plan, rows, again, voice_activity_at(dub[0], seconds), voice_activity_at(own, seconds))


def both(following: dict[Path, Path], keep: Path | None) -> Callable[[Bench, Path, Path], list[Row]]:
    """The rows of a clip, as "cross" and as "half"; ``following`` is the clip whose sound each gets."""

    def rows(bench: Bench, path: Path, scratch: Path) -> list[Row]:
        clip = open_clip(path)
        middle = len(clip) // 2
        away = clip.times.instant(middle) - clip.times.instant(0)
        other = following[path]
        dubs: Iterator[tuple[str, tuple[SpeechFeatures, Path], range]] = iter(
            [
                ("cross", (bench.features(other, clip.start), other), range(0)),
                ("half", (later(bench.features(path), -Fraction(away)), path), range(middle, len(clip))),
            ]
        )
        table: list[Row] = []
        for name, dub, hidden in dubs:
            kept = None if keep is None else keep / f"{path.stem.split('_')[0]}-{name}.mp4"
            try:
                made = judged(film_of(bench, path, dub, hidden, scratch / name, kept))
            except NotFit as why:
                made = {"left out": str(why)}
            table.append({"dub": name, **made})
        return table

    return rows


def around(clips: list[Path]) -> dict[Path, Path]:
    """Each clip's next one, around the circle."""
    return dict(itertools.pairwise([*clips, *clips[:1]])) if clips else {}


if __name__ == "__main__":
    given = arguments(str(__doc__).splitlines()[0], keep="folder in which the dubbed films stay, to be used again")
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    raise SystemExit(run(given, "Strips", both(around(clips_in(given.folder)), given.keep)))
