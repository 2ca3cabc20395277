from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_sounds import babble, by_ffmpeg, fine_peak, joined, mix_format, noise, recorded, stem

from lipdub.compose.mix.limiter import limiter_memory
from lipdub.compose.mix.mixer import (
    MixInputs,
    MixLevels,
    MixOptions,
    plan_mix,
    plan_mix_again,
    render_background,
    render_mix,
    render_ranges,
    render_stems,
)
from lipdub.compose.mix.stems import BLOCK_SAMPLES, stem_blocks
from lipdub.errors import OptionError
from lipdub.timeline.time import Span

F = Fraction
NOW = F(0)
SPEECH = (Span(F(1), F("1.9")), Span(F("2.1"), F(3)))
DUB = (Span(F("1.1"), F("2.6")),)


def scene(rate=16000, channels=2, seconds=5.0, size=1024, start=NOW):
    """A noisy room in which somebody speaks, and a dub for it, 12 dB louder."""
    where = mix_format(seconds, rate, channels, start)
    shifted = [tuple(s.shifted(start) for s in spans) for spans in (SPEECH, DUB)]
    filmed = noise(where.samples, channels, 0.002) + babble(where, shifted[0], 0.05, channels)
    dub = babble(where, shifted[1], 0.2, 1, seed=1)
    parts = MixInputs(where, stem(dub, size), shifted[1], stem(filmed, size), shifted[0])
    return parts, filmed, dub


def made(parts, **options):
    plan = plan_mix(parts, MixOptions(**options))
    return plan, joined(render_mix(parts, plan))


def db(samples):
    return 10 * np.log10((samples.astype(np.float64) ** 2).mean())


