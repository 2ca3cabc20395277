"""The phrases of a spoken line, when the source speaks it, and the alignment of both."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spoken_lines import SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrase_alignment import align_phrases, line_breaks
from lipdub.words_to_sound.duration_fit.phrases import STEP, find_phrases, measure_line
from lipdub.words_to_sound.duration_fit.source_breaks import text_with_breaks
from lipdub.words_to_sound.duration_fit.source_timing import (
    SourceTiming,
    source_phrases,
    source_timings,
    source_windows,
)
from words_to_sound.bursts import CLOCK, burst, line, measured, seconds, span, spans, spoken

tenths = st.integers(2, 9).map(lambda n: Fraction(n, 10))


@given(parts=st.lists(tenths, min_size=1, max_size=5), rate=st.sampled_from([16_000, 22_050, 24_000, 44_100, 48_000]))
def test_bursts_are_found_to_within_one_step(parts: list[Fraction], rate: int) -> None:
    parts = parts[: len(parts) | 1] if len(parts) % 2 else parts[:-1] or parts
    found = find_phrases(burst(*parts, rate=rate, lead=0.05))
    wanted = spans(*parts, start=Fraction(1, 20))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert abs(a.start - b.start) <= STEP
        assert abs(a.end - b.end) <= STEP


def test_a_short_silence_belongs_to_the_words() -> None:
    assert len(find_phrases(burst(0.5, 0.1, 0.5))) == 1
    assert len(find_phrases(burst(0.5, 0.14, 0.5))) == 2


def test_pauses_are_found_in_hum() -> None:
    sound = burst(0.5, 0.3, 0.5)
    hum = np.random.default_rng(1).standard_normal(sound.samples.shape).astype(np.float32) * np.float32(0.003)
    assert len(find_phrases(Sound(sound.samples + hum, sound.rate))) == 2


@pytest.mark.parametrize("samples", [np.zeros((1, 0)), np.zeros((1, 48_000)), np.full((1, 4800), 1e-5)])
def test_silence_has_no_phrases(samples: np.ndarray) -> None:
    assert find_phrases(Sound(samples.astype(np.float32), 48_000)) == ()


def test_a_lip_smack_is_no_phrase() -> None:
    assert len(find_phrases(burst(0.02, 0.4, 0.5))) == 1


def test_speech_without_pauses_is_one_phrase() -> None:
    what = measure_line(spoken(span(0, 1), 1.0))
    assert what.phrases == (span(0, 1),)
    assert what.speech == what.length == 1
    assert what.pauses == ()


def test_a_lines_timing_is_from_the_first_onset_to_the_last_offset_in_reach() -> None:
    (timing,) = source_timings([line(span(1, 3))], spans(0.5, 0.3, 1.0, 0.2, 0.9, 1.0, 2.0, start=0.0))
    assert timing.windows == (span(0.8, 1.8), span(2.0, 2.9))
    assert timing.span == span(0.8, 2.9)
    assert timing.has_speech


def test_the_timing_of_a_line_where_nobody_speaks_is_its_own_span() -> None:
    (timing,) = source_timings([line(span(10, 12))], spans(5))
    assert timing.span == span(10, 12)
    assert not timing.has_speech
    assert source_timings([line(span(10, 12))], ())[0].span == span(10, 12)


def test_speech_far_beyond_a_line_is_not_its_own() -> None:
    (timing,) = source_timings([line(span(1, 2))], (span(1, 60),))
    assert timing.span == span(1, 2.5)


def test_a_window_belongs_to_the_line_that_has_most_of_it() -> None:
    a, b = source_timings([line(span(0, 2)), line(span(2, 4))], (span(0.1, 2.08), span(2.3, 4)))
    assert a.span == span(0.1, 2.08)
    assert b.span == span(2.3, 4)


def test_a_window_that_two_lines_share_is_cut_between_them() -> None:
    a, b = source_timings([line(span(0, 2)), line(span(2.2, 4))], (span(0, 4),))
    assert (a.span, b.span) == (span(0, 2.1), span(2.1, 4))


def test_lines_in_any_order_get_their_own_timings() -> None:
    b, a = source_timings([line(span(2.2, 4)), line(span(0, 2))], (span(0, 4),))
    assert (a.span, b.span) == (span(0, 2.1), span(2.1, 4))


def test_speakers_who_talk_at_once_share_the_same_speech() -> None:
    a, b = source_timings([line(span(0, 4), "ann"), line(span(3, 6), "bob")], (span(0, 6),))
    assert (a.span, b.span) == (span(0, 4), span(3, 6))


def test_lines_that_lie_upon_each_other_share_their_span() -> None:
    found = source_timings([line(span(0, 3)), line(span(0, 3)), line(span(0, 3))], ())
    assert [a.span for a in found] == [span(0, 1), span(1, 2), span(2, 3)]


@given(lengths=st.lists(st.tuples(tenths, st.integers(0, 9)), max_size=9), windows=st.lists(tenths, max_size=15))
def test_timings_of_successive_lines_never_overlap(
    lengths: list[tuple[Fraction, int]], windows: list[Fraction]
) -> None:
    lines, at = [], Fraction(0)
    for length, pause in lengths:
        lines.append(line(Span(at, at + length)))
        at += length + Fraction(pause, 10)
    found = [a.span for a in source_timings(lines, spans(*windows))]
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_source_windows_keep_close_to_the_voice() -> None:
    voiced = np.zeros(100, np.float32)
    voiced[20:40] = voiced[50:70] = 1
    features = SpeechFeatures(Fraction(5), np.zeros((100, 17), np.float32), voiced, np.zeros((100, 3), np.float32))
    assert source_windows(features) == (span(5.4, 5.72), span(6.0, 6.32))


def _features(voiced: list[int], level: list[float]) -> SpeechFeatures:
    """Voice activity and level in rows of 0.02 s from 5 s on, each value for ten rows."""
    active, energy = (np.repeat(np.array(x, np.float32), 10) for x in (voiced, level))
    rows = np.stack([energy, energy, active], 1)
    return SpeechFeatures(Fraction(5), np.zeros((len(active), 17), np.float32), active, rows)


def test_source_phrases_end_where_the_level_falls() -> None:
    heard = _features([0, 1, 1, 1, 1, 1, 0, 0], [0, 0.9, 0.9, 0.1, 0.8, 0.8, 0, 0])
    assert source_windows(heard) == (span(5.2, 6.12),)
    assert source_phrases(heard) == (span(5.2, 5.6), span(5.8, 6.12))


def test_level_says_nothing_about_pauses_under_music() -> None:
    quiet = _features([0, 1, 1, 1, 1, 1, 0, 0], [1, 0.3, 0.3, 0.1, 0.3, 0.9, 1, 1])
    assert source_phrases(quiet) == source_windows(quiet)


def test_speech_that_a_clip_begins_with_is_found_by_its_level() -> None:
    assert source_phrases(_features([0, 1, 1, 0], [0.9, 0.9, 0.9, 0]))[0].start == 5
    assert source_phrases(_features([0, 1, 1, 0], [0.1, 0.9, 0.9, 0]))[0].start == seconds(5.2)


TWO = SourceTiming((span(0, 1.6), span(1.8, 2.8)))


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("Wir waren noch nie in Disneyland in einer anderen Stadt.", "de", "Disneyland, in einer"),
        ("Nunca hemos estado en Disneyland en otra ciudad.", "es", "Disneyland, en otra"),
        ("We have never been to Disneyland in any other city.", "en-GB", "Disneyland, in any"),
    ],
)
def test_the_source_s_pause_becomes_a_comma_between_phrases(text: str, language: str, wanted: str) -> None:
    assert wanted in text_with_breaks(text, language, TWO)
    assert text_with_breaks(text, language, TWO).replace(",", "") == text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wir waren noch nie in Disneyland, in einer anderen Stadt.", "de"),  # pauses there already
        ("Das Unternehmen Donaudampfschifffahrt.", "de"),  # no word there begins a phrase
        ("ディズニーランド に 行った こと が ない", "ja"),
        ("Ja.", "de"),
        ("", "de"),
    ],
)
def test_no_comma_comes_where_it_would_not_help(text: str, language: str) -> None:
    assert text_with_breaks(text, language, TWO) == text


@given(st.text(alphabet="aeinds ,.", max_size=60), st.sampled_from(["de", "fr", "es", "it", "en", "zh"]))
def test_breaks_change_no_word(text: str, language: str) -> None:
    broken = text_with_breaks(text, language, TWO)
    assert broken == text or broken.replace(",", "").split() == text.replace(",", "").split()


def test_weak_ends_of_phrases_are_measured() -> None:
    sound = burst(0.5, 0.3, 0.5)
    sound.samples[0, round(0.45 * CLOCK) : round(0.5 * CLOCK)] *= 0.03
    weak, firm = measure_line(SpokenLine(line(span(0, 2)), sound)).tails
    assert (weak, firm) == (seconds(0.05), 0)


def test_silence_inside_a_word_is_no_break() -> None:
    plain, marked = (
        replace(measured(span(0, 5), 1.0, 0.2, 0.5), line=line(span(0, 5), text=t)) for t in ("Ga", "G, a")
    )
    assert (line_breaks(plain), line_breaks(marked)) == ((), (0,))


def test_phrases_begin_with_the_windows_they_match() -> None:
    what = measured(span(0, 5), 1.0, 0.3, 0.5, 0.2, 0.5)
    (timing,) = source_timings([what.line], spans(1.0, 0.8, 1.2))
    first, second = align_phrases(what, timing)
    assert (first.first, first.stop, second.first, second.stop) == (0, 1, 1, 3)
    assert second.window.start == seconds(1.8)


@given(phrases=st.lists(tenths, min_size=1, max_size=15), windows=st.lists(tenths, min_size=1, max_size=25))
def test_blocks_hold_every_phrase_and_every_window_in_order(phrases: list[Fraction], windows: list[Fraction]) -> None:
    what = measured(span(0, 60), *_with_pauses(phrases))
    (timing,) = source_timings([what.line], spans(*_with_pauses(windows)))
    found = align_phrases(what, timing)
    assert [b.first for b in found] == [0, *(b.stop for b in found[:-1])]
    assert found[-1].stop == len(phrases)
    assert (found[0].window.start, found[-1].window.end) == (timing.span.start, timing.span.end)
    assert all(a.window.end < b.window.start for a, b in pairwise(found))


def _with_pauses(parts: list[Fraction]) -> list[Fraction]:
    return [v for part in parts for v in (part, Fraction(1, 4))][:-1]
