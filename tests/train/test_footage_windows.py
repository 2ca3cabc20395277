"""Windows hold whole words, have 8 k + 1 frames and do not overlap."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.lines import Line, Word
from lipdub.timeline.time import Span
from lipdub.train import footage_windows
from lipdub.train.footage_windows import SpokenPart, spoken_parts
from lipdub.train.other_words import SENTENCES, other_language, other_lines
from lipdub.words_to_sound.translate.length_budget import natural_duration


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 120)), min_size=1, max_size=12),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(12)]),
    st.integers(1, 12),
)
def test_a_window_ends_between_words(lengths, rate, most):
    parts, at = [], Fraction(0)
    for pause, length in lengths:
        start = at + Fraction(pause, 50)
        at = start + Fraction(length, 50)
        parts.append(SpokenPart(Span(start, at), "word"))
    end, most = at + Fraction(1, 3), 8 * most + 1
    found = footage_windows._longest(parts, Fraction(0), end, rate, (9, most))
    if found is None:
        return
    taken, count = found
    assert count % 8 == 1
    assert 9 <= count <= most
    stop = count / rate
    assert stop <= end
    assert all(part.span.end <= stop for part in parts[:taken])
    assert all(part.span.start >= stop for part in parts[taken:])


def test_words_are_what_is_not_cut_and_lines_where_words_have_no_times():
    def span(start: int, end: int) -> Span:
        return Span(Fraction(start), Fraction(end))

    words = (Word("Hola", span(1, 2)), Word("a", span(2, 3)))
    lines = [Line("Adiós.", span(4, 5)), Line("Hola a", span(1, 3), words=words)]
    assert [part.text for part in spoken_parts(lines)] == ["Hola", "a", "Adiós."]


@given(st.sampled_from(sorted(SENTENCES)), st.lists(st.integers(1, 80), min_size=1, max_size=6), st.integers(0, 9))
def test_other_words_take_about_as_long_as_the_line(language, tenths, first):
    lines = [Line("x", Span(Fraction(i * 10), Fraction(i * 100 + n, 10)), "de") for i, n in enumerate(tenths)]
    for line, other in zip(lines, other_lines(lines, language, first), strict=True):
        assert other.span == line.span
        assert natural_duration(other.text, language) >= line.span.duration * Fraction(3, 4)


def test_other_words_are_of_another_language():
    assert other_language("es-MX") != "es"
    assert other_language("ja") in SENTENCES
