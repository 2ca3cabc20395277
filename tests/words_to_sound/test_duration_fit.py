"""Lines placed as sound: time-stretch, rendering, and onsets measured in the result."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.onset_errors import onset_errors
from lipdub.words_to_sound.duration_fit.phrases import find_phrases
from lipdub.words_to_sound.duration_fit.plan import FitOptions
from lipdub.words_to_sound.duration_fit.render import mono_at_rate
from lipdub.words_to_sound.duration_fit.time_stretch import atempo_stretch, signalsmith_stretch, time_stretch
from sound_to_mouth import sample_speech
from words_to_sound.bursts import CLOCK, burst, buzz, fit, line, seconds, span, spans, spoken

RATES = [0.85, 0.95, 1.1, 1.2, 1.35]
STRETCHERS = [signalsmith_stretch, atempo_stretch]


@pytest.mark.parametrize("stretcher", STRETCHERS)
@pytest.mark.parametrize("rate", RATES)
def test_onsets_keep_their_place_when_stretched(stretcher, rate: float) -> None:
    if stretcher is signalsmith_stretch:
        pytest.importorskip("python_stretch")
    onsets = [720, 20_000, 36_000]
    samples = np.zeros(CLOCK, np.float32)
    for at in onsets:
        samples[at : at + 6000] = buzz(6000)
    out = stretcher(samples, round(CLOCK / rate), CLOCK)
    for n, at in enumerate(onsets):
        before, after = max(0, at - 4800), at + 6000
        now = _onset(out[round(before / rate) : round(after / rate)]) + round(before / rate)
        was = _onset(samples[before:after]) + before
        # the first is that of a piece; atempo only keeps the others roughly
        allowed = 0.005 if n == 0 or stretcher is signalsmith_stretch else 0.025
        assert abs(now - was / rate) <= allowed * CLOCK


def _onset(samples: np.ndarray) -> int:
    """The first sample at which two periods of the voice have half the power of the loudest two."""
    power = np.convolve(samples.astype(np.float64) ** 2, np.ones(686) / 686, "same")
    return int(np.argmax(power > power.max() / 2))


@pytest.mark.parametrize("stretcher", STRETCHERS)
@pytest.mark.parametrize("rate", RATES)
def test_the_pitch_stays(stretcher, rate: float) -> None:
    if stretcher is signalsmith_stretch:
        pytest.importorskip("python_stretch")
    out = stretcher(buzz(CLOCK).astype(np.float32), round(CLOCK / rate), CLOCK)
    middle = out[len(out) // 4 : len(out) // 4 + 9600].astype(np.float64)
    alike = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    lag = 200 + int(np.argmax(alike[200:600]))
    assert abs(CLOCK / lag / 140 - 1) < 0.01


@given(n=st.integers(0, 3000), size=st.integers(0, 3000))
@settings(max_examples=20)
def test_any_number_of_samples_becomes_any_other(n: int, size: int) -> None:
    assert len(time_stretch(np.ones(n, np.float32), size, 16_000)) == size


def test_stretching_is_the_same_every_time() -> None:
    samples = buzz(9600).astype(np.float32)
    assert np.array_equal(time_stretch(samples, 8000, CLOCK), time_stretch(samples, 8000, CLOCK))


def test_without_the_vocoder_atempo_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.words_to_sound.duration_fit.time_stretch.find_spec", lambda name: None)
    assert np.array_equal(
        time_stretch(buzz(24_000).astype(np.float32), 20_000, CLOCK)[:19_000],
        atempo_stretch(buzz(24_000).astype(np.float32), 20_000, CLOCK)[:19_000],
    )


def test_a_line_that_fits_keeps_its_samples() -> None:
    what = spoken(span(1, 3), 0.8, 0.3, 0.9)
    (placed,) = fit([what], spans(0.8, 0.3, 0.9, start=1), seconds(5)).placed
    assert placed.rate == 1
    assert placed.sound.start == 1
    assert np.array_equal(placed.sound.samples, what.sound.samples)


def test_a_moved_pause_is_silence_and_the_speech_is_untouched() -> None:
    what = spoken(span(1, 5), 1.0, 0.2, 1.2)
    (placed,) = fit([what], spans(1.0, 0.9, 1.2, start=1), seconds(6)).placed
    voice, out = what.sound.samples[0], placed.sound.samples[0]
    assert placed.sound.start == 1
    assert np.array_equal(out[:48_000], voice[:48_000])
    second = round((Fraction(29, 10) - 1) * CLOCK)
    assert not out[48_000 : second - 1].any()
    assert np.array_equal(out[second : second + 57_600], voice[57_600 : 57_600 + 57_600])


def test_what_is_cut_fades_out_before_the_next_line() -> None:
    lines = [spoken(span(1, 2), 5.0), spoken(span(2.1, 3), 0.9)]
    first, second = fit(lines, (span(1, 2), span(2.1, 3)), seconds(4)).placed
    assert first.span.end <= second.span.start
    assert first.missing > 3
    assert np.abs(first.sound.samples[0, -48:]).max() < 0.05


def test_text_without_end_is_cut_at_the_end_of_the_clip() -> None:
    (placed,) = fit([spoken(span(0, 1), 5.0)], (), seconds(2)).placed
    assert placed.span == span(0, 2)
    assert placed.rate == 1.35
    assert placed.missing > 2


def test_silence_is_not_placed() -> None:
    hush = SpokenLine(line(span(0, 1)), Sound(np.zeros((1, 4800), np.float32), CLOCK))
    nothing = SpokenLine(line(span(2, 3)), Sound(np.zeros((1, 0), np.float32), CLOCK))
    assert fit([hush, nothing], (), seconds(5)).placed == ()


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100])
def test_voices_of_any_rate_come_out_at_the_clock(rate: int) -> None:
    what = spoken(span(1, 2), 1.0, rate=rate)
    (placed,) = fit([what], (), seconds(3)).placed
    assert placed.sound.rate == CLOCK
    assert placed.sound.samples.shape == (1, CLOCK)
    assert placed.sound.samples.dtype == np.float32


def test_two_channels_become_one() -> None:
    both = np.stack([np.ones(10), np.zeros(10)]).astype(np.float32)
    assert np.array_equal(mono_at_rate(Sound(both, CLOCK), CLOCK), np.full(10, 0.5, np.float32))


tenths = st.integers(2, 15).map(lambda n: Fraction(n, 10))


@given(parts=st.lists(tenths, min_size=1, max_size=5), source=st.lists(tenths, min_size=1, max_size=5))
@settings(max_examples=20)
def test_the_placed_sound_begins_with_the_source_and_has_the_stated_length(
    parts: list[Fraction], source: list[Fraction]
) -> None:
    parts, source = (p if len(p) % 2 else p[:-1] for p in (parts, source))
    windows = spans(*source, start=1)
    whole = Span(windows[0].start, windows[-1].end)
    result = fit([spoken(whole, *parts)], windows, whole.end + 1)
    (placed,) = result.placed
    assert placed.span.end <= whole.end + 1
    assert (placed.sound.start * CLOCK).denominator == 1
    errors = onset_errors(result.placed)
    if placed.missing == 0:
        assert abs(errors[0]) <= 0.16
        assert len(find_phrases(placed.sound)) <= len(parts)
    steps = np.abs(np.diff(placed.sound.samples[0])).max()
    assert steps < 0.5  # the buzz itself has steps of that size, a click more


def test_onset_errors_are_measured_in_the_samples() -> None:
    (placed,) = fit([SpokenLine(line(span(1, 2)), burst(0.9, lead=0.2))], (), seconds(3)).placed
    assert onset_errors([placed]) == pytest.approx([0.0], abs=0.011)
    late = type(placed)(
        placed.line, Sound(placed.sound.samples, CLOCK, placed.sound.start + 1), 1.0, placed.source_span
    )
    assert onset_errors([late]) == pytest.approx([1.0], abs=0.011)
    assert len(onset_errors([])) == 0


def test_a_dialogue_is_fitted_in_time() -> None:
    lines, windows, at = [], [], seconds(1)
    for n, ratio in enumerate([0.6, 0.8, 1.0, 1.15, 1.3, 1.6]):
        own = spans(0.8, 0.3, 0.6, start=at)
        windows += own
        where = Span(own[0].start, own[-1].end)
        parts = [round(0.8 * ratio, 2), 0.2, round(0.6 * ratio, 2)]
        lines.append(spoken(where.widened(Fraction(1, 10)), *parts, speaker="ab"[n % 2]))
        at = where.end + seconds(0.4)
    result = fit(lines, windows, at + 1)
    assert np.median(np.abs(onset_errors(result.placed))) <= 0.02
    assert all(a.span.end <= b.span.start for a, b in pairwise(result.placed))
    assert [(r.index, r.pace < 1) for r in result.requests] == [
        *((0, True), (1, True), (3, False), (4, False), (5, False))
    ]


def test_without_stretching_no_sample_changes() -> None:
    what = spoken(span(1, 2), 0.6, 0.3, 0.9)
    (placed,) = fit([what], (), seconds(5), FitOptions(stretch=False)).placed
    assert placed.rate == 1
    assert np.array_equal(placed.sound.samples, what.sound.samples)


def test_a_real_voice_keeps_its_onset_and_its_length() -> None:
    voice = sample_speech.spoken("Ahora hablo cualquier idioma, y mis labios siguen cada palabra.", "es-ES")
    where = Span(seconds(1), 1 + Fraction(len(voice) * 10, 13 * 16_000))
    (placed,) = fit([SpokenLine(line(where), Sound(voice[None], 16_000))], (where,), seconds(20)).placed
    assert abs(onset_errors([placed])[0]) <= 0.02
    assert 1 < placed.rate <= 1.2
    assert placed.missing == 0


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_a_line_that_fits_is_only_resampled(rate: int) -> None:
    size = round(0.777 * rate)
    voice = Sound(buzz(size, rate)[None].astype(np.float32), rate)
    what = SpokenLine(line(Span(seconds(1), 1 + Fraction(size, rate))), voice)
    (placed,) = fit([what], (), seconds(3)).placed
    inner = slice(240, -241)  # edges may be faded
    assert np.array_equal(
        placed.sound.samples[0, inner], mono_at_rate(voice, CLOCK)[: placed.sound.samples.shape[1]][inner]
    )


def test_a_short_line_spreads_its_pauses_and_keeps_silent_after() -> None:
    (placed,) = fit([spoken(span(1, 5), 0.8, 0.4, 0.8)], spans(4, start=1), seconds(6)).placed
    first, second = find_phrases(placed.sound)
    assert second.start - first.end > seconds(0.5)
    assert placed.rate >= 0.85
    assert placed.span.end < 4
