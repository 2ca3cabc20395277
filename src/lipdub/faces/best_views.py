"""The best views of every face track, chosen while the frames go by, and what they say about whose face it is.

A track is divided into equal stretches of time, and each keeps its best view: frontal, large and sharp. If there are
too many stretches, neighbours are joined and the better view of two stays. So the views are spread over the track, and
a track of any length has between half of ``MOST_VIEWS`` and ``MOST_VIEWS`` of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import RIGID, canonical_face
from lipdub.faces.identity import FaceIdentifier, face_chip
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Rgb, Window

MOST_VIEWS = 6
"""Views of a track that are kept at most."""

SMALLEST_KNOWN = 20.0
"""Pixels between the outer eye corners below which a face says too little about whose it is: at 16 pixels an embedding
moves by 0.3, nearly as far as another person's is away."""

_STRETCH = 8  # frames of the first stretches
_EVERY = 3  # frames between two that are looked at
_BETTER = 1.1  # times the value that a view needs to take the place of another one in its stretch
_TURNED = 55.0  # degrees of yaw from which a face is not recognised
_GOOD_PART = 0.4  # part of the best view's value below which a view is not used
_STRAY = 0.35  # distance from the median embedding from which a view is left out of the mean
_PORTRAIT_SIDE = 160
_PORTRAIT_MARGIN = 0.45  # of the face's larger side, on every side


@dataclass(frozen=True, eq=False)
class FaceAppearance:
    """What a track says about whose face it is.

    ``embedding`` (128,) is the robust mean of its views' embeddings; None if it cannot be known, and then ``why`` not,
    as a clause. ``spread`` is the mean distance of the views from it. ``frame`` and ``window`` are where the best view
    is, and ``portrait`` is that picture, at most 160 pixels high, (height, width, 3). ``value`` 0..1 is how good the
    best view is.
    """

    embedding: Float32[np.ndarray, "128"] | None
    spread: float
    frame: int
    window: Window
    portrait: Rgb
    value: float
    why: str = ""


@dataclass(frozen=True, eq=False)
class _GoodView:
    """One view: its ``value`` 0..1, its frame, its window in the display picture, the chip and the portrait."""

    value: float
    frame: int
    window: Window
    chip: UInt8[np.ndarray, "150 150 3"]
    portrait: Rgb
    eyes: float
    yaw: float


