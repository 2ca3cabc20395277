"""The placement of lines, without sound."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrase_layout import isotonic
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.plan import FitOptions, LinePlacement, plan_fit
from lipdub.words_to_sound.duration_fit.respeak import SLOWEST_VOICE, respeak_requests
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming, may_overlap, source_timings
from words_to_sound.bursts import line, measured, seconds, span, spans

CLOCK = 48_000
TICK = Fraction(1, CLOCK)
MS = Fraction(1, 1000)


def planned(
    lines: list[MeasuredLine], windows: tuple[Span, ...] = (), end: float = 100, options: FitOptions = FitOptions()
) -> tuple[LinePlacement, ...]:
    return plan_fit(lines, source_timings([m.line for m in lines], windows), seconds(end), options)


def whole(placement: LinePlacement) -> Span:
    return Span(placement.pieces[0].target.start, placement.pieces[-1].target.end)


def onset(placement: LinePlacement, spoken: MeasuredLine) -> Fraction:
    """When the first phrase begins, without the breath before it."""
    piece = placement.pieces[0]
    return (
        piece.target.start
        + (spoken.phrases[0].start - piece.source.start) * piece.target.duration / piece.source.duration
    )


def test_a_line_that_fits_is_left_as_it_was_spoken() -> None:
    what = measured(span(1, 3), 0.8, 0.3, 0.9)
    (placed,) = planned([what], spans(0.8, 0.3, 0.9, start=1))
    assert placed.rate == 1
    (piece,) = placed.pieces
    assert (piece.source, piece.target) == (span(0, 2), span(1, 3))
    assert placed.missing == 0
    assert respeak_requests([placed], [what]) == ()


def test_a_line_that_leaves_much_silent_should_be_spoken_slower() -> None:
    brief, tiny = measured(span(1, 3), 1.8), measured(span(1, 3), 0.5)
    for what, pace in ((brief, 0.9), (tiny, SLOWEST_VOICE)):
        (request,) = respeak_requests(planned([what], spans(2, start=1)), [what])
        assert (request.pace, request.characters) == (pace, 0)
    assert respeak_requests(planned([tiny], ()), [tiny]) == (), "where the source is silent, nothing waits to be filled"


def test_pauses_are_shortened_before_speech_is_stretched() -> None:
    (placed,) = planned([measured(span(1, 3), 0.95, 0.4, 0.98)], spans(2, start=1))
    assert placed.rate == 1
    assert len(placed.pieces) == 2
    assert whole(placed).end <= seconds(3.1)


def test_phrases_begin_with_the_windows_of_the_source() -> None:
    what = measured(span(1, 5), 1.0, 0.2, 1.2)
    (placed,) = planned([what], spans(1.1, 0.8, 1.3, start=1))
    first, second = placed.pieces
    assert abs(first.target.start - 1) <= 20 * MS
    assert abs(second.target.start + seconds(0.015) - seconds(2.9)) <= 20 * MS


def test_pauses_of_the_source_are_kept_and_the_voice_pauses_nowhere_else() -> None:
    what = measured(span(1, 6), 0.5, 0.4, 0.9, 0.3, 1.5)  # pauses twice, the source once and elsewhere
    (placed,) = planned([what], spans(1.5, 0.5, 1.5, start=1))
    gaps = [b.target.start - a.target.end for a, b in pairwise(placed.pieces)]
    assert gaps[0] <= seconds(0.06)
    assert abs(gaps[1] - seconds(0.455)) <= 30 * MS, "less the breath before and the decay after the pause"


def test_phrases_fill_their_own_windows_at_rates_of_their_own() -> None:
    what = measured(span(1, 6), 1.0, 0.4, 1.0)
    (placed,) = planned([what], spans(1.06, 0.4, 0.94, start=1))
    first, second = (piece.source.duration / piece.target.duration for piece in placed.pieces)
    assert first < 1 < second
    assert second / first <= seconds(1.17)


def test_the_weak_end_of_a_phrase_may_go_on_in_a_pause_of_the_source() -> None:
    firm = measured(span(1, 3), 2.2)
    weak = replace(firm, tails=(seconds(0.2),))
    (placed,), (other,) = (planned([what], spans(2, start=1)) for what in (firm, weak))
    assert placed.rate > 1 == other.rate
    assert respeak_requests([placed], [firm])
    assert not respeak_requests([other], [weak])


def test_a_longer_line_is_stretched_and_ends_a_little_late() -> None:
    what = measured(span(1, 3), 2.4)
    (placed,) = planned([what], spans(2, start=1))
    assert 1 < placed.rate <= seconds(1.2)
    assert 3 < whole(placed).end < seconds(3.4)
    assert onset(placed, what) == 1


def test_a_shorter_line_is_hardly_slowed_down() -> None:
    what = measured(span(1, 5), 2.0)
    (placed,) = planned([what], spans(4, start=1))
    assert seconds(0.85) <= placed.rate < 1
    assert onset(placed, what) == 1


def test_a_line_begins_early_only_if_it_must() -> None:
    tight = [measured(span(1, 2), 1.45), measured(span(2.1, 3), 0.9)]
    first, second = planned(tight, (span(1, 2), span(2.1, 3)))
    assert whole(first).start < 1
    assert whole(first).start >= 1 - seconds(0.15) - 20 * MS
    assert first.missing == 0
    assert whole(second).start == seconds(2.1)


def test_what_never_fits_is_cut_before_the_next_line_and_reported() -> None:
    long = measured(span(1, 2), 5.0)
    first, second = planned([long, measured(span(2.1, 3), 0.9)], (span(1, 2), span(2.1, 3)))
    assert first.rate == seconds(1.35)
    assert whole(first).end <= whole(second).start
    assert abs(first.missing - (5 - (seconds(2) - whole(first).start) * first.rate)) < 5 * MS
    (request,) = respeak_requests([first, second], [long, measured(span(2.1, 3), 0.9)])
    assert (request.index, request.pace) == (0, 1.2)
    assert 0 < request.characters < len(long.line.text)


def test_a_faster_pace_is_requested_before_fewer_words() -> None:
    (request,) = respeak_requests(planned([measured(span(1, 3), 2.4)], spans(2, start=1)), [measured(span(1, 3), 2.4)])
    assert 1 < request.pace <= 1.2
    assert request.characters == 0


def test_fewer_words_are_requested_before_a_line_is_hurried() -> None:
    what = measured(span(1, 3), 2.4)
    placements = planned([what], spans(2, start=1))
    assert [respeak_requests(placements, [what], [pace])[0].characters > 0 for pace in (1.0, 1.05, 1.1, 1.2)] == [
        *(False, False, True, True)
    ]


def test_without_stretching_lines_begin_with_the_source_as_spoken() -> None:
    lines = [measured(span(1, 2), 0.8, 0.3, 0.8), measured(span(2, 4), 1.0)]
    first, second = planned(lines, (), options=FitOptions(stretch=False))
    assert first.rate == second.rate == 1
    assert first.pieces[0].target == span(1, 1.83)
    assert first.missing == seconds(0.8)
    assert second.pieces[0].target == span(2, 3)


def test_a_phrase_that_has_hardly_begun_is_left_out() -> None:
    options = FitOptions(stretch=False)
    (placed,) = planned([measured(span(1, 2), 0.6, 0.36, 0.8)], (), 2, options)
    assert whole(placed) == span(1, 1.63)
    assert placed.missing == seconds(0.8)


def test_a_line_after_the_end_of_the_clip_is_missing() -> None:
    (placed,) = planned([measured(span(10, 12), 2.0)], end=8)
    assert placed.pieces == ()
    assert placed.missing == 2


def test_a_line_at_the_very_end_ends_with_the_clip() -> None:
    (placed,) = planned([measured(span(7, 8), 3.0)], end=8)
    assert whole(placed).end <= 8
    assert placed.missing > 0


def test_lines_without_speech_are_not_placed() -> None:
    assert planned([]) == ()
    assert [p.index for p in planned([measured(span(0, 1)), measured(span(1, 2), 1.0)])] == [1]


def test_lines_come_back_in_order_of_time() -> None:
    assert [p.index for p in planned([measured(span(5, 6), 1.0), measured(span(1, 2), 1.0)])] == [1, 0]


def test_speakers_may_overlap_where_the_script_says_so() -> None:
    lines = [measured(span(0, 4), 4.0, speaker="ann"), measured(span(3, 5), 2.0, speaker="bob")]
    first, second = planned(lines)
    assert whole(first) == span(0, 4)
    assert whole(second) == span(3, 5)


def test_rates_of_neighbours_come_nearer_to_each_other() -> None:
    def rates(speaker: str) -> list[Fraction]:
        lines = [measured(span(0, 2), 2.8, speaker="ann"), measured(span(2.2, 4.2), 2.0, speaker=speaker)]
        return [p.rate for p in planned(lines, (span(0, 2), span(2.2, 4.2)))]

    together, apart = rates("ann"), rates("bob")
    assert apart[1] == 1
    assert together[0] - together[1] < apart[0] - apart[1]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_targets_are_whole_samples(rate: int) -> None:
    lines = [measured(span(0.123, 2), 1.1, 0.3, 1.17), measured(span(2.5, 3.21), 0.9)]
    for placed in planned(lines, options=FitOptions(sample_rate=rate)):
        for piece in placed.pieces:
            assert all((t * rate).denominator == 1 for s in (piece.source, piece.target) for t in (s.start, s.end))


hundredths = st.integers(0, 300).map(lambda n: Fraction(n, 100))
parts = st.lists(st.integers(13, 250).map(lambda n: Fraction(n, 100)), min_size=1, max_size=7).map(
    lambda p: p if len(p) % 2 else p[:-1]
)


@st.composite
def written(draw: st.DrawFn) -> list[tuple[Span, list[Fraction], str]]:
    """Lines of two speakers, some overlapping, in any order."""
    lines, at = [], Fraction(0)
    for _ in range(draw(st.integers(1, 7))):
        at += draw(hundredths) - draw(st.sampled_from([Fraction(0), Fraction(1)]))
        start, length = max(at, Fraction(0)), draw(hundredths)
        lines.append((Span(start, start + length), draw(parts), draw(st.sampled_from("ab"))))
        at = start + length
    return draw(st.permutations(lines))


programmes = st.tuples(written(), parts, hundredths)
"""Lines, the durations of the source's speech and pauses, and when it begins to speak."""


