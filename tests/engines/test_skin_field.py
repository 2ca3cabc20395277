"""How filmed skin is displaced: with the jaw on the face, not beside it, and never beyond the picture."""

import numpy as np
import pytest
from drawn import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.engines.exemplar import blend, stored_study
from lipdub.engines.exemplar.engine import ExemplarEngine
from lipdub.engines.exemplar.geometry import FaceGeometry
from lipdub.engines.exemplar.skin_field import SkinField, _keep_inside
from lipdub.engines.exemplar.warp import WarpGrid
from lipdub.timeline.mouth import AP, JAW
from lipdub.timeline.picture import Window

SIDE = 480
ROW = 3


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> stored_study.StoredStudy:
    folder = tmp_path_factory.mktemp("skin")
    clip = Drawn(folder / "track", frames=8, side=SIDE)
    made = ExemplarEngine().study(folder / "study")
    for view in clip.views():
        made.see(view)
    made.finish(clip.motion, clip.motion.ok)
    return stored_study.load_study(folder / "study")


def _landmarks(study: stored_study.StoredStudy, drop: float) -> tuple[np.ndarray, np.ndarray]:
    """Where landmarks are, and where they are if the mouth opens and the chin drops by ``drop`` eye distances."""
    geometry = study.geometry
    step = np.zeros(6)
    step[[AP, JAW]] = drop
    face = geometry.face(ROW)
    now, goal = (geometry.pixels(ROW, f) for f in (face, face + np.tensordot(step, study.basis, 1)))
    return now, goal


def _moves(geometry: FaceGeometry, now: np.ndarray, goal: np.ndarray, size=(SIDE, SIDE)) -> tuple[np.ndarray, Window]:
    """Displacements (height, width, 2) in the part of the picture that may move, and that part."""
    whole = geometry.ellipse(ROW).box.clipped(size)
    field = SkinField.between((geometry, ROW), now, goal, WarpGrid.over(whole, geometry.unit(ROW) / 12))
    window = field.window(whole)
    return np.stack(field.moves(window, size), -1), window


@pytest.mark.parametrize("drop", [0.12, -0.1, 0.03])
def test_the_chin_follows_and_what_is_beside_the_jaw_stays(study, drop):
    now, goal = _landmarks(study, drop)
    unit = study.geometry.unit(ROW)
    move, window = _moves(study.geometry, now, goal)

    def at(point: np.ndarray) -> np.ndarray:
        x, y = np.round(point).astype(int) - [window.left, window.top]
        inside = 0 <= x < window.width and 0 <= y < window.height
        return move[y, x] if inside else np.zeros(2)

    chin = at(goal[152] - [0, 0.04 * unit])
    assert chin[1] == pytest.approx(now[152, 1] - goal[152, 1], rel=0.2), "the chin is where it is asked to be"
    beard = at(goal[152] + [0, 0.08 * unit])
    assert beard[1] == pytest.approx(now[152, 1] - goal[152, 1], rel=0.25), "a beard under the chin moves with it"
    for left, right in ((58, 288), (172, 397), (136, 365)):
        for jaw, away in ((left, -1), (right, 1)):
            beside = at(goal[jaw] + [away * 0.14 * unit, 0])
            assert np.abs(beside).max() < 0.05 * abs(drop) * unit, f"beside landmark {jaw}"


@pytest.mark.parametrize("drop", [0.1, -0.06, -0.1])
def test_below_the_chin_nothing_is_shown_in_wrong_order(study, drop):
    now, goal = _landmarks(study, drop)
    move, window = _moves(study.geometry, now, goal)
    x = round(float(goal[152, 0])) - window.left
    shown = np.arange(window.height) + move[:, x, 1]
    assert np.diff(shown[round(float(goal[152, 1])) - window.top - 5 :]).min() > 0


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(200, SIDE), st.integers(200, SIDE)),
    drop=st.floats(-0.12, 0.15),
)
def test_no_pixel_comes_from_beyond_the_picture(study, size, drop):
    now, goal = _landmarks(study, drop)
    if study.geometry.ellipse(ROW).box.clipped(size).empty:
        return
    move, window = _moves(study.geometry, now, goal, size)
    x = move[..., 0] + np.arange(window.left, window.right)
    y = move[..., 1] + np.arange(window.top, window.bottom)[:, None]
    assert x.min() >= -1e-3
    assert y.min() >= -1e-3
    assert x.max() <= size[0] - 1 + 1e-3
    assert y.max() <= size[1] - 1 + 1e-3


def test_what_counts_at_the_edge_of_the_picture_are_the_moves_towards_it(study):
    moves = np.zeros((100, 3), np.float32)
    moves[:60], moves[60:80] = 40.0, 6.0  # far from the lower edge (row 99) the picture moves much, near it little
    kept = moves.copy()
    _keep_inside(kept, range(100), 100)
    assert (kept[60:80] == 6).all()
    assert (kept[:20] == 40).all()
    assert (np.arange(100)[:, None] + kept).max() <= 99
    _keep_inside(upwards := -moves[::-1].copy(), range(100), 100)
    np.testing.assert_allclose(upwards, -kept[::-1])


def test_nothing_moves_for_the_filmed_shape(study):
    now, _ = _landmarks(study, 0.0)
    geometry = study.geometry
    whole = geometry.ellipse(ROW).box.clipped((SIDE, SIDE))
    field = SkinField.between((geometry, ROW), now, now, WarpGrid.over(whole, geometry.unit(ROW) / 12))
    assert field.still
    assert field.window(Window(1, 2, 3, 4)) == Window(1, 2, 3, 4)


@given(share=st.floats(0, 1))
def test_a_cross_fade_keeps_the_detail_of_a_picture(share):
    rng = np.random.default_rng(3)
    one, other = (rng.normal(level, 20, (40, 50, 3)).astype(np.float32) for level in (90, 150))
    mixed = blend.cross_fade(one, other, share, 100.0)
    assert 17 < mixed.std() < 22, "half of one and half of the other would have 14"
    assert mixed.mean() == pytest.approx(90 + 60 * share, abs=1)
