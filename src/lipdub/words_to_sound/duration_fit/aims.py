"""When the source speaks each line: what its dub aims at."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lipdub.acoustics.speech_spans import SpeechSpanOptions, speech_spans
from lipdub.timeline.lines import Line
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, merge_spans

REACH = Fraction(1, 2)
"""Seconds by which a script's times may miss the speech they mean."""

_MATTERS = Fraction(3, 20)  # less speech than this on one side of a border belongs to the other side
_LINGERS = Fraction(8, 100)  # seconds; measured on synthetic voices in quiet and in noise: 0.05 to 0.2
_AT_ONCE = 4  # tangles of different speakers that may go on at the same time
_SOURCE = SpeechSpanOptions(shortest=Fraction(1, 10), pause=Fraction(3, 20), padding=Fraction(0))


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a line is wished: from the first onset to the last offset of its ``windows`` (clip time, sorted,
    disjoint, at least one). ``heard`` False: the source is silent there, and the window is the line's own span."""

    windows: tuple[Span, ...]
    features: bool = True

    @property
    def span(self) -> Span:
        """From the first onset to the last offset."""
        return Span(self.windows[0].start, self.windows[-1].end)


def source_windows(features: SpeechFeatures) -> tuple[Span, ...]:
    """Where the source speaks, close to the voice: no padding, pauses of 0.15 s and longer are kept, and the moment
    by which the model falls silent late is taken off."""
    return tuple(Span(s.start, max(s.end - _LINGERS, (s.start + s.end) / 2)) for s in speech_spans(features, _SOURCE))


def may_overlap(a: Line, b: Line) -> bool:
    """True if both were written to be heard at once: by different speakers, in spans that overlap."""
    return a.speaker != b.speaker and a.span.overlaps(b.span)


def aims(lines: Sequence[Line], windows: Sequence[Span]) -> tuple[Aim, ...]:
    """The aim of every line, in order of ``lines``; ``windows`` is when the source speaks (empty: it does not).

    A line takes the speech within ``REACH`` of its span, up to the border with its neighbours; a window that two
    lines share is cut at their border unless one of them has hardly any of it. A line without speech takes its span.
    """
    speech = merge_spans(windows)
    spans = _untangled(lines)
    grounds = _grounds(lines, spans, speech)
    return tuple(_aim(span, ground, speech) for span, ground in zip(spans, grounds, strict=True))


def _aim(span: Span, ground: Span, speech: tuple[Span, ...]) -> Aim:
    within = span.intersection(ground) or Span(ground.start, ground.start)
    cuts = (window.intersection(ground) for window in _near(speech, ground.start, ground.end))
    own = tuple(cut for cut in cuts if cut is not None and cut.overlaps(within))
    return Aim(own) if own else Aim((within,), features=False)


def _untangled(lines: Sequence[Line]) -> list[Span]:
    """The lines' spans; where lines that cannot be heard at once lie upon each other by more than half, they share
    what they cover in proportion to their lengths, in order."""
    order = _in_order([line.span for line in lines])
    spans = [line.span for line in lines]
    tangles: list[list[int]] = []
    for i in order:
        for tangle in reversed(tangles[-_AT_ONCE:]):
            if any(_tangled(lines[i], lines[j]) for j in tangle):
                tangle.append(i)
                break
        else:
            tangles.append([i])
    for tangle in tangles:
        whole = merge_spans(lines[i].span for i in tangle)
        if len(tangle) == 1 or not whole:
            continue
        at, share = whole[0].start, whole[0].duration / sum(lines[i].span.duration for i in tangle)
        for i in tangle:
            spans[i] = Span(at, at + lines[i].span.duration * share)
            at = spans[i].end
    return spans


def _tangled(a: Line, b: Line) -> bool:
    both = a.span.intersection(b.span)
    shorter = min(a.span.duration, b.span.duration)
    return both is not None and not may_overlap(a, b) and both.duration > shorter / 2


def _in_order(spans: Sequence[Span]) -> list[int]:
    return sorted(range(len(spans)), key=lambda i: (spans[i], i))


def _grounds(lines: Sequence[Line], spans: Sequence[Span], speech: tuple[Span, ...]) -> list[Span]:
    """What each line may take from: its span and a little more, up to the border with those before and after."""
    order = _in_order(spans)
    first = [span.start - REACH for span in spans]
    last = [span.end + REACH for span in spans]
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            if may_overlap(lines[i], lines[j]):
                last[i], first[j] = min(last[i], spans[i].end), max(first[j], spans[j].start)
                continue
            border = _border(spans[i], spans[j], speech)
            last[i], first[j] = min(last[i], border), max(first[j], border)
            break
    zero = Fraction(0)
    return [Span(max(a, zero), max(a, b, zero)) for a, b in zip(first, last, strict=True)]


def _border(left: Span, right: Span, speech: tuple[Span, ...]) -> Fraction:
    """Where ``left`` stops and ``right``, which starts no earlier, begins: between them, not inside a word."""
    middle = (min(left.end, right.end) + right.start) / 2
    for window in _near(speech, middle, middle):
        ours, theirs = window.intersection(left), window.intersection(right)
        if theirs is None or theirs.duration < _MATTERS:
            return min(window.end, right.end)
        if ours is None or ours.duration < _MATTERS:
            return max(window.start, left.start)
    return middle


def _near(speech: tuple[Span, ...], start: Fraction, end: Fraction) -> tuple[Span, ...]:
    """The windows that are heard at some instant from ``start`` to ``end``, both included."""
    first = bisect_right(speech, start, key=lambda w: w.end)
    return speech[first : bisect_right(speech, end, key=lambda w: w.start)]
