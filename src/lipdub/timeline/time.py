"""Exact time: times, durations and rates are ``Fraction``; spans are half-open."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter

Instant = Fraction
"""Seconds from the clip's zero."""


def exact(value: "int | str | Fraction") -> Fraction:
    """A number as a ``Fraction``: ``"30000/1001"``, ``"1.5"``, ``2`` and fractions are accepted, floats are refused.

    Raises ``TypeError`` for a float (it is already rounded) and ``ValueError`` for other text.
    """
    if type(value) is Fraction:
        return value
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; give a string or a Fraction, so that time stays exact")
    try:
        return Fraction(value)
    except ZeroDivisionError as error:
        raise ValueError(f"'{value}' divides by zero") from error


def parse_instant(text: str) -> Fraction:
    """Seconds from ``"83.5"``, ``"1:23.5"`` or ``"0:01:23.500"``. Raises ``ValueError`` otherwise."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not a time; write seconds or h:mm:ss.mmm")
    before, whole, _, part = found.groups()
    seconds = 0
    for number in (before or "").split(":")[:-1]:
        seconds = seconds * 60 + int(number)
    unit = 10 ** len(part or "")
    return Fraction((seconds * 60 + int(whole)) * unit + int(part or 0), unit)


_TIME = re.compile(r"((?:\d+:){0,2})(\d+)([.,](\d+))?")


def parse_time_or_fraction(text: str) -> Fraction:
    """Seconds as ``parse_instant`` reads them, or from an exact fraction of them: ``"1001/30000"``. Raises
    ``ValueError``."""
    if not re.fullmatch(r"\d+/\d+", text.strip()):
        return parse_instant(text)
    return exact(text.strip())


def timecode(instant: Fraction) -> str:
    """``h:mm:ss.mmm`` for display only, rounded down to the millisecond; negative times have a minus sign."""
    sign = "-" if instant < 0 else ""
    milliseconds = abs(instant.numerator) * 1000 // instant.denominator
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """Half-open interval of time ``[start, end)`` in seconds. Never negative; may be empty."""

    start: Fraction
    end: Fraction

    def __post_init__(self) -> None:
        """Refuse floats and a span that ends before it starts."""
        if type(self.start) is not Fraction or type(self.end) is not Fraction:
            object.__setattr__(self, "start", exact(self.start))
            object.__setattr__(self, "end", exact(self.end))
        if self.end < self.start:
            raise ValueError(f"a span cannot end ({self.end}) before it starts ({self.start})")

    @property
    def duration(self) -> Fraction:
        """Length in seconds."""
        return self.end - self.start

    def __contains__(self, instant: Fraction) -> bool:
        return self.start <= instant < self.end

    def overlaps(self, other: "Span") -> bool:
        """True if both have a time in common."""
        return max(self.start, other.start) < min(self.end, other.end)

    def intersection(self, other: "Span") -> "Span | None":
        """The span that both have in common, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None

    def shifted(self, by: Fraction) -> "Span":
        """The same length, ``by`` seconds later."""
        return Span(self.start + by, self.end + by)

    def widened(self, by: Fraction) -> "Span":
        """``by`` seconds longer at both ends; with a negative ``by`` shorter, at most down to its middle."""
        middle = (self.start + self.end) / 2
        return Span(min(self.start - by, middle), max(self.end + by, middle))


def merge_spans(spans: Iterable[Span], gap: Fraction = Fraction(0)) -> tuple[Span, ...]:
    """Union of spans, sorted and disjoint. Spans at most ``gap`` apart are merged; empty spans are dropped."""
    out: list[Span] = []
    held: Span | None = None
    end = reach = Fraction(0)
    for span in sorted((s for s in spans if s.start < s.end), key=_start):
        if held is not None and span.start <= reach:
            if span.end > end:
                end, reach = span.end, span.end + gap
            continue
        if held is not None:
            out.append(held if held.end == end else Span(held.start, end))
        held, end, reach = span, span.end, span.end + gap
    if held is not None:
        out.append(held if held.end == end else Span(held.start, end))
    return tuple(out)


def subtract_spans(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """The parts of ``spans`` that lie in none of ``holes``, sorted and disjoint. Time is linear in the spans, once
    they are sorted."""
    cuts, at = merge_spans(holes), 0
    out: list[Span] = []
    for span in merge_spans(spans):
        start = span.start
        while at < len(cuts) and cuts[at].end <= start:
            at += 1
        for number in range(at, len(cuts)):
            hole = cuts[number]
            if hole.start >= span.end:
                break
            if hole.start > start:
                out.append(Span(start, hole.start))
            start = max(start, hole.end)
        if start < span.end:
            out.append(Span(start, span.end))
    return tuple(out)


def shared_spans(spans: Sequence[Span], others: Sequence[Span]) -> tuple[Span, ...]:
    """Where both are. Both must be sorted and disjoint, as ``merge_spans`` returns them; time is linear."""
    out: list[Span] = []
    i = j = 0
    while i < len(spans) and j < len(others):
        shared = spans[i].intersection(others[j])
        if shared is not None:
            out.append(shared)
        if spans[i].end < others[j].end:
            i += 1
        else:
            j += 1
    return tuple(out)


def spans_near(spans: Sequence[Span], span: Span) -> Sequence[Span]:
    """Those of ``spans``, sorted and disjoint, that overlap ``span``; found by bisection."""
    first = bisect_right(spans, span.start, key=_end)
    return spans[first : bisect_left(spans, span.end, lo=first, key=_start)]


_start, _end = attrgetter("start"), attrgetter("end")


def total_duration(spans: Iterable[Span]) -> Fraction:
    """Seconds that the spans cover; overlaps count once."""
    return sum((s.duration for s in merge_spans(spans)), Fraction(0))
