import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.sound_to_mouth.mouth_trajectory import (
    DubTiming,
    PredictedMouth,
    calibrate,
    closure_times,
    closure_weights,
    map_quantiles,
    predict_mouth,
)
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, learn_speaker, rest_shape
from lipdub.sound_to_mouth.sync import Sync, find_sync
from lipdub.timeline.mouth import AP
from lipdub.timeline.speech_features import SpeechFeatures
from sound_to_mouth.sample_speech import babble, hush, linear_world, mouth, with_closure

PRIOR = linear_world()
WHEN = np.arange(250) / 25
SEEN = np.ones(250, bool)
FEATURES = babble(500, seed=3)
SHAPES = mouth(PRIOR, FEATURES, WHEN)


def source(shapes=SHAPES, features: SpeechFeatures | None = FEATURES, context=SEEN) -> SourceSpeech:
    sync = None if features is None else find_sync(PRIOR, features, WHEN[: len(shapes)], shapes, context)
    return SourceSpeech(features, sync, shapes, SEEN[: len(shapes)], context, WHEN[: len(shapes)])


def predicted(one: SourceSpeech, dub: SpeechFeatures) -> PredictedMouth:
    """The mouth of somebody who is seen in one track."""
    model = learn_speaker(PRIOR, [one], PRIOR.kind(dub))
    return predict_mouth(PRIOR, model, dub, one.seconds, calibrate(PRIOR, model, dub, [one.seconds]))


def test_the_source_speech_gives_the_measured_shapes():
    trajectory = predicted(source(), FEATURES).trajectory
    silent_closings = trajectory.closed == 0
    r = [np.corrcoef(trajectory.shapes[silent_closings, j], SHAPES[silent_closings, j])[0, 1] for j in range(6)]
    assert min(r) > 0.9
    assert np.abs(trajectory.shapes.std(0) / SHAPES.std(0) - 1).max() < 0.2
    assert (trajectory.weight == 1).all()


def test_the_mouth_rests_in_silence():
    result = predicted(source(), hush(500))
    assert np.allclose(result.trajectory.shapes, rest_shape(SHAPES)[0], atol=1e-6)
    assert not result.trajectory.closed.any()


def test_the_mouth_rests_outside_the_dub():
    result = predicted(source(), babble(200, seed=5, start=Fraction(2)))
    rest = rest_shape(SHAPES)[0]
    outside = (WHEN < 1.4) | (WHEN > 6.5)
    assert np.allclose(result.trajectory.shapes[outside], rest, atol=1e-5)
    assert np.abs(result.trajectory.shapes[~outside] - rest).max() > 0.02


def paused(rows: int, first: int, stop: int) -> SpeechFeatures:
    """Speech whose voice is silent in rows ``[first, stop)``, where all else wanders on."""
    dub = babble(rows, seed=5)
    dub.voice_activity[first:stop] = 0
    return dub


def test_without_a_voice_lips_only_close_until_they_rest_and_only_open_until_speech():
    aperture = predicted(source(), paused(500, 150, 250)).trajectory.shapes[:, AP]
    rest = rest_shape(SHAPES)[0][AP]
    closing, opening = (WHEN >= 2.9) & (WHEN <= 3.3), (WHEN >= 4.7) & (WHEN <= 5.0)
    resting = (WHEN > 3.3) & (WHEN < 4.65)
    assert np.diff(np.maximum(aperture[closing], rest)).max() < 1e-6
    assert np.diff(np.maximum(aperture[opening], rest)).min() > -1e-6
    assert np.allclose(aperture[resting], rest, atol=1e-5)
    assert np.diff(aperture[WHEN < 2.9]).max() > 0.01, "speech opens them"


def test_in_a_short_pause_the_mouth_does_not_rest():
    whole = predicted(source(), babble(500, seed=5)).trajectory.shapes
    assert np.allclose(predicted(source(), paused(500, 150, 165)).trajectory.shapes, whole, atol=0.02)


def test_the_mouth_rests_for_an_empty_dub():
    empty = SpeechFeatures(Fraction(0), *(np.zeros(s, np.float32) for s in ((0, 17), (0,), (0, 3))))
    assert np.allclose(predicted(source(), empty).trajectory.shapes, rest_shape(SHAPES)[0], atol=1e-6)


def test_lips_close_for_a_closure_and_reopen():
    dub = with_closure(babble(500, seed=5), 250)
    trajectory = predicted(source(), dub).trajectory
    assert trajectory.closed[125] == 1
    assert trajectory.shapes[125, AP] <= 0.02
    assert not trajectory.closed[:121].any()
    assert not trajectory.closed[130:].any()