def read(programme: tuple) -> tuple[list[MeasuredLine], tuple[Span, ...], Fraction]:
    lines, source, start = programme
    what = [measured(where, *spoken, speaker=speaker) for where, spoken, speaker in lines]
    return what, spans(*source, start=start), max(Fraction(1), *(where.end for where, _, _ in lines))


@given(programmes, st.booleans())
def test_placements_are_complete_in_order_and_within_the_limits(programme: tuple, stretch: bool) -> None:
    lines, windows, end = read(programme)
    options = FitOptions(stretch=stretch)
    placements = plan_fit(lines, source_timings([m.line for m in lines], windows), end, options)
    assert sorted(p.index for p in placements) == list(range(len(lines)))
    for placed in placements:
        assert options.slowest <= placed.rate <= options.limit
        assert stretch or placed.rate == 1
        _check_pieces(placed, lines[placed.index], end)
    audible = [(lines[p.index].line, whole(p)) for p in placements if p.pieces]
    for n, (p, a) in enumerate(audible):
        for q, b in audible[n + 1 :]:
            assert not a.overlaps(b) or may_overlap(p, q)


def _check_pieces(placed: LinePlacement, what: MeasuredLine, end: Fraction) -> None:
    rates = [piece.source.duration / piece.target.duration for piece in placed.pieces if piece.target.duration > MS]
    assert all(rate <= seconds(1.36) and min(rates) * seconds(1.2) >= rate for rate in rates)
    for piece in placed.pieces:
        assert piece.target.end <= end
        assert piece.target.start >= 0
    for a, b in pairwise(placed.pieces):
        assert a.source.end <= b.source.start
        assert a.target.end <= b.target.start
    # what is heard and what is missing is everything
    kept = sum(
        (o.duration for p in placed.pieces for s in what.phrases if (o := p.source.intersection(s))), Fraction(0)
    )
    assert abs(kept + placed.missing - what.speech) <= TICK


