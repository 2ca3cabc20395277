"""Captions for the lines of the finished dub, within the limits that broadcasters use.

Sources of the limits: BBC Subtitle Guidelines; Netflix Timed Text Style Guide (42 characters a row, 16 for Chinese and
Korean; two rows; 5/6 s to 7 s; 17 characters a second, 9 for Chinese).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.orthography import is_cjk, width
from lipdub.words_to_sound.script.row_breaks import TextUnit, break_cost, break_rows, row_width, text_units
from lipdub.words_to_sound.script.ttml import ttml_text
from lipdub.words_to_sound.script.write import subtitle_text

_CHAIN = Fraction(1, 2)  # seconds; if the pause between two captions is shorter, the first is shown until the second


@dataclass(frozen=True, slots=True)
class Caption:
    """One or two ``rows`` of text in logical order, shown together in ``span``."""

    span: Span
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubtitleOptions:
    """A caption has at most ``rows`` (1 or 2) of ``characters`` each (for Chinese, Japanese and Korean ``cjk``
    full-width ones). It is read at no more than ``speed`` characters a second (``cjk_speed``) if there is time, and
    shown for ``shortest`` to ``longest`` seconds. ``gap`` seconds are between captions."""

    rows: int = 2
    characters: int = 42
    cjk: int = 16
    speed: Fraction = Fraction(17)
    cjk_speed: Fraction = Fraction(9)
    shortest: Fraction = Fraction(5, 6)
    longest: Fraction = Fraction(7)
    gap: Fraction = Fraction(2, 25)


def captions_for(lines: Sequence[Line], options: SubtitleOptions = SubtitleOptions()) -> tuple[Caption, ...]:
    """Captions with all words of ``lines``, in order of time, never two at the same time.

    A line that is too long becomes several captions, divided where sentences and clauses end, at the times of its words
    if they are known. If lines are too close together, captions are shown later. Two short lines at the same time share
    a caption, with dashes.
    """
    drafts = [draft for line in sorted(lines, key=lambda line: line.span) for draft in _drafts(line, options)]
    drafts = _joined_drafts(sorted(drafts, key=lambda d: d.span.start), options)
    return _captions(drafts, options)


def captions_text(captions: Sequence[Caption], ending: str, language: str = "") -> str:
    """``captions`` as SubRip (``ending`` ".srt"), WebVTT (".vtt") or TTML in ``language`` (".ttml")."""
    rows = [(caption.span, caption.rows) for caption in captions]
    return ttml_text(rows, language) if ending == ".ttml" else subtitle_text(rows, ending)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A caption without its final times: when it is said (``span``), and the seconds it takes to read (``reading``)."""

    span: Span
    rows: tuple[str, ...]
    reading: Fraction
    language: str


def _widest(language: str, options: SubtitleOptions) -> float:
    return float(options.cjk if is_cjk(language) else options.characters)


def _drafts(line: Line, options: SubtitleOptions) -> list[_Draft]:
    widest = _widest(line.language, options)
    parts = text_units(line.text, line.language, widest)
    times = _unit_times(line, parts)
    speed = options.cjk_speed if is_cjk(line.language) else options.speed
    out = []
    for first, stop in pairwise(_cuts(parts, times, line.language, options)):
        rows = break_rows(parts[first:stop], line.language, widest, options.rows)
        assert rows is not None
        reading = Fraction(width("".join(rows), line.language)) / speed
        out.append(_Draft(Span(times[first].start, times[stop - 1].end), rows, reading, line.language))
    return out


def _unit_times(line: Line, parts: Sequence[TextUnit]) -> list[Span]:
    """When each unit is said: by the times of the line's words if they are its text, else in proportion to
    characters."""
    counts = [len(word.text.replace(" ", "")) for word in line.words]
    same = "".join(w.text for w in line.words).replace(" ", "") == "".join(p.text for p in parts)
    spans = [w.span for w in line.words] if same and parts else [line.span]
    edges = [0]
    for count in counts if same and parts else [sum(len(p.text) for p in parts)]:
        edges.append(edges[-1] + count)
    out, at = [], 0
    for part in parts:
        start, at = _instant(at, edges, spans, begins=True), at + len(part.text)
        end = _instant(at, edges, spans, begins=False)
        out.append(Span(start, max(start, end)))
    return out


