"""Occluders: is what is before a mouth left as filmed, and is the rest of the mouth dubbed?

    python -m evals.occluders CLIPS [--only d03,d22,d18] [--sheets FOLDER] [--json occluders.json]

A microphone, a hand and a cup (``evals.occluder_drawing``) are drawn over every clip in which nothing is before the
mouth. The film is written, analysed as any other, and its own sound, a second and a half later, is the dub. As the
drawing is known:

    covered  frames of the cues in which the thing is before the mouth or close to it (.3 eye distances)
    dubbed   part of these frames whose mouth is changed                refused  part left as filmed, as covered
    touched  part of the thing's pixels beside the changed mouths that change by more than 4 levels (8 bits)
    most     the same in the worst frame
    mouth    part of the visible mouth that changes in dubbed covered frames    clear  the same in other frames
    learnt   frames that are used as mouths although more than 2 % of the mouth is hidden in them

``--sheets`` writes pairs of pictures: as filmed, and dubbed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from evals.bench import Bench, Filming, Row, analysed, arguments, encoded, later, planned, run, sole_plan
from evals.occluder_drawing import KINDS, MovingThing
from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER
from lipdub.compose.patching import apply_patches
from lipdub.faces.visibility import COVERED
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.dub_plan import FacePlan
from lipdub.timeline.clip import Clip
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame, Window

LATER = Fraction(3, 2)
"""Seconds by which the dub is later than the film's own sound."""

_NEAR = 0.3  # eye distances around the lips in which the thing counts as before the mouth
_LEVELS = 4  # 8-bit levels that count as a change
_SHOWN, _TILE = 24, 200


@dataclass(frozen=True, eq=False)
class TrueMouth:
    """Where the mouth is in a clean clip, by its own ``face``."""

    face: FaceAnalysis

    def lips(self, index: int, window: Window, around: float) -> np.ndarray:
        """(height, width) True on the mouth and ``around`` it (eye distances)."""
        row = index - self.face.track.first
        points = self.face.track.landmarks.read(row, row + 1)[0, np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]]), :2]
        out = np.zeros((window.height, window.width), np.uint8)
        if np.isfinite(points).all():
            cv2.fillPoly(out, [np.round(points - [window.left, window.top]).astype(np.int32)], (1.0,))
        reach = round(around * float(self.face.motion.poses.scale[row]))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        return cv2.dilate(out, disc) > 0

    def window(self, index: int, reach: float, size: tuple[int, int]) -> Window:
        """The box of ``reach`` eye distances around the mouth."""
        row = index - self.face.track.first
        x, y = self.face.track.landmarks.read(row, row + 1)[0, [13, 14], :2].mean(0)
        by = reach * float(self.face.motion.poses.scale[row])
        return Window(int(x - by), int(y - by), int(x + by), int(y + by)).clipped(size)


@dataclass(eq=False)
class Judge:
    """Compares rendered frames with the film, given the ``thing`` and the ``truth``."""

    thing: MovingThing
    truth: TrueMouth
    near: np.ndarray
    touched: list[tuple[int, int]] = field(default_factory=list)
    mouth: list[float] = field(default_factory=list)
    clear: list[float] = field(default_factory=list)
    shown: dict[int, np.ndarray] = field(default_factory=dict)

    def __call__(self, before: Frame, after: Frame, patches: list[Patch]) -> None:
        """Note one frame."""
        for patch in patches:
            window = patch.window
            alpha = alpha_in(self.thing, before.index, window)
            was, now = before.rgb(window).astype(int), after.rgb(window).astype(int)
            change = np.abs(now - was).max(-1)
            on = alpha > 0.5
            if on.any():
                self.touched.append((int((change[on] > _LEVELS).sum()), int(on.sum())))
            lips = self.truth.lips(before.index, window, 0.03)
            visible = lips & (alpha < 0.05)
            if visible.sum() > 0.1 * lips.sum():
                share = float((patch.mask[visible] > 0).mean())
                (self.mouth if self.near[before.index] else self.clear).append(share)
        tile = self.truth.window(before.index, 0.9, self.thing.size)
        pair = [cv2.resize(f.rgb(tile), (_TILE, _TILE), interpolation=cv2.INTER_AREA) for f in (before, after)]
        if self.near[before.index]:
            self.shown[before.index] = np.concatenate(pair)


def alpha_in(thing: MovingThing, index: int, window: Window) -> np.ndarray:
    """The coverage of the thing at each pixel of ``window``."""
    out, drawn = np.zeros((window.height, window.width), np.float32), thing.drawn(index)
    if drawn is not None:
        both = drawn.window.intersection(window)
        if not both.empty:
            out[both.slices_in(window)] = drawn.alpha[both.slices_in(drawn.window)]
    return out


def with_thing(clip: Clip, thing: MovingThing) -> Iterator[Frame]:
    """The frames of ``clip`` with the thing before them."""
    for frame in read_frames(clip):
        drawn = thing.drawn(frame.index)
        if drawn is not None:
            base = frame.rgb(drawn.window)
            mixed = base + (drawn.colour - base) * drawn.alpha[..., None]
            pixels = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
            apply_patches(frame, [Patch(frame.index, drawn.window, base, pixels, (drawn.alpha > 0).astype(np.float32))])
        yield frame


