"""Which frames of a face may be changed, and how much; all others stay as filmed, with a reason.

A frame may be changed while the face is there, large enough, not turned away, and its mouth is not covered. The
landmark network still draws a mouth on a hand or a microphone, so covered mouths are found in the face's thumbnails: a
covered mouth looks unlike all other moments, its lips lose their red, or skin is hidden.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.occluders import Occluders
from lipdub.anatomy.thumbnail import HALF_WIDTH, THUMBNAIL_SIZE, thumbnail_rows
from lipdub.faces.occluded_rows import OccludedRows, occluded_rows
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP, UL, WD
from lipdub.timeline.runs import true_runs

COVERED = "the mouth is covered"
"""The reason of frames that are left as filmed because something is before the mouth."""

_ERODED = 2  # frames next to a refused one that are left as filmed too
_RAMP = 4  # frames over which the weight rises
_SHORTEST = 12  # frames; shorter runs between refused ones are left as filmed
_YAW_BACK = 3.0  # degrees below the limit at which a turned face is accepted again
_FEW = 12  # frames that are needed to know how a face usually looks
_SAMPLE = 1200  # frames sampled from a long track
_BLOCK = 512
_MIN_DISTANCE = 1.2  # seconds: nearer frames are not used as evidence
_MIN_EVIDENCE = 8  # frames at that distance that are needed to decide
_CHANCE = 20  # frames at that distance of which half would be novel by chance: a short shot says little
_RARE = 0.05  # part of them that may look alike although the mouth is covered
_NOVELTY_SIZE = (20, 16)
_COVERED, _DOUBTFUL = (
    0.25,
    0.12,
)  # scores from which a frame is left as filmed, and from which no mouth is learnt from it
_NEXT = 6  # frames next to a covered mouth from which none is learnt: it may be half covered
_CERTAIN = 0.6  # presence that a frame needs so that its mouth is learnt
_RED_LIPS = 3.0  # median redness of lips from which its loss is evidence
_VERY_RED = 5.0  # median redness up to which less hidden skin is enough, if the picture is rare, too
_LOST_RED, _LOST_PART = 3.2, 0.6  # loss of redness (code values, and part of the usual one) that is proof
_BRIEF = 5  # frames of which most must have lost it
_SEEN = 0.6  # part of their usual redness at which lips are seen
_SKIN_SEEN = 0.25  # part of the skin around the mouth that must be seen beside what is before it
_HIDDEN = 0.36  # part of the skin that must be hidden for the mouth to count as covered
_CALM, _RESTLESS = 6.0, 12.0  # code values to which the usual novelty is limited
_WIDE = 0.08  # eye distances of aperture above the usual at which twice the novelty is normal


@dataclass(frozen=True, slots=True)
class VisibilityLimits:
    """``smallest_face``: pixels between the outer eye corners; ``largest_yaw``: degrees. ``around``: where something
    covers a part of the mouth, the rest may be changed."""

    smallest_face: float = 20.0
    largest_yaw: float = 40.0
    around: bool = False


@dataclass(frozen=True, eq=False)
class Visibility:
    """For every row of a track: ``weight`` 0..1, how much it may be changed; ``usable``, whether mouths may be learnt
    from it. ``reasons`` are (first row, row after the last, why it is left as filmed). ``occluders``: what is before
    the face in some rows and must stay as filmed; None if there is nothing, or if it is not known."""

    weight: Float32[np.ndarray, " frames"]
    usable: Bool[np.ndarray, " frames"]
    reasons: tuple[tuple[int, int, str], ...]
    occluders: Occluders | None = None


def visibility(
    track: FaceTrack,
    motion: FaceMotion,
    times: Float[np.ndarray, " frames"],
    limits: VisibilityLimits | None = None,
    others: UInt8[np.ndarray, "n 32 40 3"] | None = None,
) -> Visibility:
    """Visibility of every frame of ``track``, whose ``motion`` was measured; ``times`` are the frames' times in
    seconds. ``others`` are thumbnails of the same person in other shots: a mouth that is like one of them is seen."""
    limits = limits or VisibilityLimits()
    score = coverage(track, motion, times)
    if others is not None:
        score = np.minimum(score, coverage(track, motion, times, others))
    before, near = None, np.zeros(len(track), bool)
    if limits.around and motion.ok.sum() >= _FEW:
        before = occluded_rows(track, motion.ok, motion.ok & (score < _COVERED))
    if before is not None:
        rows = before.occluders.rows
        score = np.where(rows, np.minimum(score, coverage(track, motion, times, others, before)), score)
        score[before.most_of_mouth] = 1
        near = before.near_mouth
    lost = ~motion.ok
    small = motion.ok & (np.nan_to_num(motion.poses.scale) < limits.smallest_face)
    turned = motion.ok & _above_with_hysteresis(np.nan_to_num(np.abs(motion.poses.angles[:, 0])), limits.largest_yaw)
    hidden = motion.ok & (score >= _COVERED)
    good = _without_short_runs(~(lost | small | turned | hidden))
    why = {
        "the face is lost": lost,
        f"the face is smaller than {limits.smallest_face:g} pixels between the eyes": small,
        f"the head is turned by more than {limits.largest_yaw:g} degrees": turned,
        COVERED: hidden,
    }
    weight = _faded_weights(good, track.first == track.shot.first, track.stop == track.shot.stop)
    usable = ~(lost | small | turned | near | _widened(hidden, _NEXT)) & (score < _DOUBTFUL)
    usable &= track.presence > _CERTAIN
    reasons = ((a, b, max(why, key=lambda reason: int(why[reason][a:b].sum()))) for a, b in true_runs(~good))
    return Visibility(weight, usable, tuple(reasons), None if before is None else before.occluders)


def covered(seen: Visibility) -> bool:
    """True if some frames are left as filmed because the mouth is covered."""
    return any(why == COVERED for _, _, why in seen.reasons)


def coverage(
    track: FaceTrack,
    motion: FaceMotion,
    times: Float[np.ndarray, " frames"],
    others: UInt8[np.ndarray, "n 32 40 3"] | None = None,
    before: OccludedRows | None = None,
) -> Float32[np.ndarray, " frames"]:
    """How much of the mouth and the skin around it is hidden, per frame: a score of about 0 to 1; 0 where unknown.
    ``others`` are thumbnails of the same person in other shots. What is known to be ``before`` the face is left out:
    the score is that of the rest.

    Memory does not grow with the track, except for a few numbers per frame.
    """
    hidden = np.zeros(len(track), np.float32)
    rows = np.flatnonzero(motion.ok)
    if len(rows) < _FEW:
        return hidden
    typical = _TypicalAppearance.of(track, motion, times, rows)
    if others is not None:
        typical = typical.with_others(others)
    novelty = np.zeros(len(track), np.float32)
    for first, stop, _, thumbs in track.thumbs.blocks(_BLOCK):
        inside = first + np.flatnonzero(motion.ok[first:stop])
        if len(inside):
            seen = None if before is None else ~before.cells(first, stop)[inside - first]
            level = typical.levelled(thumbs[inside - first], seen)
            hidden[inside] = typical.hidden_skin(level, seen)
            novelty[inside] = typical.novelty(level, times[inside], seen)
    redness = track.redness if before is None else before.redness
    relative = _relative_novelty(novelty, motion, rows)
    skin = _running_median(hidden, 3)
    score = np.maximum(_COVERED * skin / _HIDDEN, _occlusion_score(relative, redness, rows))
    if _usual_redness(redness, rows) <= _VERY_RED:
        both = np.clip((skin - 0.2) / 0.06, 0, 1) * np.clip((relative - 1.9) / 0.3, 0, 1)
        score = np.maximum(score, 0.3 * both)
    return score.astype(np.float32)


def _relative_novelty(novelty: np.ndarray, motion: FaceMotion, rows: np.ndarray) -> np.ndarray:
    """Novelty (frames,) relative to what is usual in this track; a mouth that opens wide may look new."""
    usual = min(max(float(np.median(novelty[rows])), _CALM), _RESTLESS)
    aperture = np.nan_to_num(motion.shapes[:, AP])
    open_wide = np.maximum(0, aperture - np.median(aperture[rows])) / _WIDE
    return novelty / usual / (1 + open_wide)


def _occlusion_score(novelty: np.ndarray, redness: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Score of a mouth whose lips have lost their red, or of a picture that is unlike the others.

    Lips that keep their red are seen, however rare the picture: pressed, rounded and wide open mouths are rare in a
    short shot. A great loss of red is proof, a smaller one is evidence if the picture is rare, too. Where lips are
    hardly redder than skin, only the picture tells.
    """
    usual = _usual_redness(redness, rows)
    now = _running_median(np.where(np.isfinite(redness), redness, usual), _BRIEF)
    proof = np.clip(((usual - now) / max(_LOST_RED, _LOST_PART * usual) - 0.85) / 0.18, 0, 1)
    if usual <= _RED_LIPS:
        return 0.3 * np.maximum(proof, np.clip((novelty - 1.9) / 0.4, 0, 1))
    pale = np.clip((0.55 - now / usual) / 0.18, 0, 1) * np.clip((novelty - 1.15) / 0.15, 0, 1)
    rare = np.clip((_SEEN - now / usual) / 0.1, 0, 1) * np.clip((novelty - 2.8) / 0.5, 0, 1)
    return 0.3 * np.maximum(proof, np.maximum(pale, rare))


