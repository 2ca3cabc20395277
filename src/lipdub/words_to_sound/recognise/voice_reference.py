"""The cleanest seconds of a speaker: what a voice that can sound like somebody is given."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from lipdub.timeline.lines import Line, Word
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span, merge_spans


@dataclass(frozen=True, slots=True)
class VoiceReferenceOptions:
    """A stretch lasts ``shortest`` to ``longest`` seconds and holds no pause above ``pause`` (twice that, if none is
    found); ``margin`` is left around it where there is silence. Its words are surer than ``sure`` and its sound voiced
    above ``voiced`` on average."""

    shortest: Fraction = Fraction(3)
    longest: Fraction = Fraction(10)
    pause: Fraction = Fraction(7, 10)
    margin: Fraction = Fraction(1, 10)
    sure: float = 0.5
    voiced: float = 0.5


def reference_span(
    lines: Sequence[Line],
    features: SpeechFeatures,
    others: Sequence[Span] = (),
    options: VoiceReferenceOptions = VoiceReferenceOptions(),
) -> Span | None:
    """The best stretch of one speaker's ``lines`` (clip time, in order): continuous, confident, voiced speech.

    ``others`` is when other people speak: nothing of it is in the stretch. None if no stretch is good enough. It
    begins and ends with a word.
    """
    words = [word for line in lines for word in (line.words or (Word(line.text, line.span),))]
    others = merge_spans(others)
    free = [w for w in words if w.span.duration > 0 and not _disturbed(w.span, others)]
    best = _best(free, others, features, options)
    if best is None:
        best = _best(free, others, features, replace(options, pause=2 * options.pause))
    return None if best is None else _with_margin(best, [*(w.span for w in words), *others], features, options.margin)


def _best(
    words: Sequence[Word], others: Sequence[Span], features: SpeechFeatures, options: VoiceReferenceOptions
) -> Span | None:
    best, best_score = None, 0.0
    for stretch in _stretches(words, others, options):
        span = Span(stretch[0].span.start, stretch[-1].span.end)
        sure, voiced = _sureness(stretch), _voiced(features, span)
        score = sure * voiced * float(span.duration / options.longest) ** 0.5
        if score > best_score and sure >= options.sure and voiced >= options.voiced:
            best, best_score = span, score
    return best


def _stretches(
    words: Sequence[Word], others: Sequence[Span], options: VoiceReferenceOptions
) -> Iterator[Sequence[Word]]:
    """Every run of words of an allowed length that nothing interrupts, the longest that begins with each word."""
    stop = 0
    breaks = [k for k, (a, b) in enumerate(pairwise(words), 1) if _apart(a, b, others, options)] + [len(words)]
    ends = iter(breaks)
    limit = next(ends)
    for first in range(len(words)):
        while first >= limit:
            limit = next(ends)
        stop = max(stop, first + 1)
        while stop < limit and words[stop].span.end - words[first].span.start <= options.longest:
            stop += 1
        lasts = words[stop - 1].span.end - words[first].span.start
        if options.shortest <= lasts <= options.longest:
            yield words[first:stop]


def _apart(a: Word, b: Word, others: Sequence[Span], options: VoiceReferenceOptions) -> bool:
    if not 0 <= b.span.start - a.span.end <= options.pause:
        return True
    return _disturbed(Span(a.span.end, b.span.start), others)


def _disturbed(span: Span, others: Sequence[Span]) -> bool:
    """True if one of ``others``, sorted and disjoint, overlaps ``span``."""
    k = bisect_left(others, span.end, key=lambda o: o.start)
    return k > 0 and others[k - 1].overlaps(span)


def _sureness(words: Sequence[Word]) -> float:
    """The mean confidence, words weighted by how long they last."""
    weights = np.array([float(w.span.duration) for w in words])
    return float(np.average([w.confidence for w in words], weights=weights))


def _voiced(features: SpeechFeatures, span: Span) -> float:
    first, stop = (min(max(int((t - features.start) / FEATURE_STEP), 0), len(features)) for t in (span.start, span.end))
    return float(features.voiced[first:stop].mean()) if stop > first else 0.0


def _with_margin(span: Span, spoken: Sequence[Span], features: SpeechFeatures, margin: Fraction) -> Span:
    """``span`` wider by ``margin``, but not into anything spoken, nor beyond what was heard."""
    before = max([s.end for s in spoken if s.end <= span.start], default=features.span.start)
    after = min([s.start for s in spoken if s.start >= span.end], default=features.span.end)
    start, end = max(span.start - margin, before, features.span.start), min(span.end + margin, after, features.span.end)
    return Span(min(start, span.start), max(end, span.end))
