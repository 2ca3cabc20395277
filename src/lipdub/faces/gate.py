"""Which frames of a face may be changed, and how far: everything else stays as filmed, with a reason.

A frame is let through while the face is there, large enough, not turned away, and its mouth is not covered. The
landmark network keeps drawing a mouth on a hand or a microphone, so covered mouths are found in the pictures: in
the face's own thumbnails a covered mouth is unlike every other moment, loses the red of its lips, or hides skin.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.thumb import HALF_WIDTH, THUMB_SIZE, thumb_rows
from lipdub.timeline.face import AP, UL, WD, FaceTrack

_ERODED = 2  # frames next to a refused one that are left alone too
_RAMP = 4  # frames over which the weight rises
_SHORTEST = 8  # frames; shorter stretches between refused ones are not worth a change
_YAW_BACK = 3.0  # degrees inside the limit before a turned face is let in again
_FEW = 12  # frames below which nothing can be said about a usual picture
_SAMPLE = 1200  # frames that stand for a long track
_BLOCK = 512
_APART = 1.2  # seconds: what is nearer is no witness
_WITNESSES = 8  # frames that far away needed to judge at all
_NOVELTY_SIZE = (20, 16)
_COVERED, _DOUBTFUL = 0.25, 0.12  # scores from which a frame is left alone, and from which it is no model
_CERTAIN = 0.6  # presence that a frame needs to be a model
_RED_LIPS = 3.0  # median redness from which its loss means something


@dataclass(frozen=True, slots=True)
class GateLimits:
    """``smallest_face`` pixels between the outer eye corners; ``largest_yaw`` degrees."""

    smallest_face: float = 20.0
    largest_yaw: float = 40.0


@dataclass(frozen=True, eq=False)
class Visibility:
    """For every row of a track: ``weight`` 0..1, how far it may be changed; ``usable``, whether mouths may be
    learnt from it. ``reasons`` are (first row, row after the last, why it is left as filmed)."""

    weight: Float32[np.ndarray, " frames"]
    usable: Bool[np.ndarray, " frames"]
    reasons: tuple[tuple[int, int, str], ...]


def visibility(
    track: FaceTrack, motion: FaceMotion, times: Float[np.ndarray, " frames"], limits: GateLimits | None = None
) -> Visibility:
    """Judge every frame of ``track``, whose ``motion`` was measured; ``times`` are its frames' seconds."""
    limits = limits or GateLimits()
    covered = coverage(track, motion, times)
    lost = ~motion.ok
    small = motion.ok & (np.nan_to_num(motion.poses.scale) < limits.smallest_face)
    turned = motion.ok & _beyond(np.nan_to_num(np.abs(motion.poses.angles[:, 0])), limits.largest_yaw)
    hidden = motion.ok & (covered >= _COVERED)
    good = ~(lost | small | turned | hidden)
    good = _without_islands(good)
    weight = _ramped(good, track.first == track.shot.first, track.stop == track.shot.stop)
    usable = ~(lost | small | turned) & (covered < _DOUBTFUL) & (track.presence > _CERTAIN)
    reasons = (
        *_stretches(lost, "the face is lost"),
        *_stretches(small & ~lost, f"the face is smaller than {limits.smallest_face:g} pixels between the eyes"),
        *_stretches(turned & ~small, f"the head is turned by more than {limits.largest_yaw:g} degrees"),
        *_stretches(hidden & ~turned & ~small, "the mouth is covered"),
    )
    return Visibility(weight, usable, tuple(sorted(reasons)))


def coverage(
    track: FaceTrack, motion: FaceMotion, times: Float[np.ndarray, " frames"]
) -> Float32[np.ndarray, " frames"]:
    """How much of the mouth and the skin around it is hidden, a score of about 0 to 1; 0 where nothing is known.

    Memory does not grow with the track, but for a few numbers a frame.
    """
    score = np.zeros(len(track), np.float32)
    rows = np.flatnonzero(motion.ok)
    if len(rows) < _FEW:
        return score
    usual = _Usual.of(track, motion, times, rows)
    novelty = np.zeros(len(track), np.float32)
    for first, stop, _, thumbs in track.thumbs.blocks(_BLOCK):
        inside = np.flatnonzero(motion.ok[first:stop])
        if len(inside):
            level = usual.levelled(thumbs[inside])
            score[first + inside] = usual.hidden_skin(level)
            novelty[first + inside] = usual.novelty(level, times[first + inside])
    return _judged(score, novelty, track.redness, rows)


