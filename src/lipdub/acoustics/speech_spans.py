"""Spans of time in which somebody speaks."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float32

from lipdub.timeline.runs import true_runs
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span, merge_spans


@dataclass(frozen=True, slots=True)
class SpeechSpanOptions:
    """A span is a run of rows above ``leave`` of which at least one is above ``enter`` (probabilities of speech).

    Pauses shorter than ``pause`` are bridged, spans shorter than ``shortest`` are dropped, then ``padding`` is added at
    both ends; in seconds.
    """

    enter: float = 0.5
    leave: float = 0.3
    shortest: Fraction = Fraction(1, 5)
    pause: Fraction = Fraction(3, 10)
    padding: Fraction = Fraction(1, 10)


def speech_spans(features: SpeechFeatures, options: SpeechSpanOptions = SpeechSpanOptions()) -> tuple[Span, ...]:
    """Spans of clip time in which somebody speaks: sorted, disjoint, inside ``features.span``."""
    return activity_spans(features.voice_activity, features.start, options)


def activity_spans(
    activity: Float32[np.ndarray, " rows"], start: Fraction, options: SpeechSpanOptions = SpeechSpanOptions()
) -> tuple[Span, ...]:
    """The same as ``speech_spans``, from probabilities of speech (50 a second, the first at ``start``)."""
    runs = [(a, b) for a, b in true_runs(activity > options.leave) if activity[a:b].max() > options.enter]
    spans = [Span(start + a * FEATURE_STEP, start + b * FEATURE_STEP) for a, b in runs]
    long = [s for s in merge_spans(spans, options.pause) if s.duration >= options.shortest]
    whole = Span(start, start + len(activity) * FEATURE_STEP)
    inside = [s.widened(options.padding).intersection(whole) for s in long]
    return merge_spans(s for s in inside if s is not None)
