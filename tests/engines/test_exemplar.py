"""What the exemplar engine does, module by module."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import FIRST, Drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lipdub.anatomy.pose import Poses
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.exemplar import (
    blend,
    crop_collector,
    crop_file,
    exemplar_choice,
    exemplar_plan,
    library,
    mouth_masks,
    person_pool,
    stored_study,
    warp,
)
from lipdub.engines.exemplar.engine import ExemplarEngine, ExemplarOptions
from lipdub.engines.exemplar.opened_studies import OpenedStudies
from lipdub.engines.exemplar.shape_model import (
    LandmarkNormalEquations,
    complete_shapes,
    fit_basis,
    limit_shapes,
    normal_equations,
    pooled_shapes,
)
from lipdub.engines.seam import Guide
from lipdub.errors import InputError
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Window
from lipdub.train import shapes


def study_of(clip: Drawn, folder: Path, options: ExemplarOptions = ExemplarOptions(), redetect=None, usable=None):
    study = ExemplarEngine(options).study(folder, redetect)
    for view in clip.views():
        study.see(view)
    return study, study.finish(clip.motion, clip.motion.ok if usable is None else usable)


# ---- how a face moves


def test_the_shape_model_gives_exactly_the_wanted_shape(tmp_path):
    motion = Drawn(tmp_path).motion
    basis = fit_basis(normal_equations(motion, np.flatnonzero(motion.ok)), pooled_shapes().sums)
    assert np.allclose(mouth_shape(basis), np.eye(6), atol=1e-9)


def test_without_own_frames_the_pooled_shapes_are_enough():
    basis = fit_basis(LandmarkNormalEquations(np.zeros((6, 6)), np.zeros((6, 1434))), pooled_shapes().sums)
    lower, upper = basis[AP, 14, 1], basis[AP, 13, 1]
    assert lower - upper == pytest.approx(1, abs=0.2)
    assert np.abs(basis).max() < 3


def test_the_pooled_shapes_are_of_several_people_and_plausible():
    people = pooled_shapes()
    assert people.people >= 5
    assert 0 <= people.low[AP] < 0.03
    assert 0.1 < people.high[AP] < 0.3


def test_missing_numbers_are_filled_and_given_ones_kept():
    rng = np.random.default_rng(0)
    own = rng.normal([0.05, 0.8, 0.54, 1.35, -0.2, 0.19], 0.02, (50, 6))
    own[:, 3] = 1.3 + own[:, AP]
    wanted = np.full((3, 6), np.nan)
    wanted[:, AP] = [0.0, 0.1, 0.05]
    wanted[2] = own[7]
    full = complete_shapes(wanted, own, pooled_shapes().covariance)
    assert np.isfinite(full).all()
    assert np.array_equal(full[:2, AP], [0.0, 0.1])
    assert np.array_equal(full[2], own[7])
    assert full[1, 3] > full[0, 3] + 0.03, "a wider mouth takes the jaw along"


@given(arrays(np.float64, (4, 6), elements=st.floats(-2, 3)))
def test_limits_keep_targets_near_the_library(targets):
    own = np.random.default_rng(1).normal([0.05, 0.8, 0.54, 1.35, -0.2, 0.19], 0.02, (60, 6))
    out = limit_shapes(targets, own, np.zeros(6))
    assert out[:, AP].max() <= np.percentile(own[:, AP], 99) * 1.35 + 0.015 + 1e-9
    assert out[:, AP].min() >= -0.005 - 1e-9
    assert (np.abs(out - own.mean(0)) < 0.2).all()
    assert np.allclose(limit_shapes(own[:4], own, np.zeros(6)), own[:4], atol=0.03)


def test_people_have_equal_weight_in_the_pool(tmp_path):
    one, other = (shapes.measure_person(Drawn(tmp_path / str(n), frames=n).motion) for n in (20, 40))
    pool = shapes.pool_people([one, other])
    shapes.save(pool, tmp_path / "pool.npz")
    with np.load(tmp_path / "pool.npz") as kept:
        assert int(kept["people"]) == 2
        assert np.allclose(kept["normal"], one.sums.normal + other.sums.normal, atol=1e-6)
        assert np.allclose(kept["high"], (one.high + other.high) / 2, atol=1e-6)


# ---- warps


def test_a_spline_moves_its_points_and_nothing_for_no_moves():
    points = np.random.default_rng(2).uniform(0, 200, (30, 2))
    moves = np.stack([0.1 * points[:, 1], -0.05 * points[:, 0]], -1)
    field = warp.ThinPlateSpline(points, moves, 100.0)
    assert np.abs(field.at(points) - moves).max() < 0.05
    assert np.abs(warp.ThinPlateSpline(points, np.zeros((30, 2)), 100.0).at(points)).max() == 0


def test_a_grid_spreads_its_cells_over_every_pixel():
    grid = warp.WarpGrid.over(Window(10, 20, 63, 57), 6.4)
    across, down = np.meshgrid(np.arange(10, 63), np.arange(20, 57))
    for spread, true in zip(grid.planes(grid.centres()), (across, down), strict=True):
        assert np.abs(spread - true).max() < 1e-3
    part = Window(15, 22, 40, 55)
    for coarse, true in zip(grid.coarse_planes(grid.centres(), part, 2), (across, down), strict=True):
        fine = grid.refined(coarse, part, 2)
        assert np.abs(fine - true[2:35, 5:30])[1:-1, 1:-1].max() < 1e-3
        assert np.abs(fine - true[2:35, 5:30]).max() < 0.51
    assert warp.WarpGrid.over(Window(0, 0, 3, 2), 9.0).planes(np.ones((1, 1), np.float32))[0].shape == (2, 3)


# ---- lips and colours


def _points(tmp_path, row=3):
    return Drawn(tmp_path, side=200).landmarks(row)[:, :2].astype(np.float64)


def test_between_lips_rises_from_the_upper_to_the_lower_lip(tmp_path):
    points = _points(tmp_path)
    window = mouth_masks.window_around(points, 66.0)
    between = mouth_masks.between_lips(points, mouth_masks.MouthAxes.of(points), window)

    def at(x, y):
        return between[round(y) - window.top, round(x) - window.left]

    middle = points[[13, 14]].mean(0)
    assert at(*points[0]) == 0
    assert at(*points[17]) == 1
    assert 0.3 < at(*middle) < 0.7


def test_the_mask_covers_the_lips_and_fades_before_the_nose(tmp_path):
    points = _points(tmp_path)
    window = mouth_masks.window_around(points, 66.0)
    mouth = mouth_masks.MouthMasks.at(points, 66.0, window)
    mask = mouth.mask(-40.0)
    x, y = points[[0, 17, 61, 291]].round().astype(int).T
    assert (mask[y - window.top, x - window.left] > 0.99).all()
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) < 0.01


def test_an_exemplar_is_matched_to_the_colour_of_the_skin(tmp_path):
    points = _points(tmp_path)
    window = mouth_masks.window_around(points, 66.0)
    mouth = mouth_masks.MouthMasks.at(points, 66.0, window)
    skin = np.full((window.height, window.width, 3), (180, 140, 120), np.float32)
    got = blend.match_colour(skin + np.float32(12), skin, mouth, mouth.band())
    assert np.abs(got - skin)[mouth.band() > 0].mean() < 1.5
    assert np.array_equal(blend.match_colour(skin, skin, mouth, mouth.band()), skin)


def test_a_painted_cavity_is_darker_than_the_lips(tmp_path):
    points = _points(tmp_path)
    window = mouth_masks.window_around(points, 66.0)
    mouth = mouth_masks.MouthMasks.at(points, 66.0, window)
    layer = np.full((window.height, window.width, 3), (180, 90, 90), np.float32)
    painted = blend.paint_cavity(layer, mouth, mouth_masks.between_lips(points, mouth.axes, window), 1.0)
    inside = cv2.erode(mouth.inner, np.ones((3, 3), np.uint8)) > 200
    assert painted[inside].mean() < 0.6 * layer.mean()
    assert np.array_equal(painted[mouth.outer == 0][:, 0], layer[mouth.outer == 0][:, 0])


# ---- the library


def test_the_collector_stores_few_crops_in_one_file(tmp_path):
    clip = Drawn(tmp_path / "track", frames=160, side=48)
    collector = crop_collector.CropCollector(tmp_path / "study", 40)
    for view in clip.views():
        collector.add(view)
        assert len(collector.crops) <= 40 + 10 + crop_collector.RUN
    collector.reduce(40)
    assert 40 <= len(collector.crops) < 40 + crop_collector.RUN
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["crops.bin"]
    kept = np.array(sorted(collector.crops))
    assert (np.diff(kept) == 1).mean() > 0.7, "stretches stay whole"
    collector.tidy()
    assert collector.path.stat().st_size == collector.size
    for index, info in collector.crops.items():
        window = info.window
        got = crop_file.CropReader().read(collector.path, info.place, (window.width, window.height))
        assert np.array_equal(got, clip.see(index - FIRST).pixels(window))


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_pictures_are_packed_without_loss(picture):
    size = picture.shape[1], picture.shape[0]
    assert np.array_equal(crop_file.unpack_picture(crop_file.pack_picture(picture), size), picture)


@pytest.mark.parametrize("spoil", ["short", "altered", "gone"])
def test_a_damaged_file_of_crops_is_named(tmp_path, spoil):
    clip = Drawn(tmp_path / "track")
    study, _ = study_of(clip, tmp_path / "study")
    crops = tmp_path / "study" / "crops.bin"
    data = crops.read_bytes()
    crops.unlink()
    if spoil != "gone":
        crops.write_bytes(data[:50] if spoil == "short" else bytes(len(data)))
    with pytest.raises(InputError, match=r"crops\.bin"):
        list(study.render(Guide(clip.other_trajectory()), clip.views()))


def test_the_crops_of_all_tracks_share_one_budget(tmp_path):
    """More and more tracks, but never more bytes; the long track loses most."""
    frames = (120, 20, 20, 20, 20, 20)
    budget, clips = 90_000, [Drawn(tmp_path / f"t{k}", frames=n, side=64) for k, n in enumerate(frames)]
    engine = ExemplarEngine(ExemplarOptions(disk=budget))
    studies = [engine.study(tmp_path / f"study-{n}") for n in range(len(clips))]
    files = [tmp_path / f"study-{n}" / "crops.bin" for n in range(len(clips))]
    most = 0
    for study, clip in zip(studies, clips, strict=True):
        for view in clip.views():
            study.see(view)
            most = max(most, sum(file.stat().st_size for file in files if file.exists()))
    counts = [
        study.finish(clip.motion, clip.motion.ok).figures["exemplars"]
        for study, clip in zip(studies, clips, strict=True)
    ]
    assert sum(file.stat().st_size for file in files) <= budget
    assert most <= 1.25 * budget + len(clips) * (1 << 16)
    assert counts[0] < 90
    assert min(counts[1:]) >= 10
    assert any(isinstance(a, Patch) for a in studies[0].render(Guide(clips[0].other_trajectory()), clips[0].views()))


def test_a_shot_takes_its_share_of_the_disk(tmp_path):
    engine, clips = ExemplarEngine(), [Drawn(tmp_path / f"t{k}", frames=n, side=64) for k, n in enumerate((80, 20))]
    studies = [engine.study(tmp_path / "shot" / f"study-{n}") for n in range(2)]
    for study, clip in zip(studies, clips, strict=True):
        for view in clip.views():
            study.see(view)
    engine.limit_disk(tmp_path / "elsewhere", 0.0)
    engine.limit_disk(tmp_path / "shot", 60_000 / ExemplarOptions().disk)
    counts = [
        study.finish(clip.motion, clip.motion.ok).figures["exemplars"]
        for study, clip in zip(studies, clips, strict=True)
    ]
    assert sum(file.stat().st_size for file in tmp_path.rglob("crops.bin")) <= 60_000
    assert counts[1] == 20
    assert 10 <= counts[0] < 80


def test_a_budget_that_is_not_reached_changes_nothing(tmp_path):
    clip = Drawn(tmp_path / "track")
    for n, options in enumerate((ExemplarOptions(), ExemplarOptions(disk=10_000_000))):
        study_of(clip, tmp_path / f"study-{n}", options)
    assert (tmp_path / "study-0" / "crops.bin").read_bytes() == (tmp_path / "study-1" / "crops.bin").read_bytes()


def test_farthest_points_contain_the_extremes():
    rng = np.random.default_rng(3)
    features = rng.normal(0, 1, (500, 11))
    features[321] = 40
    chosen = crop_collector.farthest_points(np.arange(500), features, 60)
    assert 321 in chosen
    assert 60 <= len(chosen) < 60 + crop_collector.RUN


def test_a_library_option_limits_the_study(tmp_path):
    clip = Drawn(tmp_path / "track")
    study, facts = study_of(clip, tmp_path / "study", ExemplarOptions(library=20))
    assert 20 <= facts.figures["exemplars"] < 20 + crop_collector.RUN
    assert len(list(study.render(Guide(clip.other_trajectory()), clip.views()))) == clip.frames


def test_only_usable_frames_become_exemplars(tmp_path):
    clip = Drawn(tmp_path / "track")
    usable = np.arange(clip.frames) < 15
    study_of(clip, tmp_path / "study", usable=usable)
    assert list(stored_study.load_study(tmp_path / "study").library.rows) == list(range(15))
    assert len(stored_study.load_study(tmp_path / "study").library.places) == 15


# ---- choosing


def _library(shapes: np.ndarray, seed: int = 0) -> library.ExemplarLibrary:
    n = len(shapes)
    thumbs = np.random.default_rng(seed).integers(0, 255, (n, 32, 40, 3)).astype(np.uint8)
    return library.ExemplarLibrary(
        rows=np.arange(n),
        boxes=np.zeros((n, 4), np.int64),
        places=np.zeros((n, 2), np.int64),
        shapes=shapes,
        poses=Poses(np.full(n, 100.0), np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))),
        angles=np.zeros((n, 3)),
        faces=np.zeros((n, 3, 3), np.float32),
        light=np.full(n, 120.0),
        speed=np.gradient(shapes[:, AP]) if n > 1 else np.zeros(n),
        detail=np.ones(n),
        thumbs=thumbs,
        study=np.zeros(n, np.int64),
        filmed=shapes,
        gains=np.ones((n, 3)),
        away=np.zeros(n),
        blur=np.zeros(n),
        files=(Path("crops.bin"),),
    )


def _targets(shapes: np.ndarray, closed: float = 0.0) -> exemplar_choice.TargetFrames:
    n = len(shapes)
    return exemplar_choice.TargetFrames(
        shapes,
        np.full(n, closed, np.float32),
        np.ones(n, bool),
        np.zeros((n, 3)),
        np.full(n, 100.0),
        np.full(n, 120.0),
    )


def _shapes(apertures) -> np.ndarray:
    shapes = np.tile([0.0, 0.8, 0.54, 1.35, -0.2, 0.19], (len(apertures), 1))
    shapes[:, AP] = apertures
    return shapes


def test_for_filmed_shapes_the_same_frames_are_chosen():
    shapes = _shapes(0.07 + 0.06 * np.sin(np.arange(60) * 0.4) + 0.01 * np.cos(np.arange(60) * 0.13))
    got = exemplar_choice.choose_exemplars(_targets(shapes[10:40]), _library(shapes))
    assert list(got.first) == list(range(10, 40))
    assert (got.second == -1).all()


def test_the_path_is_the_cheapest():
    shapes = _shapes([0.0, 0.05, 0.1, 0.03])
    held, targets = _library(shapes), _targets(_shapes([0.09, 0.01, 0.06, 0.04]))
    got = exemplar_choice.choose_exemplars(targets, held)
    speed = np.gradient(targets.shapes[:, AP])
    own = np.stack([exemplar_choice.row_cost(targets, float(speed[t]), t, held) for t in range(4)])
    follower = exemplar_choice.followers(held)
    step = exemplar_choice._step_cost(np.arange(4), np.arange(4), held, follower)

    def cost(way):
        return sum(own[t, e] for t, e in enumerate(way)) + sum(step[a, b] for a, b in itertools.pairwise(way))

    best = min(itertools.product(range(4), repeat=4), key=cost)
    assert cost(tuple(got.first)) == pytest.approx(cost(best))


def test_a_closure_gets_an_exemplar_with_closed_lips():
    apertures = np.tile([0.05, 0.04, 0.03, 0.001, 0.03, 0.05], 4)
    shapes = _shapes(apertures)
    shapes[:, 2] += np.where(apertures < 0.01, 0.06, 0)  # the closed ones suit less otherwise
    got = exemplar_choice.choose_exemplars(_targets(_shapes([0.01] * 5), closed=1.0), _library(shapes))
    assert (apertures[got.first] < 0.02).all()


def test_joins_are_mixed_and_rows_without_need_get_no_exemplar():
    shapes = _shapes(np.linspace(0, 0.2, 50))
    targets = _targets(_shapes([0.01] * 6 + [0.19] * 6))
    targets.needed[3] = False
    got = exemplar_choice.choose_exemplars(targets, _library(shapes))
    assert got.first[3] == -1
    joins = [t for t in range(5, 12) if abs(int(got.first[t]) - int(got.first[t - 1])) > 2]
    assert joins
    for t in joins:
        assert got.second[t] >= 0
        assert 0 < got.share[t] < 0.5


def test_the_side_counts_more_the_further_a_head_is_turned():
    def cost_of_seven_degrees(yaw: float) -> float:
        shapes = _shapes([0.05, 0.05])
        held, targets = _library(shapes), _targets(shapes[:1])
        held.angles[:, 0], targets.angles[:, 0] = [yaw, yaw - 7], yaw
        same, turned = exemplar_choice.row_cost(targets, 0.0, 0, held)
        return float(turned - same)

    assert cost_of_seven_degrees(0) == pytest.approx(cost_of_seven_degrees(-20)) == pytest.approx(1)
    assert cost_of_seven_degrees(30) > 1.5
    assert cost_of_seven_degrees(-40) == pytest.approx(4)


# ---- several shots of one person


def _cost(held: library.ExemplarLibrary, shape: np.ndarray) -> np.ndarray:
    return exemplar_choice.row_cost(_targets(shape[None]), 0.0, 0, held)


def _in_two_shots(shapes: np.ndarray, **other) -> library.ExemplarLibrary:
    """The same mouths in the own shot and in another one, which differs by ``other``."""
    both, speed = _library(np.concatenate([shapes, shapes])), np.tile(np.gradient(shapes[:, AP]), 2)
    study = np.repeat([0, 1], len(shapes))
    changes = {name: np.where(study > 0, value, getattr(both, name)) for name, value in other.items()}
    scale = changes.pop("scale", both.poses.scale)
    poses = replace(both.poses, scale=np.asarray(scale, np.float64))
    return replace(
        both, study=study, rows=np.arange(len(both)) + study * library.APART, poses=poses, speed=speed, **changes
    )


@pytest.mark.parametrize("other", [{"away": 1.0}, {"scale": 60.0}, {"blur": 0.3}, {"scale": 160.0}])
def test_a_mouth_of_the_own_shot_is_preferred_to_an_equal_one(other):
    shapes = _shapes([0.0, 0.05, 0.1])
    costs = _cost(_in_two_shots(shapes, **other), shapes[1])
    assert costs[1] < costs[4]


def test_an_enlarged_mouth_costs_more_than_a_reduced_one():
    shapes = _shapes([0.0, 0.05, 0.1])
    small, large = (_cost(_in_two_shots(shapes, scale=s), shapes[1])[4] for s in (60.0, 100.0 / 0.6))
    assert small > large + 2


def test_the_own_mouths_cost_what_they_cost_alone():
    shapes = _shapes([0.0, 0.05, 0.1])
    alone, pooled = _cost(_library(shapes), shapes[1]), _cost(_in_two_shots(shapes, away=1.0), shapes[1])
    assert np.array_equal(alone, pooled[:3])


def _shots(tmp_path, widest=(0.02, 0.2), frames=(12, 60), **options):
    """Two shots of one drawn face, and its folders: the first shows little."""
    clips = [
        Drawn(tmp_path / f"shot-{n}", frames=f, side=240, widest=w, first=FIRST + 1000 * n)
        for n, (w, f) in enumerate(zip(widest, frames, strict=True))
    ]
    folders = [tmp_path / f"study-{n}" for n in range(len(clips))]
    for clip, folder in zip(clips, folders, strict=True):
        study_of(clip, folder, ExemplarOptions(**options))
    return clips, folders


def test_a_short_shot_shows_what_the_person_shows_elsewhere(tmp_path):
    clips, folders = _shots(tmp_path)
    shapes = clips[0].own_trajectory().shapes + np.array([0.14, 0, 0, 0.1, 0, 0], np.float32)
    trajectory = MouthTrajectory(shapes, np.ones(12, np.float32), np.zeros(12, np.float32))

    def dark(same_person) -> int:
        study = ExemplarEngine(ExemplarOptions(cavity=False)).study(folders[0], same_person=same_person)
        made = [a for a in study.render(Guide(trajectory), clips[0].views()) if isinstance(a, Patch)]
        return sum(int((a.pixels.astype(int).sum(-1) < 200).sum()) for a in made)

    assert dark([folders[1]]) > 1.3 * dark([])


def test_facts_of_the_person_replace_those_of_the_shot(tmp_path):
    _, folders = _shots(tmp_path, frames=(8, 60))
    alone = ExemplarEngine().study(folders[0]).pooled_facts()
    pooled = ExemplarEngine().study(folders[0], same_person=[folders[1]]).pooled_facts()
    assert any("of this shot" in note for note in alone.notes)
    assert any("never opens" in note for note in alone.notes)
    assert not any("of this shot" in note or "never opens" in note for note in pooled.notes)
    assert pooled.coverage > alone.coverage


def test_the_pool_of_a_person_is_limited_and_kept(tmp_path):
    _, folders = _shots(tmp_path, frames=(40, 80), library=50)
    pool = person_pool.find_pool(folders, 50)
    assert 50 <= len(pool.study) < 50 + crop_collector.RUN
    (kept,) = (folders[0] / "pools").iterdir()
    again = person_pool.find_pool(folders, 50)
    assert np.array_equal(again.study, pool.study)
    assert all(np.array_equal(again.chosen[name], values) for name, values in pool.chosen.items())
    kept.write_bytes(b"damaged")
    assert np.array_equal(person_pool.find_pool(folders, 50).study, pool.study)


def test_a_pool_does_not_outlive_its_studies(tmp_path):
    clips, folders = _shots(tmp_path)
    person_pool.find_pool(folders, 50)
    study_of(clips[1], folders[1], usable=np.arange(60) < 20)
    assert (person_pool.find_pool(folders, 50).study == 1).sum() == 20
    assert len(list((folders[0] / "pools").iterdir())) == 1


def test_mouths_of_another_shot_get_the_colours_of_the_own_one(tmp_path):
    clips, folders = _shots(tmp_path)
    dim = _Dimmed(tmp_path / "dim", frames=60, side=240, widest=0.2, first=FIRST + 1000)
    study_of(dim, folders[1])
    study = OpenedStudies().open(folders[0], [folders[1]], 1500)
    other = int(np.flatnonzero(study.library.study)[0])
    crop = study.library.mouth(other, crop_file.CropReader(), study.geometry.unit(0)).crop
    row = int(study.library.rows[other] - library.APART) - dim.first
    bright = clips[1].see(row).pixels(crop.window).astype(float)
    filmed = dim.see(row).pixels(crop.window).astype(float)
    assert np.abs(crop.pixels - bright).mean() < 0.35 * np.abs(filmed - bright).mean()
    assert study.library.away[other] > 1.5


class _Dimmed(Drawn):
    """The same face with less light."""

    def picture(self, row: int) -> np.ndarray:
        return (super().picture(row) * 0.7).astype(np.uint8)


def test_the_distances_of_a_pooled_library_are_those_of_its_thumbnails(tmp_path):
    _, folders = _shots(tmp_path)
    held = OpenedStudies().open(folders[0], [folders[1]], 1500).library
    assert held.known is not None
    assert np.allclose(held.distances, library.thumbnail_distances(held.thumbs), atol=2e-3)


# ---- a whole study


def test_apertures_follow_the_trajectory(tmp_path):
    clip = Drawn(tmp_path / "track", side=240)
    study, _ = study_of(clip, tmp_path / "study", usable=np.arange(clip.frames) % 3 > 0)
    trajectory = clip.other_trajectory()
    got, asked = [], []
    for answer in study.render(Guide(trajectory), clip.views()):
        if isinstance(answer, Patch):
            row = answer.index - FIRST
            points = clip.landmarks(row)[[61, 291, 0, 17], :2]
            left, top = points.min(0).astype(int) - [answer.window.left, answer.window.top]
            right, bottom = points.max(0).astype(int) - [answer.window.left, answer.window.top]
            mouth = answer.pixels[top - 4 : bottom + 14, left:right].astype(int).sum(-1)
            got.append(int((mouth < 200).sum()))
            asked.append(float(trajectory.shapes[row, AP]))
    assert np.corrcoef(got, asked)[0, 1] > 0.9, "dark pixels between the lips grow with the aperture"


def test_weights_between_zero_and_one_change_less(tmp_path):
    clip = Drawn(tmp_path / "track")
    study, _ = study_of(clip, tmp_path / "study")

    def change(weight):
        answers = study.render(Guide(clip.other_trajectory(weight)), clip.views(10, 20))
        return sum(np.abs(a.pixels.astype(int) - a.base).sum() for a in answers if isinstance(a, Patch))

    assert 0 < change(0.3) < 0.6 * change(1.0)


def patches(answers: Iterable[Patch | Passthrough]) -> list[Patch]:
    """``answers``, all of which are patches."""
    made = []
    for answer in answers:
        assert isinstance(answer, Patch)
        made.append(answer)
    return made


@dataclass(frozen=True)
class Doubled(Drawn):
    """A drawn clip in which some rows show the picture of the row before; landmarks are found a little elsewhere."""

    repeats: frozenset[int] = frozenset(range(3, 40, 4))

    def picture(self, row: int) -> np.ndarray:
        return super().picture(row - 1 if row in self.repeats else row)

    def landmarks(self, row: int) -> np.ndarray:
        points = super().landmarks(row - 1 if row in self.repeats else row)
        return points + np.float32(0.2) if row in self.repeats else points

    @cached_property
    def track(self) -> FaceTrack:
        changes = np.where(np.isin(np.arange(self.frames), list(self.repeats)), 0, 3).astype(np.float32)
        return replace(super().track, changes=changes)


def test_the_mouth_is_held_where_the_film_repeats_a_picture(tmp_path):
    clip = Doubled(tmp_path / "track")
    study, _ = study_of(clip, tmp_path / "study", redetect=lambda picture, near: near)
    trajectory = clip.other_trajectory()
    answers = patches(study.render(Guide(trajectory), clip.views()))
    for row in clip.repeats:
        before, held = answers[row - 1], answers[row]
        assert held.index == FIRST + row
        assert held.window == before.window
        assert np.array_equal(held.pixels, before.pixels)
        assert np.array_equal(held.mask, before.mask)
    assert not np.array_equal(answers[1].base, answers[2].base)
    (alone,) = patches(study.render(Guide(trajectory), clip.views(7, 8)))
    assert np.array_equal(alone.pixels, answers[7].pixels), "also if the views begin with it"


def test_a_turned_head_stays_as_filmed(tmp_path):
    clip = Drawn(tmp_path / "track")
    study_of(clip, tmp_path / "study")
    study = stored_study.load_study(tmp_path / "study")
    study.angles[20:30, 0] += 30
    turned = exemplar_plan.plan_track(clip.other_trajectory(), study, False)
    assert turned.turned[20:30].all()
    assert (turned.weight[18:32] == 0).all()
    assert 0 < turned.weight[16] < 1
    assert turned.weight[10] == 1


@pytest.mark.parametrize(
    ("yaw", "others", "made"),
    [(30, 12, True), (38, 30, True), (38, 26, False), (41, 40, False)],
    ids=["less far, from 18 degrees", "far, from 8 degrees", "far, from 12 degrees", "too far"],
)
def test_a_head_that_is_turned_far_needs_mouths_of_its_own_side(tmp_path, yaw, others, made):
    clip = Drawn(tmp_path / "track")
    study_of(clip, tmp_path / "study")
    study = stored_study.load_study(tmp_path / "study")
    study.angles[:], study.library.angles[:] = (yaw, 0, 0), (others, 0, 0)
    planned = exemplar_plan.plan_track(clip.other_trajectory(), study, False)
    assert planned.turned.any() != made
    assert planned.weight.any() == made


def test_without_exemplars_every_frame_stays_with_a_reason(tmp_path):
    clip = Drawn(tmp_path / "track", frames=6)
    study, facts = study_of(clip, tmp_path / "study", usable=np.zeros(6, bool))
    assert facts.coverage == 0
    answers = list(study.render(Guide(clip.other_trajectory()), clip.views()))
    assert all(isinstance(a, Passthrough) and a.reason for a in answers)


def test_a_mouth_that_never_opens_gets_a_painted_cavity_and_a_note(tmp_path):
    clip = Drawn(tmp_path / "track", frames=8, widest=0.0, side=240)
    study, facts = study_of(clip, tmp_path / "study")
    assert "never opens" in facts.notes[0]
    shapes = clip.own_trajectory().shapes + np.array([0.08, 0, 0, 0.05, 0, 0], np.float32)
    trajectory = MouthTrajectory(shapes, np.ones(8, np.float32), np.zeros(8, np.float32))
    painted = next(iter(study.render(Guide(trajectory), clip.views())))
    plain_study = ExemplarEngine(ExemplarOptions(cavity=False)).study(tmp_path / "study")
    plain = next(iter(plain_study.render(Guide(trajectory), clip.views())))
    assert isinstance(painted, Patch)
    assert isinstance(plain, Patch)
    assert (painted.pixels.sum(-1) < 220).sum() > (plain.pixels.sum(-1) < 220).sum() + 50


def test_missing_numbers_in_a_trajectory_are_filled(tmp_path):
    clip = Drawn(tmp_path / "track", frames=12)
    study, _ = study_of(clip, tmp_path / "study")
    trajectory = clip.other_trajectory()
    trajectory.shapes[:, 1:] = np.nan
    assert any(isinstance(a, Patch) for a in study.render(Guide(trajectory), clip.views()))


def test_closures_that_are_measured_open_are_corrected(tmp_path):
    clip = Drawn(tmp_path / "track", frames=16, side=240)
    asked = []

    def redetect(picture, near):
        asked.append(picture.shape)
        opened = near.copy()
        opened[[14, 87, 317, 178, 402], 1] += 4
        return opened

    study, _ = study_of(clip, tmp_path / "study", redetect=redetect)
    closed = clip.own_trajectory().shapes.copy()
    closed[:, AP] = 0
    trajectory = MouthTrajectory(closed, np.ones(16, np.float32), np.ones(16, np.float32))
    seen = [a for a in study.render(Guide(trajectory), clip.views()) if isinstance(a, Patch)]
    blind = ExemplarEngine().study(tmp_path / "study")
    unseen = [a for a in blind.render(Guide(trajectory), clip.views()) if isinstance(a, Patch)]
    assert len(asked) == len(seen)
    assert any(not np.array_equal(a.pixels, b.pixels) for a, b in zip(seen, unseen, strict=True))


def test_after_clearly_closed_lips_an_odd_frame_is_not_measured(tmp_path):
    clip = Drawn(tmp_path / "track", frames=16, side=240)
    nearest = []

    def redetect(picture, near):
        nearest.append(near)
        shut = near.copy()
        middle = (near[[13, 82, 312, 81, 311], :2] + near[[14, 87, 317, 178, 402], :2]) / 2
        shut[[13, 82, 312, 81, 311], :2] = shut[[14, 87, 317, 178, 402], :2] = middle
        return shut

    study, _ = study_of(clip, tmp_path / "study", redetect=redetect)
    closed = clip.own_trajectory().shapes.copy()
    closed[:, AP] = 0
    trajectory = MouthTrajectory(closed, np.ones(16, np.float32), np.ones(16, np.float32))
    seen = [a for a in study.render(Guide(trajectory), clip.views()) if isinstance(a, Patch)]
    rows = {a.index - FIRST for a in seen}
    assert len(nearest) == sum(row % 2 == 0 or row - 1 not in rows for row in rows) < len(rows)
    for near in nearest:
        gap = np.abs(near[[13, 82, 312], 1] - near[[14, 87, 317], 1]).max()
        assert gap < 0.05 * np.linalg.norm(near[33, :2] - near[263, :2]), "it is looked for where it should be"


@settings(max_examples=8, deadline=None)
@given(shift=st.tuples(st.integers(-150, 150), st.integers(-150, 150)))
def test_faces_at_the_edge_of_the_picture_give_valid_windows(tmp_path_factory, shift):
    folder = tmp_path_factory.mktemp("edge")
    clip = _ShiftedClip(folder / "track", frames=4, shift=shift)
    study, _ = study_of(clip, folder / "study")
    for answer in study.render(Guide(clip.other_trajectory()), clip.views()):
        if isinstance(answer, Patch):
            assert answer.window.clipped((clip.side, clip.side)) == answer.window


class _ShiftedClip(Drawn):
    def __init__(self, folder: Path, frames: int, shift: tuple[int, int]) -> None:
        super().__init__(folder, frames=frames)
        object.__setattr__(self, "shift", shift)

    def landmarks(self, row: int) -> np.ndarray:
        return super().landmarks(row) + np.array([*self.shift, 0], np.float32)  # type: ignore[attr-defined]


class _Held(Drawn):
    """The drawn face with a dark thing before the lower half of its mouth, in every row."""

    def thing(self, row: int, window: Window) -> np.ndarray:
        """1 on the thing (display pixels of ``window``), falling to 0 around it."""
        x, y = self.landmarks(row)[14, :2]
        across, down = np.mgrid[window.left : window.right, window.top : window.bottom] + 0.5
        away = np.maximum(np.abs(across - x) - 9, y - down).T
        return np.clip(1 - away / 4, 0, 1).astype(np.float32)

    def picture(self, row: int) -> np.ndarray:
        picture = super().picture(row)
        picture[self.thing(row, Window(0, 0, self.side, self.side)) == 1] = (40, 45, 70)
        return picture

    def see(self, row: int) -> FaceView:
        return replace(super().see(row), occluder=lambda window: self.thing(row, window))


def test_what_is_before_the_mouth_stays_as_filmed(tmp_path):
    clear = Drawn(tmp_path / "clear")
    study, _ = study_of(clear, tmp_path / "study")
    held = _Held(tmp_path / "held")
    shapes = clear.own_trajectory().shapes.copy()
    shapes[:, AP] = np.roll(shapes[:, AP], 6)
    guide = Guide(trajectory=MouthTrajectory(shapes, np.ones(40, np.float32), np.zeros(40, np.float32)))
    views = list(held.views())
    changed = 0
    for view, answer in zip(views, study.render(guide, views), strict=True):
        if not isinstance(answer, Patch):
            continue
        thing = held.thing(view.index - FIRST, answer.window)
        np.testing.assert_array_equal(answer.pixels[thing == 1], answer.base[thing == 1])
        assert not answer.mask[thing == 1].any()
        changed += int((np.abs(answer.pixels.astype(int) - answer.base)[thing == 0] > 8).any())
        now, was = (p[..., 2].astype(int) > p[..., 0] for p in (answer.pixels, answer.base))
        assert not (now & ~was & (thing == 0)).any(), "something of it is drawn beside it"
    assert changed > 20