@given(programmes)
def test_each_line_begins_with_its_own_timing(programme: tuple) -> None:
    lines, windows, end = read(programme)
    for placed in plan_fit(lines, source_timings([m.line for m in lines], windows), end):
        if placed.pieces:
            late = onset(placed, lines[placed.index]) - placed.timing.span.start
            assert -FitOptions().early - MS <= late <= 6 * MS


@given(parts, hundredths, st.integers(0, 60))
def test_nothing_is_missing_that_fits_at_the_limit(spoken: list[Fraction], room: Fraction, slack: int) -> None:
    what = measured(span(5, 6), *spoken)
    shortest = what.speech / seconds(1.35) + seconds(0.06) * len(what.pauses)
    length = shortest - seconds(0.15) + MS * (2 + slack)
    timing = (
        SourceTiming((Span(seconds(5), 5 + max(length, MS)),)),
        SourceTiming((Span(5 + max(length, MS), seconds(50)),)),
    )
    placed, _ = plan_fit([what, measured(span(20, 21), 1.0)], timing, seconds(60))
    assert placed.missing == 0


@given(st.lists(st.tuples(parts, hundredths), min_size=1, max_size=6))
def test_what_fits_exactly_is_not_touched(programme: list[tuple[list[Fraction], Fraction]]) -> None:
    lines, windows, at = [], [], Fraction(1)
    for spoken, pause in programme:
        own = spans(*spoken, start=at)
        whole = Span(own[0].start, own[-1].end)
        lines.append(measured(whole, *spoken))
        windows.append(own)
        at = whole.end + pause + Fraction(1, 5)
    wanted = tuple(SourceTiming(own) for own in windows)
    for placed, own in zip(plan_fit(lines, wanted, at), windows, strict=True):
        assert placed.rate == 1
        (piece,) = placed.pieces
        assert piece.target == Span(own[0].start, own[-1].end)
        assert piece.source == span(0, own[-1].end - own[0].start)


