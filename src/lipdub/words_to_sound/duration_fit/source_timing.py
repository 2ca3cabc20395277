"""When the source speaks each line: the wanted time of its dub."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from lipdub.acoustics.speech_spans import SpeechSpanOptions, speech_spans
from lipdub.timeline.lines import Line
from lipdub.timeline.retiming import SAME_CLOCK, Retiming
from lipdub.timeline.runs import true_runs
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span, merge_spans, subtract_spans

REACH = Fraction(1, 2)
"""Seconds by which a script's times may differ from the speech they belong to."""

_LEAST_SPEECH = Fraction(3, 20)  # seconds; less speech on one side of a border belongs to the other side
_QUIET = 0.4  # of the way from the clip's quiet moments to its loud ones: below this, nobody speaks
_BREAK = 7  # rows of a pause at least: the closures of plosives are shorter
_FROM_START = Fraction(3, 10)  # seconds of loud sound at the beginning of a clip that voice activity may miss
_TRUSTED = 0.4  # the least share of a window that must be loud, or its level says nothing about its pauses
_LATE_END = Fraction(8, 100)  # seconds by which voice activity ends late; measured on synthetic voices: 0.05 to 0.2
_SHORTEST_PHRASE = Fraction(8, 100)  # seconds; what is left of a window beside a pause, if it is shorter, is no word
_OPEN_GROUPS = 4  # groups of overlapping lines (of different speakers) that may be open at the same time
_SOURCE = SpeechSpanOptions(shortest=Fraction(1, 10), pause=Fraction(3, 20), padding=Fraction(0))


@dataclass(frozen=True, slots=True)
class SourceTiming:
    """When the source speaks a line: in ``windows`` (clip time, sorted, disjoint, at least one).

    ``has_speech`` False: the source is silent there, and the only window is the line's own span.
    """

    windows: tuple[Span, ...]
    has_speech: bool = True

    @property
    def span(self) -> Span:
        """From the first onset to the last offset."""
        return Span(self.windows[0].start, self.windows[-1].end)


def source_windows(features: SpeechFeatures) -> tuple[Span, ...]:
    """Spans in which the source speaks, without padding; pauses of 0.15 s and longer separate them.

    Voice activity ends late, so each span is shortened by 0.08 s at its end (by half of it at most).
    """
    return tuple(Span(s.start, max(s.end - _LATE_END, (s.start + s.end) / 2)) for s in speech_spans(features, _SOURCE))


def source_phrases(features: SpeechFeatures) -> tuple[Span, ...]:
    """``source_windows`` cut where the level falls for 0.14 s and longer: the phrases between the source's pauses.

    Voice activity bridges pauses of up to half a second inside a sentence, the level (of 300 to 3400 Hz) does not. In
    windows of which less than 0.4 is loud, music or noise decide the level, and they stay whole.
    """
    low = features.energy[:, 0] < _QUIET
    quiet = [(a, b) for a, b in true_runs(low) if b - a >= _BREAK]
    pauses = [Span(features.start + a * FEATURE_STEP, features.start + b * FEATURE_STEP) for a, b in quiet]
    out: list[Span] = []
    for window in source_windows(features):
        cut = subtract_spans((window,), [pause for pause in pauses if pause.start > window.start])
        first, stop = (round((t - features.start) / FEATURE_STEP) for t in (window.start, window.end))
        rows = low[first:stop]
        kept = [span for span in cut if span.duration >= _SHORTEST_PHRASE]
        if not kept or not len(rows) or rows.mean() > 1 - _TRUSTED:
            out.append(window)
            continue
        before = window.start - features.start
        if before <= _FROM_START and not low[: round(before / FEATURE_STEP)].any():
            kept[0] = Span(features.start, kept[0].end)
        out += kept
    return tuple(out)


def may_overlap(a: Line, b: Line) -> bool:
    """True if the script has both lines at the same time: different speakers, overlapping spans."""
    return a.speaker != b.speaker and a.span.overlaps(b.span)