@dataclass(eq=False)
class _Candidates:
    """The best views so far of one track, by stretch; ``length`` is that of a stretch in frames."""

    first: int
    length: int = _STRETCH
    views: dict[int, _GoodView] = field(default_factory=dict)

    def wants(self, frame: int, value: float) -> bool:
        """True if a view of at most this value would be kept."""
        held = self.views.get((frame - self.first) // self.length)
        return held is None or value > _BETTER * held.value

    def keep(self, view: _GoodView) -> None:
        """Keep ``view`` if it is the best of its stretch."""
        at = (view.frame - self.first) // self.length
        held = self.views.get(at)
        if held is None or view.value > held.value:
            self.views[at] = view
        while len(self.views) > MOST_VIEWS:
            self.length *= 2
            joined: dict[int, _GoodView] = {}
            for number, each in self.views.items():
                other = joined.get(number // 2)
                joined[number // 2] = each if other is None or each.value > other.value else other
            self.views = joined


class BestViews:
    """Takes the views of all faces, frame by frame. Memory: a few pictures for each face that is now in view."""

    def __init__(self, identifier: FaceIdentifier | None) -> None:
        """Without an ``identifier`` portraits are kept, and nothing is known about whose face it is."""
        self._identifier = identifier
        self._tracks: dict[int, _Candidates] = {}

    def see(self, seen: Iterable[tuple[int, FaceView]]) -> list[tuple[int, FaceAppearance]]:
        """Take the views of one frame, by track id. Returns the appearances of the tracks that have ended."""
        now = dict(seen)
        ended = [track for track in self._tracks if track not in now]
        for track, view in now.items():
            candidates = self._tracks.setdefault(track, _Candidates(view.index))
            if (view.index - candidates.first) % _EVERY == 0:
                _look(view, candidates)
        return self._finished(ended)

    def finish(self) -> list[tuple[int, FaceAppearance]]:
        """The appearances of the tracks that go on until the last frame. Call once."""
        return self._finished(list(self._tracks))

    def _finished(self, tracks: Iterable[int]) -> list[tuple[int, FaceAppearance]]:
        every = ((track, list(self._tracks.pop(track).views.values())) for track in tracks)
        return [(track, _appearance(views, self._identifier)) for track, views in every if views]


def _look(view: FaceView, candidates: _Candidates) -> None:
    """Keep this view if it is better than those nearby."""
    if view.landmarks is None:
        return
    place = pose.fit_pose(view.landmarks[None, RIGID], canonical_face()[RIGID])
    yaw, pitch, _ = (float(angle) for angle in place.angles[0])
    eyes = float(place.scale[0])
    if not np.isfinite([yaw, pitch, eyes]).all():
        return
    frontal = np.exp(-((yaw / 25) ** 2) - (pitch / 35) ** 2)
    value = float(frontal * min(1.0, eyes / 70))
    if not candidates.wants(view.index, value):
        return
    chip = face_chip(view.landmarks, view.size, view.pixels)
    if chip is None:
        return
    value *= _sharpness(chip)
    if candidates.wants(view.index, value):
        window = _portrait_window(view)
        candidates.keep(_GoodView(value, view.index, window, chip, _portrait(view.pixels(window)), eyes, yaw))


def _sharpness(chip: Rgb) -> float:
    """0.3 (blurred) to 1 (sharp), from the mean size of the second differences of the brightness."""
    middle = cv2.cvtColor(chip[30:120, 30:120], cv2.COLOR_RGB2GRAY)
    detail = float(np.abs(cv2.Laplacian(middle, cv2.CV_32F)).mean())
    return float(np.clip(detail / 8.0, 0.3, 1.0))


def _portrait_window(view: FaceView) -> Window:
    """A square around the face, as far as it lies in the picture."""
    assert view.landmarks is not None
    low, high = view.landmarks[:, :2].min(0), view.landmarks[:, :2].max(0)
    x, y = (low + high) / 2
    reach = (0.5 + _PORTRAIT_MARGIN) * float((high - low).max())
    return Window(int(x - reach), int(y - reach), int(x + reach) + 1, int(y + reach) + 1).clipped(view.size)


def _portrait(rgb: Rgb) -> np.ndarray:
    """The picture, shrunk to at most 160 pixels."""
    scale = min(1.0, _PORTRAIT_SIDE / max(rgb.shape[:2]))
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _appearance(views: list[_GoodView], identifier: FaceIdentifier | None) -> FaceAppearance:
    best = max(views, key=lambda view: view.value)

    def known(embedding: np.ndarray | None, spread: float = 0.0, why: str = "") -> FaceAppearance:
        return FaceAppearance(embedding, spread, best.frame, best.window, best.portrait, best.value, why)

    if identifier is None:
        return known(None, why="the model that recognises faces is not here")
    if max(view.eyes for view in views) < SMALLEST_KNOWN:
        return known(None, why="the face is too small")
    if min(abs(view.yaw) for view in views) > _TURNED:
        return known(None, why="the face is always turned away")
    good = [view for view in views if view.value >= _GOOD_PART * best.value and abs(view.yaw) <= _TURNED]
    embeddings = identifier.embed([view.chip for view in good or [best]])
    return known(*robust_mean(embeddings))


def robust_mean(embeddings: Float32[np.ndarray, "views 128"]) -> tuple[np.ndarray, float]:
    """The mean of the embeddings without those far from their median, and the mean distance of the rest from it."""
    away = np.linalg.norm(embeddings - np.median(embeddings, 0), axis=1)
    kept = embeddings[away <= max(_STRAY, float(np.median(away)))]
    mean = kept.mean(0)
    return mean, float(np.linalg.norm(kept - mean, axis=1).mean())