def test_speech_goes_the_room_stays_and_the_dub_is_as_loud():
    parts, filmed, _ = scene()
    plan, out = made(parts)
    bed = joined(render_background(parts, plan))
    room = db(filmed[:, -8000:])
    for first, stop in parts.mix_format.ranges(SPEECH):
        assert db(bed[:, first:stop]) == pytest.approx(room, abs=1.5)
    report = plan.report
    assert report.source_dialogue is not None
    assert report.dub_dialogue is not None
    assert report.dub_gain == pytest.approx(report.source_dialogue - report.dub_dialogue)
    assert report.dub_gain < -5
    assert report.tone_db == pytest.approx(room, abs=1)
    assert report.source_ducked > F("1.9")
    assert not report.notes
    # before anybody speaks, and after, the source is untouched
    np.testing.assert_array_equal(out[:, :13_000], filmed[:, :13_000])
    np.testing.assert_array_equal(out[:, 57_000:], filmed[:, 57_000:])
    # the mix falls silent nowhere
    steps = out[:, : len(out[0]) // 400 * 400].reshape(2, -1, 400)
    assert 10 * np.log10((steps**2).mean(2).min()) > room - 3


@settings(max_examples=6)
@given(st.sampled_from(["source", "none"]), st.integers(300, 50_000), st.sampled_from([1, 6]))
def test_the_mix_is_the_sum_whatever_the_blocks(loudness, size, channels):
    parts, _, _ = scene(channels=channels, size=size)
    plan, out = made(parts, loudness=loudness)
    dub = joined(stem_blocks(parts.dub, parts.mix_format)) * np.float32(10 ** (plan.report.dub_gain / 20))
    assert plan.ceiling_db is None
    np.testing.assert_allclose(out, dub + joined(render_background(parts, plan)), atol=1e-7)
    np.testing.assert_array_equal(out, made(scene(channels=channels)[0], loudness=loudness)[1])


def test_music_and_effects_are_mixed_under_the_dub_unchanged():
    parts, _, _ = scene()
    effects = noise(parts.mix_format.samples, 2, 0.01, 7)
    parts = replace(parts, music_effects=stem(effects))
    plan, out = made(parts)
    dub = joined(stem_blocks(parts.dub, parts.mix_format)) * np.float32(10 ** (plan.report.dub_gain / 20))
    np.testing.assert_array_equal(out, dub + effects)
    assert plan.report.dub_gain < -5
    assert plan.report.source_ducked == plan.report.ducked_under_dub == 0


def test_a_bed_is_lowered_where_anybody_speaks_and_else_stays():
    parts, _, _ = scene()
    left = noise(parts.mix_format.samples, 2, 0.01, 7)
    parts = replace(parts, music_effects=stem(left), bed=True)
    plan, _ = made(parts)
    assert plan.report.source_ducked == 0
    assert plan.tone is None
    under = joined(render_background(parts, plan))
    np.testing.assert_array_equal(under[:, :12_000], left[:, :12_000])
    for first, stop in parts.mix_format.ranges((*SPEECH, *DUB)):
        np.testing.assert_allclose(under[:, first:stop], left[:, first:stop] * 10 ** (-6 / 20), rtol=1e-5)
    assert plan.report.dub_gain < -5


def test_room_tone_takes_the_place_of_a_bed_that_is_no_longer_kept():
    parts, _, _ = scene()
    with_bed = replace(parts, music_effects=stem(noise(parts.mix_format.samples, 2, 0.01, 7)), bed=True)
    again = plan_mix_again(parts, MixOptions(), MixLevels.of(plan_mix(with_bed, MixOptions())))
    assert again.tone is not None
    assert again.report.tone_db == plan_mix(parts, MixOptions()).report.tone_db


@pytest.mark.parametrize(("loudness", "channels"), [("broadcast", 2), ("web", 1), ("loud", 6), ("-20", 2)])
def test_loudness_is_reached_and_peaks_are_kept(loudness, channels):
    parts, _, _ = scene(rate=24000, channels=channels)
    plan, out = made(parts, loudness=loudness)
    aim = MixOptions(loudness).target_lufs
    assert by_ffmpeg(out, 24000)[0] == pytest.approx(aim, abs=0.3)
    assert plan.report.result.integrated == pytest.approx(aim, abs=0.1)
    assert fine_peak(out) <= -1.0
    assert plan.report.result.true_peak is not None
    assert plan.report.result.true_peak == pytest.approx(fine_peak(out), abs=0.2)


def test_the_limiter_is_reported_and_the_gain_compensates_it():
    parts, _, _ = scene()
    clicks = noise(parts.mix_format.samples, 2, 0.05, 7)
    clicks[:, ::32000] = 0.5
    clicks = recorded(clicks)
    plan, out = made(replace(parts, music_effects=stem(clicks)), loudness="loud")
    assert plan.report.limited_by > 1
    assert 0 < plan.report.limited_share < 1
    assert by_ffmpeg(out, 16000)[0] == pytest.approx(-14, abs=0.5)
    assert fine_peak(out) <= -1.0


def test_silence_stays_silence():
    parts, filmed, dub = scene()
    quiet = replace(parts, dub=stem(dub * 0), source=stem(filmed * 0))
    plan, out = made(quiet, loudness="web")
    assert not out.any()
    assert plan.report.result.integrated is None
    assert any("silent" in note for note in plan.report.notes)


@settings(max_examples=15)
@given(
    st.sampled_from([11025, 22050, 44100, 48000, 96000]),
    st.fractions(0, 2, max_denominator=1001),
    st.integers(1, 1500),
    st.booleans(),
)
def test_every_length_is_kept_to_the_sample(rate, start, milliseconds, alone):
    parts, _, _ = scene(rate, 1, milliseconds / 1000, start=start)
    if alone:
        parts = replace(parts, source=None, source_speech=())
    plan, out = made(parts, loudness="web")
    assert out.shape == (1, parts.mix_format.samples)
    assert any("3 s" in note for note in plan.report.notes)
    assert plan.report.gain == 0


def test_nothing_clicks():
    where = mix_format(5.0, 16000, 1)
    time = np.arange(where.samples) / 16000
    filmed = (0.3 * np.sin(2 * np.pi * 100 * time)).astype(np.float32)[None]
    parts = MixInputs(where, stem(filmed * 0), DUB, stem(filmed), SPEECH)
    _, out = made(parts, room_tone=False)
    bend = np.abs(np.diff(out[0].astype(np.float64), 2)).max()
    assert bend < 1.1 * np.abs(np.diff(filmed[0].astype(np.float64), 2)).max()


def test_without_source_or_its_speech_the_dub_keeps_its_level():
    parts, _, dub = scene()
    plan, out = made(replace(parts, source=None, source_speech=()))
    np.testing.assert_array_equal(out, joined(stem_blocks(stem(dub), parts.mix_format)))
    assert len(plan.report.notes) == 2
    plan, _ = made(replace(parts, source_speech=()))
    assert plan.report.dub_gain == 0
    assert plan.report.source_ducked == 0
    assert plan.report.ducked_under_dub == F("1.65")


def test_what_was_louder_than_the_ceiling_may_stay_so():
    parts, filmed, _ = scene()
    loud = filmed.copy()
    loud[:, 70_000] = 0.99
    plan, out = made(replace(parts, source=stem(loud)))
    np.testing.assert_array_equal(out[:, 57_000:], loud[:, 57_000:])
    assert plan.ceiling_db is None


def test_the_same_seed_gives_the_same_mix():
    parts, _, _ = scene()
    np.testing.assert_array_equal(made(parts)[1], made(parts)[1])
    assert (made(parts)[1] != made(parts, seed=1)[1]).any()


@pytest.mark.parametrize("word", ["hot", "3", "nan", "-70", ""])
def test_what_is_no_loudness_is_refused(word):
    with pytest.raises(OptionError, match="not a loudness"):
        plan_mix(scene()[0], MixOptions(loudness=word))


RANGES = st.lists(st.tuples(st.integers(0, 700_000), st.integers(1, 120_000)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def loud_scenes():
    """A minute of a loud scene that the limiter works on, in several formats: inputs, plan, and the whole mix."""
    scenes = {}
    for channels in (1, 6):
        for loudness in ("source", "-9"):
            where = mix_format(45.3, 16000, channels)
            spans = tuple(Span(F(k), F(k) + F("1.3")) for k in range(1, 44, 2))
            dub_spans = tuple(span.shifted(F("0.2")) for span in spans)
            filmed = noise(where.samples, channels, 0.002) + babble(where, spans, 0.05, channels)
            filmed[:, 5000] = 2.5
            dub = babble(where, dub_spans, 0.2, 1, seed=1)
            dub[:, ::3001] *= 9
            parts = MixInputs(where, stem(dub), dub_spans, stem(filmed), spans)
            first = plan_mix(parts, MixOptions(loudness=loudness))
            plan = plan_mix_again(parts, MixOptions(loudness=loudness), MixLevels.of(first))
            scenes[channels, loudness] = parts, plan, joined(render_mix(parts, plan))
            assert plan.ceiling_db is not None
    return scenes


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([1, 6]), st.sampled_from(["source", "-9"]), RANGES)
def test_a_part_of_the_mix_equals_the_whole(loud_scenes, channels, loudness, ranges):
    parts, plan, whole = loud_scenes[channels, loudness]
    wanted = sorted((first, min(first + length, whole.shape[1])) for first, length in ranges)
    out = np.full_like(whole, np.nan)
    for at, block in render_ranges(parts, plan, wanted):
        np.testing.assert_array_equal(block, whole[:, at : at + block.shape[1]])
        out[:, at : at + block.shape[1]] = block
    for first, stop in wanted:
        assert not np.isnan(out[:, first:stop]).any()


def test_a_part_reads_no_further_than_it_must_and_computes_no_more(loud_scenes):
    parts, plan, whole = loud_scenes[1, "source"]
    made = [at for at, _ in render_ranges(parts, plan, [(0, 1), (whole.shape[1] - 1, whole.shape[1])])]
    assert made == [0, (whole.shape[1] - 1) // BLOCK_SAMPLES * BLOCK_SAMPLES]


def test_a_peak_is_forgotten_after_a_known_time(loud_scenes):
    parts, plan, whole = loud_scenes[1, "-9"]
    changed = joined(parts.dub.open())
    changed[:, 150_000] = 1e4
    other = joined(render_mix(replace(parts, dub=stem(changed)), plan))
    differs = np.flatnonzero((other != whole).any(0))
    assert 150_000 in differs
    assert differs.max() < 150_000 + limiter_memory(16000)
    assert differs.max() > 150_000 + limiter_memory(16000) // 4


@settings(max_examples=12)
@given(
    st.sampled_from(["source", "broadcast", "loud", "-6", "none"]),
    st.sampled_from([1, 2, 6]),
    st.sampled_from(["source", "music", "bed", "nothing"]),
)
def test_dub_and_background_are_the_mix_when_they_are_added(loudness, channels, below):
    parts, filmed, dub = scene(channels=channels)
    parts = replace(parts, dub=stem(3 * dub))
    if below == "nothing":
        parts = replace(parts, source=None, source_speech=())
    elif below != "source":
        parts = replace(parts, music_effects=stem(0.3 * filmed), bed=below == "bed")
    plan, mix = made(parts, loudness=loudness)
    speech, background, whole = (np.concatenate(blocks, 1) for blocks in zip(*render_stems(parts, plan), strict=True))
    np.testing.assert_array_equal(whole, mix)
    np.testing.assert_allclose(speech + background, mix, atol=3e-7)
    assert (plan.report.limited_share > 0) == (plan.report.limited_by > 0)
    assert np.any(background) == (below != "nothing")
    quiet = slice(parts.mix_format.samples - 8000, None)
    assert not np.any(speech[:, quiet]), "the dub alone, without a trace of the clip"


def test_parts_of_a_limited_mix_have_the_gain_of_the_limiter():
    parts, _, dub = scene()
    parts = replace(parts, dub=stem(3 * dub))
    plan, mix = made(parts, loudness="-6")
    assert plan.report.limited_by > 1
    speech, background, _ = (np.concatenate(blocks, 1) for blocks in zip(*render_stems(parts, plan), strict=True))
    np.testing.assert_allclose(speech + background, mix, atol=3e-7)
