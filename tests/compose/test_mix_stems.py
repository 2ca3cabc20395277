from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_sounds import NAMES, joined, mix_format, noise, stem

from lipdub.compose.mix.stems import BLOCK_SAMPLES, MixFormat, Stem, channel_matrix, speech_stem, stem_blocks
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.timeline.time import Span

F = Fraction


def said(at: Fraction, samples: np.ndarray, rate: int) -> PlacedLine:
    sound = Sound(samples.astype(np.float32), rate, at)
    return PlacedLine(Line("words", sound.span), sound, 1.0, sound.span)


@settings(max_examples=25)
@given(st.integers(0, 3 * BLOCK_SAMPLES), st.integers(0, 3 * BLOCK_SAMPLES), st.integers(1, 2 * BLOCK_SAMPLES))
def test_stems_are_cut_or_filled_to_the_sample(given, wanted, size):
    samples = noise(given, 2, 0.1)
    blocks = list(stem_blocks(stem(samples, size), MixFormat(48000, NAMES[2], F(0), wanted)))
    assert all(block.shape[1] == BLOCK_SAMPLES for block in blocks[:-1])
    out = np.concatenate([np.zeros((2, 0), np.float32), *blocks], 1)
    np.testing.assert_array_equal(out, np.pad(samples, ((0, 0), (0, wanted)))[:, :wanted])


def test_reading_stops_where_the_mix_ends():
    def endless():
        while True:
            yield np.ones((1, 1000), np.float32)

    assert joined(stem_blocks(Stem(("FC",), endless), mix_format(2.0, channels=1))).shape == (1, 96000)


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_a_mix_covers_its_span_and_no_more(rate):
    span = Span(F("0.85"), F("0.85") + F(1001, 300))
    where = MixFormat.for_span(span, rate, ("FC",))
    assert where.samples == floor(F(1001, 300) * rate)
    assert where.sample_at(span.start) == 0
    assert where.ranges([Span(F("0.85"), F("1.85")), Span(F(2), F(2))]) == ((0, rate),)


def test_a_voice_goes_to_the_middle():
    np.testing.assert_allclose(channel_matrix(("FC",), NAMES[2]), [[0.5**0.5], [0.5**0.5]], atol=1e-7)
    np.testing.assert_array_equal(channel_matrix(("FC",), NAMES[6]), [[0], [0], [1], [0], [0], [0]])
    np.testing.assert_array_equal(channel_matrix(("FC",), ("FC",)), [[1]])
    seven = ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")
    assert channel_matrix(("FC",), seven)[:, 0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_what_is_lacking_is_folded():
    np.testing.assert_array_equal(channel_matrix(NAMES[2], ("FC",)), [[0.5, 0.5]])
    np.testing.assert_array_equal(channel_matrix(NAMES[2], NAMES[6])[:2], np.eye(2))
    half = 0.5**0.5
    fold = channel_matrix(NAMES[6], NAMES[2])
    np.testing.assert_allclose(fold, [[1, 0, half, 0, half, 0], [0, 1, half, 0, 0, half]], atol=1e-7)
    side = channel_matrix(("FL", "FR", "FC", "LFE", "SL", "SR"), NAMES[6])
    np.testing.assert_array_equal(side, np.eye(6))
    assert channel_matrix(NAMES[6], ("FC",)).sum() == pytest.approx(1)
    assert channel_matrix(NAMES[6], ("FC",))[0, 3] == 0


@given(st.integers(-500, 5000), st.sampled_from([8000, 22050]), st.integers(1, 400))
def test_lines_sound_where_they_are_placed(milliseconds, rate, length):
    start = F(1, 3)
    where = MixFormat(rate, ("FC",), start, rate * 3)
    line = said(start + F(milliseconds, 1000), np.full((1, length), 0.5), rate)
    out = joined(stem_blocks(speech_stem(lambda: iter([line]), where), where))[0]
    begin = where.sample_at(line.sound.start)
    sounding = np.flatnonzero(out)
    expected = [n for n in range(begin, begin + length) if 0 <= n < where.samples]
    assert sounding.tolist() == expected
    if expected:
        assert np.abs(out).max() <= 0.5


def test_lines_are_resampled_summed_and_faded():
    where = mix_format(3.0, channels=1)
    time = np.arange(16000) / 16000
    one = said(F(1), 0.5 * np.sin(2 * np.pi * 200 * time)[None], 16000)
    two = said(F("1.5"), np.full((2, 24000), 0.25), 48000)
    out = joined(stem_blocks(speech_stem(lambda: [one, two], where), where))[0]
    middle = np.arange(52000, 70000)
    np.testing.assert_allclose(out[middle], 0.5 * np.sin(2 * np.pi * 200 * middle / 48000), atol=1e-3)
    np.testing.assert_allclose(
        out[80000:95000], 0.25 + 0.5 * np.sin(2 * np.pi * 200 * np.arange(80000, 95000) / 48000), atol=1e-3
    )
    assert not out[:48000].any()
    # a flat sound begins within 5 ms, not at once
    assert np.abs(np.diff(out)).max() < 0.03
