"""The cleanest seconds of a speaker, as a reference for voice cloning."""

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
    """A reference lasts ``shortest`` to ``longest`` seconds and has no pause longer than ``pause`` (twice that, if
    there is none otherwise). ``margin`` seconds of silence are added around it. The mean confidence of its words is at
    least ``confidence``, and the mean voice activity at least ``voice_activity``."""

    shortest: Fraction = Fraction(3)
    longest: Fraction = Fraction(10)
    pause: Fraction = Fraction(7, 10)
    margin: Fraction = Fraction(1, 10)
    confidence: float = 0.5
    voice_activity: float = 0.5


def reference_span(
    lines: Sequence[Line],
    features: SpeechFeatures,
    others: Sequence[Span] = (),
    options: VoiceReferenceOptions = VoiceReferenceOptions(),
) -> Span | None:
    """The best reference in one speaker's ``lines`` (in order of time), in clip time, or None if there is none.

    It is continuous speech with high confidence and voice activity, and begins and ends with a word. ``others`` is when
    other people speak; the reference does not overlap it.
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
        confidence, activity = _mean_confidence(stretch), _mean_activity(features, span)
        score = confidence * activity * float(span.duration / options.longest) ** 0.5
        enough = confidence >= options.confidence and activity >= options.voice_activity
        if score > best_score and enough:
            best, best_score = span, score
    return best


def _stretches(
    words: Sequence[Word], others: Sequence[Span], options: VoiceReferenceOptions
) -> Iterator[Sequence[Word]]:
    """For each word, the longest uninterrupted run of words that begins with it, if its duration is allowed."""
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


def _mean_confidence(words: Sequence[Word]) -> float:
    """The mean confidence of ``words``, weighted by their durations."""
    weights = np.array([float(w.span.duration) for w in words])
    return float(np.average([w.confidence for w in words], weights=weights))


def _mean_activity(features: SpeechFeatures, span: Span) -> float:
    first, stop = (min(max(int((t - features.start) / FEATURE_STEP), 0), len(features)) for t in (span.start, span.end))
    return float(features.voice_activity[first:stop].mean()) if stop > first else 0.0


def _with_margin(span: Span, spoken: Sequence[Span], features: SpeechFeatures, margin: Fraction) -> Span:
    """``span`` widened by ``margin``, but not into any of the ``spoken`` spans, nor beyond the features."""
    before = max([s.end for s in spoken if s.end <= span.start], default=features.span.start)
    after = min([s.start for s in spoken if s.start >= span.end], default=features.span.end)
    start, end = max(span.start - margin, before, features.span.start), min(span.end + margin, after, features.span.end)
    return Span(min(start, span.start), max(end, span.end))