def _judged(score: np.ndarray, novelty: np.ndarray, redness: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Join the three signs into one score (thresholds from real clips with drawn microphones and hands)."""
    usual_novelty = float(np.median(novelty[rows]))
    if usual_novelty <= 0:
        return score
    strange = novelty / np.float32(usual_novelty)
    red = float(np.nanmedian(redness[rows])) if np.isfinite(redness[rows]).any() else 0.0
    limit = 2.1
    if red > _RED_LIPS:
        limit = 3.6
        pale = np.clip((0.55 - np.nan_to_num(redness) / red) / 0.18, 0, 1)
        score = np.maximum(score, 0.3 * pale * np.clip((strange - 1.15) / 0.15, 0, 1))
    score = np.maximum(score, 0.3 * np.clip((strange - limit) / 0.5, 0, 1) * (novelty > 10))
    return score.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Usual:
    """What this face's thumbnails usually look like: sampled pictures, their median, and the skin around the mouth."""

    ring: np.ndarray  # (32, 40) bool: skin that no mouth covers
    median: np.ndarray  # (32, 40, 3)
    spread: np.ndarray  # (32, 40) median distance from it
    light: float  # mean of the ring in the median picture
    small: np.ndarray  # (samples, 960) levelled pictures, small
    times: np.ndarray  # (samples,) their seconds

    @classmethod
    def of(cls, track: FaceTrack, motion: FaceMotion, times: np.ndarray, rows: np.ndarray) -> "_Usual":
        """From up to ``_SAMPLE`` of the ``rows`` where the face was found, evenly spread."""
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))]
        pictures = np.concatenate(
            [thumbs[chosen[(chosen >= a) & (chosen < b)] - a] for a, b, _, thumbs in track.thumbs.blocks(_BLOCK)]
        ).astype(np.float32)
        ring = _ring(motion)
        median = np.median(pictures, 0)
        light = float(median[ring].mean())
        pictures *= _gain(pictures, ring, light)
        spread = np.median(np.abs(pictures - median).max(-1), 0)
        return cls(ring, median, spread, light, _small(pictures), times[chosen])

    def levelled(self, thumbs: np.ndarray) -> np.ndarray:
        """Thumbnails (n, 32, 40, 3) float32 with the brightness of their skin made equal."""
        pictures = thumbs.astype(np.float32)
        return pictures * _gain(pictures, self.ring, self.light)

    def hidden_skin(self, level: np.ndarray) -> np.ndarray:
        """Part (n,) of the skin around the mouth that is unlike itself."""
        away = np.abs(level - self.median).max(-1) > np.maximum(38, 5 * self.spread)
        return (away & self.ring).sum((1, 2)) / max(1, int(self.ring.sum()))

    def novelty(self, level: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Distance (n,) to the third most similar picture that is not from the same moment; 0 if unknown."""
        small = _small(level)
        square = (small**2).sum(1)[:, None] + (self.small**2).sum(1) - 2 * small @ self.small.T
        distance = np.sqrt(np.maximum(square, 0) / small.shape[1])
        far = np.abs(times[:, None] - self.times) > _APART
        distance = np.sort(np.where(far, distance, np.inf), 1)[:, 2] if distance.shape[1] > 2 else np.zeros(len(level))
        return np.where(far.sum(1) >= _WITNESSES, distance, 0)


def _gain(pictures: np.ndarray, ring: np.ndarray, light: float) -> np.ndarray:
    return (light / np.maximum(pictures[:, ring].mean((1, 2)), 1))[:, None, None, None]


def _small(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(p, _NOVELTY_SIZE, interpolation=cv2.INTER_AREA).ravel() for p in pictures])


def _ring(motion: FaceMotion) -> np.ndarray:
    """Pixels of a thumbnail that show neither lips nor mouth, however wide this mouth opens: (32, 40) bool."""
    width, height = THUMB_SIZE
    top, bottom = thumb_rows()
    shapes = motion.shapes[motion.ok]
    typical = np.median(shapes, 0)
    low = np.percentile(shapes, 3, axis=0)
    half = np.abs(motion.mean[[61, 291], 0]).max() + (shapes[:, WD].max() - typical[WD]) / 2 + 0.04
    above = motion.mean[0, 1] + low[UL] - typical[UL] - 0.04
    lower = shapes[:, UL] + shapes[:, AP]
    below = motion.mean[17, 1] + np.percentile(lower, 97) - np.median(lower) + 0.05
    y, x = np.mgrid[:height, :width] + 0.5
    x, y = x / width * 2 * HALF_WIDTH - HALF_WIDTH, top + y / height * (bottom - top)
    return ~((np.abs(x) < half) & (y > above) & (y < below))


def _beyond(values: np.ndarray, limit: float) -> np.ndarray:
    """True from where ``values`` pass ``limit`` until they are well inside again."""
    out = np.zeros(len(values), bool)
    outside = False
    for i, value in enumerate(values):
        outside = value > (limit - _YAW_BACK if outside else limit)
        out[i] = outside
    return out


def _without_islands(good: np.ndarray) -> np.ndarray:
    """``good`` without short stretches between refused ones (a whole short track stays)."""
    out = good.copy()
    for first, stop, _ in _stretches(good, ""):
        if stop - first < _SHORTEST and not (first == 0 and stop == len(good)):
            out[first:stop] = False
    return out


def _ramped(good: np.ndarray, from_cut: bool, to_cut: bool) -> np.ndarray:
    """Weights (frames,): away from refused frames by ``_ERODED``, then a Hann ramp; no ramp at a cut."""
    reach = _ERODED + _RAMP
    padded = np.concatenate([np.full(reach, from_cut), good, np.full(reach, to_cut)]).astype(np.float32)
    if not good.any():
        return np.zeros(len(good), np.float32)
    if from_cut:
        padded[:reach] = padded[reach]
    if to_cut:
        padded[-reach:] = padded[-reach - 1]
    eroded = cv2.erode(padded[None], np.ones((1, 2 * _ERODED + 1), np.uint8), borderType=cv2.BORDER_REPLICATE)[0]
    kernel = np.hanning(2 * _RAMP + 1)[1:-1].astype(np.float32)
    smooth = np.convolve(np.pad(eroded, _RAMP - 1, mode="edge"), kernel / kernel.sum(), "valid")
    return np.clip(np.minimum(eroded, smooth), 0, 1)[reach:-reach].astype(np.float32)


def _stretches(flags: np.ndarray, reason: str) -> list[tuple[int, int, str]]:
    """Runs of True as (first, stop, reason)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b), reason) for a, b in zip(edges[::2], edges[1::2], strict=True)]