def source_timings(
    lines: Sequence[Line], windows: Sequence[Span], clock: Retiming = SAME_CLOCK
) -> tuple[SourceTiming, ...]:
    """The timing of each line, in order of ``lines``; ``windows`` is when the source speaks (empty: it does not).

    Lines and timings are on the clip's clock, ``windows`` on that of its file: a slowed picture changes nothing in what
    belongs to which line. ``clock`` has both.

    A line takes the speech within ``REACH`` of its span, up to the border with its neighbours. A window that two lines
    share is cut at their border, unless one of them has less than 0.15 s of it. A line without speech takes its own
    span.
    """
    speech = merge_spans(windows)
    if clock.points:
        lines = [replace(line, span=clock.file_span(line.span)) for line in lines]
    spans = _without_overlaps(lines)
    areas = _areas(lines, spans, speech)
    found = (_timing(span, area, speech) for span, area in zip(spans, areas, strict=True))
    return tuple(replace(one, windows=tuple(clock.span(window) for window in one.windows)) for one in found)


def _timing(span: Span, area: Span, speech: tuple[Span, ...]) -> SourceTiming:
    within = span.intersection(area) or Span(area.start, area.start)
    cuts = (window.intersection(area) for window in _near(speech, area.start, area.end))
    own = tuple(cut for cut in cuts if cut is not None and cut.overlaps(within))
    return SourceTiming(own) if own else SourceTiming((within,), has_speech=False)


def _without_overlaps(lines: Sequence[Line]) -> list[Span]:
    """The lines' spans. Lines that overlap by more than half though they must not share the time that they cover
    together, in order and in proportion to their durations."""
    order = _in_order([line.span for line in lines])
    spans = [line.span for line in lines]
    groups: list[list[int]] = []
    for i in order:
        for group in reversed(groups[-_OPEN_GROUPS:]):
            if any(_collide(lines[i], lines[j]) for j in group):
                group.append(i)
                break
        else:
            groups.append([i])
    for group in groups:
        whole = merge_spans(lines[i].span for i in group)
        if len(group) == 1 or not whole:
            continue
        at, share = whole[0].start, whole[0].duration / sum(lines[i].span.duration for i in group)
        for i in group:
            spans[i] = Span(at, at + lines[i].span.duration * share)
            at = spans[i].end
    return spans


def _collide(a: Line, b: Line) -> bool:
    """True if two lines that may not overlap do so by more than half of the shorter one."""
    both = a.span.intersection(b.span)
    shorter = min(a.span.duration, b.span.duration)
    return both is not None and not may_overlap(a, b) and both.duration > shorter / 2


def _in_order(spans: Sequence[Span]) -> list[int]:
    return sorted(range(len(spans)), key=lambda i: (spans[i], i))


def _areas(lines: Sequence[Line], spans: Sequence[Span], speech: tuple[Span, ...]) -> list[Span]:
    """Where each line may take speech from: its span and ``REACH`` more, up to the borders with its neighbours."""
    order = _in_order(spans)
    first = [span.start - REACH for span in spans]
    last = [span.end + REACH for span in spans]
    for place, i in enumerate(order):
        for j in (order[k] for k in range(place + 1, len(order))):
            if may_overlap(lines[i], lines[j]):
                last[i], first[j] = min(last[i], spans[i].end), max(first[j], spans[j].start)
                continue
            border = _border(spans[i], spans[j], speech)
            last[i], first[j] = min(last[i], border), max(first[j], border)
            break
    zero = Fraction(0)
    return [Span(max(a, zero), max(a, b, zero)) for a, b in zip(first, last, strict=True)]


def _border(left: Span, right: Span, speech: tuple[Span, ...]) -> Fraction:
    """The instant between ``left`` and ``right``, which starts no earlier: in the middle, or at the edge of a window of
    speech that belongs to one of them alone."""
    middle = (min(left.end, right.end) + right.start) / 2
    for window in _near(speech, middle, middle):
        ours, theirs = window.intersection(left), window.intersection(right)
        if theirs is None or theirs.duration < _LEAST_SPEECH:
            return min(window.end, right.end)
        if ours is None or ours.duration < _LEAST_SPEECH:
            return max(window.start, left.start)
    return middle


def _near(speech: tuple[Span, ...], start: Fraction, end: Fraction) -> tuple[Span, ...]:
    """The windows that hold an instant from ``start`` to ``end``, both included."""
    first = bisect_right(speech, start, key=lambda w: w.end)
    return speech[first : bisect_right(speech, end, key=lambda w: w.start)]