def _usual_redness(redness: np.ndarray, rows: np.ndarray) -> float:
    """The median redness of the lips; 0 if it is not known."""
    known = redness[rows][np.isfinite(redness[rows])]
    return float(np.median(known)) if len(known) else 0.0


def _running_median(values: np.ndarray, width: int) -> np.ndarray:
    """The median of each value and those around it; the ends are repeated."""
    around = np.pad(values, width // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(around, width), -1)


@dataclass(frozen=True, eq=False)
class _TypicalAppearance:
    """What this face's thumbnails usually look like."""

    face: np.ndarray  # (32, 40) bool: mouth and the skin around it
    skin: np.ndarray  # (32, 40) bool: that skin alone
    light: float  # usual median brightness of the skin
    median: np.ndarray  # (32, 40, 3) the usual picture, with equalised brightness
    spread: np.ndarray  # (32, 40) median distance from it
    small: np.ndarray  # (samples, 960) small pictures with equalised brightness
    times: np.ndarray  # (samples,) their times in seconds

    @classmethod
    def of(cls, track: FaceTrack, motion: FaceMotion, times: np.ndarray, rows: np.ndarray) -> "_TypicalAppearance":
        """From up to ``_SAMPLE`` of the ``rows`` where the face was found, evenly spread."""
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))]
        pictures = np.concatenate(
            [thumbs[chosen[(chosen >= a) & (chosen < b)] - a] for a, b, _, thumbs in track.thumbs.blocks(_BLOCK)]
        ).astype(np.float32)
        face, skin = _areas(motion)
        light = float(np.median(_luma(pictures, skin)))
        pictures *= _gain(pictures, skin, light)
        median = np.median(pictures, 0)
        spread = np.median(np.abs(pictures - median).max(-1), 0)
        return cls(face, skin, light, median, spread, _small(pictures, face), times[chosen])

    def with_others(self, thumbs: np.ndarray) -> "_TypicalAppearance":
        """The same with thumbnails (n, 32, 40, 3) of other shots, whose colours are brought to those of this one."""
        if not len(thumbs):
            return self
        pictures = thumbs.astype(np.float32)
        pictures *= _gain(pictures, self.skin, self.light)
        tones = (np.median(some, 0)[self.skin].mean(0) for some in (self.median[None], pictures))
        here, there = (np.maximum(tone, 1) for tone in tones)
        pictures *= np.clip(here / there, 0.6, 1.6)
        always = np.full(len(pictures), np.inf)  # another shot is never near in time
        small = np.concatenate([self.small, _small(pictures, self.face)])
        return replace(self, small=small, times=np.concatenate([self.times, always]))

    def levelled(self, thumbs: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
        """Thumbnails (n, 32, 40, 3) as float32, with the brightness of their skin equalised; of the cells ``seen`` (n,
        32, 40) if it is given."""
        pictures = thumbs.astype(np.float32)
        gain = _gain(pictures, self.skin, self.light)
        if seen is not None:
            for row in np.flatnonzero(~seen[:, self.skin].all(1)):
                shown = self.skin & seen[row]
                if shown.any():
                    gain[row] = _gain(pictures[row][None], shown, self.light)[0]
        return pictures * gain

    def hidden_skin(self, level: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
        """Part (n,) of the skin around the mouth that does not look like this skin; of the cells ``seen`` (n, 32, 40)
        if it is given, and 1 where these are too few."""
        away = np.abs(level - self.median).max(-1) > np.clip(5 * self.spread, 38, 50)
        if seen is None:
            return (away & self.skin).sum((1, 2)) / max(1, int(self.skin.sum()))
        shown = (self.skin & seen).sum((1, 2))
        enough = shown >= _SKIN_SEEN * self.skin.sum()
        return np.where(enough, (away & self.skin & seen).sum((1, 2)) / np.maximum(1, shown), 1.0)

    def novelty(self, level: np.ndarray, times: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
        """Distance (n,) in code values to the most similar pictures of other moments; 0 if unknown. Only the cells
        ``seen`` (n, 32, 40) are compared, if it is given.

        It is that to the third most similar picture, or in a long track to the one that 5 % are nearer than. So an
        object that covers the mouth for a few seconds does not become usual by its own frames.
        """
        small = _small(level, self.face)
        if seen is None:
            square = (small**2).sum(1)[:, None] + (self.small**2).sum(1) - 2 * small @ self.small.T
        else:
            share = _seen_share(seen)
            weight = share / np.maximum(share.mean(1), 0.1)[:, None]
            parts = (weight * small**2).sum(1)[:, None], weight @ (self.small**2).T, (weight * small) @ self.small.T
            square = parts[0] + parts[1] - 2 * parts[2]
        distance = np.sqrt(np.maximum(square, 0))
        far = np.abs(times[:, None] - self.times) > _MIN_DISTANCE
        count = far.sum(1)
        ordered = np.sort(np.where(far, distance, np.inf), 1)
        few = np.minimum(np.maximum(2, (_RARE * count).astype(int)), distance.shape[1] - 1)
        near = np.take_along_axis(ordered, few[:, None], 1)[:, 0]
        return np.where(count >= _MIN_EVIDENCE, near, 0) * count / (count + _CHANCE)


def _seen_share(seen: np.ndarray) -> np.ndarray:
    """(n, 960) 1 for the values of small pictures all of whose cells are ``seen`` (n, 32, 40), else 0."""
    small = [cv2.resize(one.astype(np.float32), _NOVELTY_SIZE, interpolation=cv2.INTER_AREA) for one in seen]
    return np.repeat((np.stack(small).reshape(len(seen), -1) > 0.999).astype(np.float32), 3, axis=1)


def _luma(pictures: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Median brightness (n,) of the skin."""
    return np.median(pictures[:, skin].mean(-1), 1)


def _gain(pictures: np.ndarray, skin: np.ndarray, light: float) -> np.ndarray:
    return np.clip(light / np.maximum(_luma(pictures, skin), 1), 0.6, 1.6)[:, None, None, None]


def _small(pictures: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(n, 960) small pictures of the face's area, scaled so that distances are root mean squares."""
    small = [cv2.resize(p * face[..., None], _NOVELTY_SIZE, interpolation=cv2.INTER_AREA).ravel() for p in pictures]
    share = face.sum() / face.size
    return np.stack(small) / np.float32(np.sqrt(share * len(small[0])))


def _areas(motion: FaceMotion) -> tuple[np.ndarray, np.ndarray]:
    """Two areas of a thumbnail, (32, 40) bool: an ellipse around the mouth that stays inside the face, and its part
    that neither lips nor mouth reach in their usual range of motion."""
    width, height = THUMBNAIL_SIZE
    top, bottom = thumbnail_rows()
    y, x = np.mgrid[:height, :width] + 0.5
    x, y = x / width * 2 * HALF_WIDTH - HALF_WIDTH, top + y / height * (bottom - top)
    shapes = motion.shapes[motion.ok]
    typical, high = np.median(shapes, 0), np.percentile(shapes, 97, axis=0)
    half = float(np.abs(motion.mean[[61, 291], 0]).max())
    upper, lower = float(motion.mean[0, 1]), float(motion.mean[17, 1])
    face = (x / (half + 0.2)) ** 2 + ((y - (upper + lower) / 2) / ((lower - upper) / 2 + 0.26)) ** 2 < 1
    bottom_lip = shapes[:, UL] + shapes[:, AP]
    left_right = half + 0.04 + max(0.0, high[WD] - typical[WD]) / 2
    above = upper - 0.03 + np.percentile(shapes[:, UL], 3) - typical[UL]
    below = lower + 0.04 + np.percentile(bottom_lip, 97) - np.median(bottom_lip)
    mouth = (np.abs(x) < left_right) & (y > above) & (y < below)
    return face, face & ~mouth


def _widened(flags: np.ndarray, by: int) -> np.ndarray:
    """``flags``, and those up to ``by`` places away from them."""
    return np.convolve(np.pad(flags, by), np.ones(2 * by + 1), "valid") > 0.5


def _above_with_hysteresis(values: np.ndarray, limit: float) -> np.ndarray:
    """True from where ``values`` exceed ``limit`` until they are ``_YAW_BACK`` below it."""
    out = np.zeros(len(values), bool)
    outside = False
    for i, value in enumerate(values):
        outside = value > (limit - _YAW_BACK if outside else limit)
        out[i] = outside
    return out


def _without_short_runs(good: np.ndarray) -> np.ndarray:
    """``good`` without short runs between refused frames (a track that is short and good throughout stays)."""
    out = good.copy()
    for first, stop in true_runs(good):
        if stop - first < _SHORTEST and not (first == 0 and stop == len(good)):
            out[first:stop] = False
    return out


def _faded_weights(good: np.ndarray, from_cut: bool, to_cut: bool) -> np.ndarray:
    """Weights (frames,): 0 up to ``_ERODED`` frames from a refused one, then rising over ``_RAMP`` frames (the integral
    of a Hann window) to 1. No rise where the track begins or ends with its shot."""
    if not good.any():
        return np.zeros(len(good), np.float32)
    half = _RAMP // 2
    reach = _ERODED + half
    before, after = np.full(reach, from_cut and good[0]), np.full(reach, to_cut and good[-1])
    padded = np.concatenate([before, good, after]).astype(np.float32)
    kept = cv2.erode(padded[None], np.ones((1, 2 * reach + 1), np.uint8), borderType=cv2.BORDER_REPLICATE)[0]
    kernel = np.hanning(_RAMP + 3)[1:-1]
    smooth = np.convolve(np.pad(kept, half, mode="edge"), kernel / kernel.sum(), "valid")
    return np.clip(smooth, 0, 1)[reach:-reach].astype(np.float32)