@pytest.mark.parametrize("spacing", [0.02, 1 / 24, 0.1])
def test_every_closure_meets_a_frame(spacing):
    when = np.arange(0, 5, spacing)
    for instant in np.linspace(1, 2, 23):
        assert closure_weights(np.array([instant]), when).max() == 1


def peaked(rows: int, purity: float) -> SpeechFeatures:
    """Speech whose phone posteriors are as certain as ``purity``, with one p, b or m of posterior .2 at row 100."""
    phones = np.full((rows, 17), (1 - purity) / 14, np.float32)
    phones[:, 15:] = 0
    phones[:, 0] = 0
    phones[np.arange(rows), 1 + np.arange(rows) // 5 % 14] += purity
    phones[100, 0] = 0.2
    return replace(babble(rows), phone_posteriors=phones)


def test_weak_closures_count_only_where_posteriors_are_uncertain():
    assert len(closure_times(peaked(300, 0.95))) == 0
    assert closure_times(peaked(300, 0.6)) == pytest.approx([2.0])


def test_notes_name_every_fallback():
    def notes(**changes) -> str:
        return " ".join(predicted(source(**changes), FEATURES).notes)

    assert notes() == ""
    assert "no sound" in notes(features=None)
    assert "matched" in notes(features=babble(500, seed=8))
    no_encoder = replace(FEATURES, encoder_features=None)
    assert "phones alone" in " ".join(predicted(source(), no_encoder).notes)
    silent_phones = np.zeros_like(no_encoder.phone_posteriors)
    assert "loudness" in " ".join(predicted(source(), replace(no_encoder, phone_posteriors=silent_phones)).notes)
    assert "encoder alone" in " ".join(predicted(source(), replace(FEATURES, phone_posteriors=silent_phones)).notes)
    assert "never closed" in notes(shapes=SHAPES + np.array([0.2, 0, 0, 0, 0, 0]))


def test_without_source_speech_the_range_is_the_average():
    result = predicted(source(features=None), babble(500, seed=5))
    rest = rest_shape(SHAPES)[0]
    above = result.trajectory.shapes[:, AP] - rest[AP]
    assert np.quantile(above, 0.5) == pytest.approx(float(PRIOR.rise[20, AP]), abs=0.03)


def test_rows_outside_the_context_are_not_learnt_from():
    context = np.arange(250) < 180
    spoiled = SHAPES.copy()
    spoiled[180:] = 99.0
    expected = learn_speaker(PRIOR, [source(context=context)], PRIOR.kind(FEATURES))
    learnt = learn_speaker(PRIOR, [source(shapes=spoiled, context=context)], PRIOR.kind(FEATURES))
    assert np.array_equal(expected.levels, learnt.levels)
    assert expected.residual is not None
    assert learnt.residual is not None
    assert np.array_equal(expected.residual, learnt.residual)


def test_a_face_that_was_never_found_gives_a_finite_trajectory():
    nothing = SourceSpeech(FEATURES, None, np.full((250, 6), np.nan), ~SEEN, SEEN, WHEN)
    assert np.isfinite(predicted(nothing, FEATURES).trajectory.shapes).all()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_shortest_tracks(frames):
    some = SourceSpeech(FEATURES, None, SHAPES[:frames], SEEN[:frames], SEEN[:frames], WHEN[:frames])
    trajectory = predicted(some, FEATURES).trajectory
    assert len(trajectory) == frames
    assert np.isfinite(trajectory.shapes).all()


@pytest.mark.parametrize("frames", [200, 420])  # 341 numbers a row: fewer rows take the dual form, more the primal
def test_what_is_learnt_is_the_ridge_solution_in_either_form(frames):
    no_encoder, when = replace(babble(900, seed=4), encoder_features=None), np.arange(frames) / 25
    true, seen = mouth(linear_world(5), no_encoder, when), np.ones(frames, bool)
    sync = Sync(0.0, 0.9, 0.9, 20.0, True)
    model = learn_speaker(PRIOR, [SourceSpeech(no_encoder, sync, true, seen, seen, when)], "phones")
    assert model.residual is not None
    rows = PRIOR.design(no_encoder, when).astype(np.float64)
    missed = (true - np.median(true, 0)) / (true.std(0) + 1e-6) - PRIOR.predict(no_encoder, when)
    missed -= missed.mean(0)
    gradient = rows.T @ (missed - rows @ model.residual) - 5 * 135 * model.residual  # 5 a row, up to 5.4 s of rows
    assert np.abs(gradient).max() < 2e-3 * np.abs(rows.T @ missed).max()


# ---- one person in several tracks


def tracks_of(shapes=SHAPES, cuts=(90, 160), shifts=(0.0, 0.0, 0.0)) -> list[SourceSpeech]:
    """The same mouth in three shots, measured higher by ``shifts`` in all but the aperture."""
    whole, edges = source(), (0, *cuts, len(shapes))
    raised = np.array([0, 1, 1, 1, 1, 1])
    return [
        replace(
            whole,
            shapes=shapes[a:b] + shift * raised,
            ok=SEEN[a:b],
            context=SEEN[a:b],
            seconds=WHEN[a:b],
        )
        for a, b, shift in zip(edges[:-1], edges[1:], shifts, strict=True)
    ]


def test_a_person_is_learnt_from_all_tracks_as_from_one():
    one = learn_speaker(PRIOR, [source()], PRIOR.kind(FEATURES))
    many = learn_speaker(PRIOR, tracks_of(), PRIOR.kind(FEATURES))
    assert many.trust == one.trust == 1
    assert np.abs(many.rest - one.rest).max() < 0.01
    assert np.abs(many.levels - one.levels).max() < 0.012
    assert many.residual is not None
    assert len(many.shifts) == 3
    assert np.array_equal(one.shifts, np.zeros((1, 6)))


def test_a_short_track_follows_as_the_person_does_elsewhere():
    """Alone, its three seconds of another voice would teach nothing about this mouth."""
    tracks = tracks_of(cuts=(20, 200))
    person = learn_speaker(PRIOR, tracks, PRIOR.kind(FEATURES))
    dub = babble(500, seed=5)
    calibration = calibrate(PRIOR, person, dub, [one.seconds for one in tracks])
    whole = predicted(source(), dub).trajectory.shapes
    alone = predicted(replace(tracks[0], sync=Sync.unknown()), dub).trajectory.shapes
    short = predict_mouth(PRIOR, person.of_track(0), dub, tracks[0].seconds, calibration).trajectory.shapes
    assert np.abs(short - whole[:20])[:, AP].mean() < 0.6 * np.abs(alone - whole[:20])[:, AP].mean()


def test_a_track_that_measures_higher_is_given_higher_shapes():
    tracks = tracks_of(shifts=(0.0, 0.05, 0.0))
    person = learn_speaker(PRIOR, tracks, PRIOR.kind(FEATURES))
    assert person.shifts[1, 1:] == pytest.approx(np.full(5, 0.05), abs=0.025)
    assert not person.shifts[:, AP].any()
    assert person.of_track(1).rest == pytest.approx(person.rest + person.shifts[1])
    assert person.of_track(1).levels[:, AP] == pytest.approx(person.levels[:, AP])


def test_the_order_of_rows_without_a_face_does_not_matter():
    tracks = tracks_of()
    empty = replace(tracks[0], shapes=SHAPES[:0], ok=SEEN[:0], context=SEEN[:0], seconds=WHEN[:0])
    lost = replace(tracks[0], ok=~tracks[0].ok)
    person = learn_speaker(PRIOR, [empty, *tracks, lost], PRIOR.kind(FEATURES))
    alone = learn_speaker(PRIOR, tracks, PRIOR.kind(FEATURES))
    assert np.array_equal(person.levels, alone.levels)
    assert np.array_equal(person.shifts[1:4], alone.shifts)
    assert not person.shifts[[0, 4]].any()


def test_a_line_that_is_spoken_anew_leaves_its_neighbours_as_they_are():
    model = learn_speaker(PRIOR, [source()], PRIOR.kind(FEATURES))
    dub, other = babble(500, seed=5), babble(500, seed=6)
    kept = pickle.loads(pickle.dumps(calibrate(PRIOR, model, dub, [WHEN])))
    names = ("phone_posteriors", "voice_activity", "energy", "encoder_features")
    parts = {n: np.concatenate([getattr(other, n)[:200], getattr(dub, n)[200:]]) for n in names}
    before = predict_mouth(PRIOR, model, dub, WHEN, kept).trajectory
    again = predict_mouth(PRIOR, model, replace(dub, **parts), WHEN, kept).trajectory
    later = WHEN > 4.3  # the features reach 160 ms, their smoothing 120 ms
    assert np.array_equal(before.shapes[later], again.shapes[later])
    assert np.array_equal(before.closed[later], again.closed[later])
    assert not np.array_equal(before.shapes[~later], again.shapes[~later])


def test_a_timing_that_is_given_changes_nothing():
    model = learn_speaker(PRIOR, [source()], PRIOR.kind(FEATURES))
    dub = babble(500, seed=5)
    kept = calibrate(PRIOR, model, dub, [WHEN])
    with_it = predict_mouth(PRIOR, model, dub, WHEN, kept, DubTiming.of(dub)).trajectory.shapes
    assert np.array_equal(with_it, predict_mouth(PRIOR, model, dub, WHEN, kept).trajectory.shapes)


@given(st.lists(st.floats(-3, 3), min_size=41, max_size=41), st.lists(st.floats(-1, 1), min_size=41, max_size=41))
def test_quantile_maps_are_monotone(have, want):
    values = np.linspace(-4, 4, 50)
    mapped = map_quantiles(values, np.sort(have).astype(np.float64), np.sort(want).astype(np.float64))
    assert (np.diff(mapped) >= -1e-6).all()


# ---- how far the mouth moves


def livelier(times: float, rows: int = 500) -> SpeechFeatures:
    """Speech whose phones and encoder features vary ``times`` as much as those of the source."""
    dub = babble(rows, seed=5)
    middle = np.log(FEATURES.phone_posteriors + 1e-3).mean(0)
    phones = np.exp(middle + times * (np.log(dub.phone_posteriors + 1e-3) - middle))
    assert dub.encoder_features is not None
    return replace(
        dub,
        phone_posteriors=(phones / phones.sum(1, keepdims=True)).astype(np.float32),
        encoder_features=(times * dub.encoder_features).astype(np.float32),
    )


def gain_of(dub: SpeechFeatures, one: SourceSpeech) -> np.ndarray:
    return calibrate(PRIOR, learn_speaker(PRIOR, [one], PRIOR.kind(FEATURES)), dub, [WHEN]).gain


def test_a_livelier_voice_moves_the_mouth_further_a_flat_one_hardly_less():
    same, lively, flat = (gain_of(livelier(times), source()) for times in (1.0, 1.25, 0.3))
    assert same == pytest.approx(np.ones(6), abs=0.15)
    assert lively[AP] > same[AP] + 0.05
    assert flat[AP] == pytest.approx(0.95)
    assert gain_of(livelier(4.0), source())[AP] == pytest.approx(1.35)
    assert flat[1:4] == pytest.approx(np.full(3, np.sqrt(0.95)))
    assert (flat[4:] == 1).all(), "protrusion and thickness do not follow"


def test_the_gain_is_how_much_further_the_aperture_moves():
    model = learn_speaker(PRIOR, [source()], PRIOR.kind(FEATURES))
    dub = livelier(1.0)
    kept = replace(calibrate(PRIOR, model, dub, [WHEN]), gain=np.ones(6))
    usual = predict_mouth(PRIOR, model, dub, WHEN, kept).trajectory
    further = predict_mouth(PRIOR, model, dub, WHEN, replace(kept, gain=np.full(6, 1.1))).trajectory
    open_ = usual.closed == 0
    assert further.shapes[open_, AP].std() == pytest.approx(1.1 * usual.shapes[open_, AP].std(), rel=0.03)
    assert further.shapes[:, AP].max() <= 1.15 * model.high + 1e-6


def test_what_little_is_known_of_a_voice_counts_little():
    short = source(context=np.arange(250) < 60)  # 2.4 s: half of what is trusted
    assert short.sync is not None
    assert short.sync.matched
    assert 0.96 < gain_of(livelier(0.3), short)[AP] < 0.99
    assert (gain_of(livelier(0.3), source(features=None)) == 1).all()
    assert (gain_of(livelier(0.3, rows=5), source())[AP]) > 0.99, "a tenth of a second"


def test_a_voice_too_short_to_be_compared_counts_if_the_mouth_moves():
    context = np.arange(250) < 30  # 1.2 s
    short = source(context=context)
    assert short.sync is not None
    assert not short.sync.compared
    model = learn_speaker(PRIOR, [short], PRIOR.kind(FEATURES))
    assert model.trust == pytest.approx(1.2 / 4, abs=0.02)
    assert model.residual is None
    expected = model.trust * SHAPES[:30].std(0) + (1 - model.trust) * PRIOR.spread
    assert model.spread == pytest.approx(expected)
    assert "30%" in " ".join(predicted(short, FEATURES).notes)
    idle = SHAPES.mean(0) + 0.2 * (SHAPES - SHAPES.mean(0))
    assert learn_speaker(PRIOR, [source(idle, context=context)], PRIOR.kind(FEATURES)).trust == 0
    unlike = source(features=babble(500, seed=8), context=np.arange(250) < 90)  # long enough to tell
    assert learn_speaker(PRIOR, [unlike], PRIOR.kind(FEATURES)).trust == 0
