"""The best views of a track: few, spread, frontal, and bounded however long it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_faces import placed

from lipdub.faces.best_views import MOST_VIEWS, BestViews, FaceAppearance, robust_mean
from lipdub.faces.identity import FaceIdentifier
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Rgb, Window

SIZE = (640, 360)
PICTURE = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)


class Counting(FaceIdentifier):
    """Embeds every chip as a point near the origin; counts the chips."""

    def __init__(self) -> None:
        self.chips = 0

    def embed(self, chips: "list[Rgb]") -> np.ndarray:
        self.chips += len(chips)
        return np.full((len(chips), 128), 0.01, np.float32)


def view(index: int, yaw: float = 0.0, scale: float = 60.0) -> FaceView:
    def pixels(window: Window) -> Rgb:
        assert 0 <= window.left < window.right <= SIZE[0]
        assert 0 <= window.top < window.bottom <= SIZE[1]
        return PICTURE[window.top : window.bottom, window.left : window.right]

    return FaceView(index, SIZE, placed(320, 150, scale, yaw=np.radians(yaw)), pixels)


def appearance(views: list[FaceView], identifier: FaceIdentifier | None = None) -> FaceAppearance:
    best = BestViews(identifier or Counting())
    for each in views:
        assert best.see([(7, each)]) == []
    ((track, found),) = best.finish()
    assert track == 7
    return found


@given(st.integers(1, 1500))
def test_a_track_of_any_length_has_few_views(length: int) -> None:
    counting = Counting()
    views = [view(i) if i % 40 == 0 else FaceView(i, SIZE, None, view(0).pixels) for i in range(0, 3 * length, 3)]
    appearance(views, counting)
    assert 1 <= counting.chips <= MOST_VIEWS
    assert counting.chips >= min(MOST_VIEWS // 2, len({i // 120 for i in range(0, 3 * length, 3)}))


def test_a_frontal_view_is_the_portrait() -> None:
    found = appearance([view(i, yaw=abs(i - 30)) for i in range(61)])
    assert abs(found.frame - 30) <= 6
    assert found.embedding is not None
    assert max(found.portrait.shape[:2]) <= 160
    assert found.window.left < 300 < 340 < found.window.right


def test_a_track_that_ends_is_told_at_once() -> None:
    best = BestViews(Counting())
    best.see([(1, view(0)), (2, view(0))])
    ((track, _),) = best.see([(2, view(1))])
    assert track == 1
    assert [track for track, _ in best.finish()] == [2]


@pytest.mark.parametrize(
    ("views", "identifier", "why"),
    [
        ([view(i, scale=15) for i in range(9)], Counting(), "too small"),
        ([view(i, yaw=70) for i in range(9)], Counting(), "turned away"),
        ([view(i) for i in range(9)], None, "not here"),
    ],
)
def test_what_is_not_known_is_told(views: list[FaceView], identifier: FaceIdentifier | None, why: str) -> None:
    best = BestViews(identifier)
    for each in views:
        best.see([(7, each)])
    ((_, found),) = best.finish()
    assert found.embedding is None
    assert why in found.why


def test_a_track_without_a_face_has_no_appearance() -> None:
    best = BestViews(Counting())
    best.see([(1, FaceView(0, SIZE, None, view(0).pixels))])
    assert best.finish() == []


def test_a_stray_view_does_not_move_the_mean() -> None:
    embeddings = np.zeros((5, 128), np.float32)
    embeddings[:, 0] = [0.1, 0.0, 0.05, 0.0, 3.0]
    mean, spread = robust_mean(embeddings)
    assert mean[0] < 0.06
    assert spread < 0.1