def occluders(bench: Bench, path: Path, scratch: Path, sheets: Path | None) -> list[Row]:
    """The rows of one clip, one for each kind of thing. Raises ``NotFit`` if no face is there throughout."""
    clip = open_clip(path)
    analysis = analysed(bench, clip, scratch / "clean")
    plan = sole_plan(planned(clip, analysis, bench.features(path), bench.prior(path)), clip)
    rows = []
    for kind in KINDS:
        row, judge = _one(bench, path, scratch / kind, _thing(clip, plan.face, kind))
        rows.append({"thing": kind, **row})
        if sheets is not None and judge.shown:
            sheets.mkdir(parents=True, exist_ok=True)
            _write_sheet(judge.shown, sheets / f"{path.stem}-{kind}.png")
    return rows


def _thing(clip: Clip, face: FaceAnalysis, kind: str) -> tuple[MovingThing, TrueMouth]:
    track = face.track
    mouths = np.concatenate([block[:, [13, 14], :2].mean(1) for _, _, _, block in track.landmarks.blocks()])
    x, y = (float(v) for v in np.nanmedian(mouths, 0))
    thumb = track.thumbs.read(len(track) // 2, len(track) // 2 + 1)[0]
    red, green, blue = (float(v) for v in np.median(thumb[:6].reshape(-1, 3), 0))
    unit = float(np.nanmedian(face.motion.poses.scale))
    return MovingThing(kind, (x, y), unit, len(clip), clip.size, (red, green, blue)), TrueMouth(face)


def _one(bench: Bench, path: Path, scratch: Path, drawn: tuple[MovingThing, TrueMouth]) -> tuple[Row, Judge]:
    thing, truth = drawn
    scratch.mkdir(parents=True)
    clip = encoded(open_clip(path), with_thing(open_clip(path), thing), path, scratch / f"{path.stem}.mp4")
    analysis = analysed(bench, clip, scratch / "faces", sound=path)
    dub = later(bench.features(path), LATER)
    plan = sole_plan(planned(clip, analysis, dub, bench.prior(path)), clip, 0.3)
    filming = Filming.of(bench, clip, (analysis, plan, dub), scratch / "rendered")
    near, hidden = _covered(clip, thing, truth)
    judge, changed = Judge(thing, truth, near), np.zeros(len(clip), bool)

    def judged(before: Frame, after: Frame, patches: list[Patch]) -> None:
        changed[before.index] = True
        judge(before, after, patches)

    for _ in filming.frames(judged):
        pass
    return _row(clip, plan, (near, hidden, changed), judge), judge


def _row(clip: Clip, plan: FacePlan, flags: tuple[np.ndarray, np.ndarray, np.ndarray], judge: Judge) -> Row:
    near, hidden, changed = flags
    wanted, refused, learnt = (np.zeros(len(clip), bool) for _ in range(3))
    for cue in plan.cues:
        inside = clip.times.within(cue.span)
        wanted[inside.start : inside.stop] = True
    first, seen = plan.face.track.first, plan.face.visibility
    for a, b, why in seen.reasons:
        refused[first + a : first + b] = why == COVERED
    learnt[first : first + len(seen.usable)] = seen.usable
    both = near & wanted
    parts = np.array(judge.touched).reshape(-1, 2)
    return {
        "covered": int(both.sum()),
        "dubbed": float(changed[both].mean()) if both.any() else float("nan"),
        "refused": float(refused[both].mean()) if both.any() else float("nan"),
        "touched": float(parts[:, 0].sum() / max(1, parts[:, 1].sum())),
        "most": float((parts[:, 0] / parts[:, 1]).max()) if len(parts) else 0.0,
        "mouth": float(np.mean(judge.mouth)) if judge.mouth else float("nan"),
        "clear": float(np.mean(judge.clear)) if judge.clear else float("nan"),
        "learnt": int((learnt & (hidden > 0.02)).sum()),
    }


def _covered(clip: Clip, thing: MovingThing, truth: TrueMouth) -> tuple[np.ndarray, np.ndarray]:
    """For each frame: whether the thing is near the mouth, and which part of the mouth it hides."""
    near, hidden = np.zeros(len(clip), bool), np.zeros(len(clip))
    for index in range(truth.face.track.first, truth.face.track.stop):
        if thing.drawn(index) is None or not truth.face.motion.ok[index - truth.face.track.first]:
            continue
        window = truth.window(index, 0.8, clip.size)
        alpha = alpha_in(thing, index, window)
        near[index] = (truth.lips(index, window, _NEAR) & (alpha > 0.5)).any()
        hidden[index] = float((alpha[truth.lips(index, window, 0)] > 0.5).mean())
    return near, np.nan_to_num(hidden)


def _write_sheet(shown: dict[int, np.ndarray], file: Path) -> None:
    index = sorted(shown)
    index = [index[i] for i in np.unique(np.linspace(0, len(index) - 1, min(_SHOWN, len(index))).astype(int))]
    tiles = [shown[i] for i in index]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    lines = [np.concatenate(tiles[i : i + 8], 1) for i in range(0, len(tiles), 8)]
    cv2.imwrite(str(file), np.concatenate(lines)[..., ::-1])


if __name__ == "__main__":
    given = arguments(str(__doc__).splitlines()[0], sheets="where to write pairs of pictures")
    raise SystemExit(
        run(given, "Occluders", lambda bench, path, scratch: occluders(bench, path, scratch, given.sheets))
    )