def test_an_hour_with_a_thousand_lines() -> None:
    random, lines, windows = Random(5), [], []
    for n in range(1000):
        start = Fraction(n * 36, 10)
        own = spans(
            Fraction(random.randint(50, 150), 100), Fraction(3, 10), Fraction(random.randint(50, 120), 100), start=start
        )
        windows += own
        ratio = Fraction(random.randint(60, 180), 100)
        where = Span(own[0].start, own[-1].end).widened(Fraction(1, 10))
        pause = Fraction(random.randint(13, 50), 100)
        first = round(own[0].duration * ratio, 2)
        lines.append(measured(where, first, pause, round(own[1].duration * ratio, 2), speaker=random.choice("ab")))
    placements = plan_fit(lines, source_timings([m.line for m in lines], windows), Fraction(3600))
    late = sorted(abs(onset(p, lines[p.index]) - p.timing.span.start) for p in placements)
    assert len(late) == 1000
    assert late[500] <= MS
    assert late[-1] <= seconds(0.16)


def test_isotonic_regression_pools_what_is_out_of_order() -> None:
    assert isotonic([1.0, 3.0, 2.0, 5.0], [1.0, 1.0, 1.0, 1.0]) == [1.0, 2.5, 2.5, 5.0]
    assert isotonic([4.0, 0.0], [3.0, 1.0]) == [3.0, 3.0]
    assert isotonic([], []) == []


def test_only_lines_of_different_speakers_may_overlap() -> None:
    assert may_overlap(line(span(0, 2), "a"), line(span(1, 3), "b"))
    assert not may_overlap(line(span(0, 2), "a"), line(span(1, 3), "a"))
    assert not may_overlap(line(span(0, 1), "a"), line(span(1, 3), "b"))
