"""The parts of a source that a project leaves as filmed (``--skip``), as its manifest remembers them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from lipdub.errors import InputError, OptionError
from lipdub.timeline.language_plan import PlannedLine
from lipdub.timeline.project import Project
from lipdub.timeline.time import Span, merge_spans, parse_time_or_fraction, timecode

_ALWAYS = Fraction(10**7)
"""Seconds: longer than any clip."""


def ranges_of(project: Project, zero: Fraction) -> tuple[Span, ...]:
    """The parts that are not dubbed, sorted and disjoint, on the plan's clock, which shows ``zero`` where players start
    the source. Raises ``InputError`` for what is no part."""
    given = project.options.get("skip", ())
    out = []
    for text in given if isinstance(given, tuple) else ():
        start, _, end = text.partition("-")
        try:
            out.append(Span(parse_time_or_fraction(start), parse_time_or_fraction(end)).shifted(zero))
        except ValueError as wrong:
            raise InputError(f"options: skip: {text:.40}: {wrong}", remedy="Mend it in project.json") from wrong
    return merge_spans(out)


def excluded_of(project: Project, zero: Fraction) -> tuple[Span, ...]:
    """Everything that the options of a project leave as filmed: ``--skip``, and what lies before ``--from`` and after
    ``--until``. As ``ranges_of``."""
    before, after = (str(project.options.get(name) or "") for name in ("from_", "until"))
    out = list(ranges_of(project, zero))
    try:
        if before:
            out.append(Span(zero - _ALWAYS, zero + parse_time_or_fraction(before)))
        if after:
            out.append(Span(zero + parse_time_or_fraction(after), zero + _ALWAYS))
    except ValueError as wrong:
        raise InputError(f"options: from_ or until: {wrong}", remedy="Mend it in project.json") from wrong
    return merge_spans(out)


def begins_in(planned: PlannedLine, excluded: Iterable[Span]) -> bool:
    """True if a line begins in one of the spans ``excluded``: then it is not said."""
    return any(planned.line.span.start in span for span in excluded)


def project_with_ranges(project: Project, spans: Sequence[Span], zero: Fraction) -> Project:
    """The project in which these ``spans`` are not dubbed. Raises ``OptionError``."""
    for span in spans:
        if span.start < zero or span.end <= span.start:
            told = f"{timecode(span.start - zero)} to {timecode(span.end - zero)}"
            raise OptionError(f"{told} is no part of the clip", remedy="Give a start in the clip, and a later end")
    texts = tuple(f"{_text(span.start - zero)}-{_text(span.end - zero)}" for span in merge_spans(spans))
    others = {name: value for name, value in project.options.items() if name != "skip"}
    return replace(project, options={**others, "skip": texts} if texts else others)


def _text(seconds: Fraction) -> str:
    exact = (seconds * 1000).denominator == 1
    return timecode(seconds) if exact else f"{seconds.numerator}/{seconds.denominator}"