def _instant(at: int, edges: Sequence[int], spans: Sequence[Span], begins: bool) -> Fraction:
    """When character ``at`` is said; where two spans meet, it is in the later one if a unit ``begins`` there."""
    k = min(bisect_right(edges, at if begins else at - 1) - 1, len(spans) - 1)
    length = edges[k + 1] - edges[k]
    return spans[k].start + spans[k].duration * Fraction(at - edges[k], max(length, 1))


def _cuts(parts: Sequence[TextUnit], times: Sequence[Span], language: str, options: SubtitleOptions) -> list[int]:
    """The indexes of the units at which captions begin, and the end: the division with the least cost, by dynamic
    programming, in which each caption fits into its rows."""
    widest = _widest(language, options)
    costs, backs = [0.0] + [float("inf")] * len(parts), [0] * (len(parts) + 1)
    for stop in range(1, len(parts) + 1):
        for first in range(stop - 1, -1, -1):
            if break_rows(parts[first:stop], language, widest, options.rows) is None:
                break
            cost = costs[first] + _cost(parts, times, (first, stop), language, options)
            cost += 0.6 * max(0.0, 1 - 2 * row_width(parts[first:stop]) / widest) * (stop - first < len(parts))
            if cost < costs[stop]:
                costs[stop], backs[stop] = cost, first
    cuts = [len(parts)]
    while cuts[-1] > 0:
        cuts.append(backs[cuts[-1]])
    return cuts[::-1]


def _cost(
    parts: Sequence[TextUnit], times: Sequence[Span], piece: tuple[int, int], language: str, options: SubtitleOptions
) -> float:
    """The cost of one caption: 1, and more if it is shown too long or ends in the middle of a phrase."""
    first, stop = piece
    long = float(max((times[stop - 1].end - times[first].start) / options.longest - 1, Fraction(0)))
    return 1.0 + long + (break_cost(parts[stop - 1], parts[stop], language) if stop < len(parts) else 0.0)


def _joined_drafts(drafts: Sequence[_Draft], options: SubtitleOptions) -> list[_Draft]:
    """``drafts``, where two of one row each that begin at almost the same time become one of two rows, with dashes."""
    out: list[_Draft] = []
    for draft in drafts:
        before = out[-1] if out else None
        if before is not None and options.rows > 1 and draft.span.start - before.span.start < options.shortest:
            rows = tuple(f"- {row}" for row in (*before.rows, *draft.rows))
            fits = all(width(row, draft.language) <= _widest(draft.language, options) for row in rows)
            if len(rows) == 2 and fits and draft.span.overlaps(before.span):
                span = Span(before.span.start, max(before.span.end, draft.span.end))
                out[-1] = replace(before, span=span, rows=rows, reading=before.reading + draft.reading)
                continue
        out.append(draft)
    return out


def _captions(drafts: Sequence[_Draft], options: SubtitleOptions) -> tuple[Caption, ...]:
    """The captions with their final times: shown while they are said and as long as it takes to read them, if the next
    caption leaves that time."""
    starts: list[Fraction] = []
    for draft in drafts:
        free = starts[-1] + options.shortest + options.gap if starts else draft.span.start
        starts.append(max(draft.span.start, free))
    out = []
    for k, (start, draft) in enumerate(zip(starts, drafts, strict=True)):
        end = max(draft.span.end, start + draft.reading, start + options.shortest)
        if k + 1 < len(starts):
            room = starts[k + 1] - options.gap
            end = room if end > room - (_CHAIN - options.gap) else end
        out.append(Caption(Span(start, min(end, start + options.longest)), draft.rows))
    return tuple(out)
