"""Transcription of sound of any length: it is cut at pauses, and one piece at a time is recognised, in one language."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.timeline.lines import Word
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.seam import Recogniser, Transcript

_SMOOTHING = 25  # rows (half a second) over which voice activity is summed to find the best cut in unbroken speech


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """Pieces last at most ``longest`` seconds. Silence of ``apart`` seconds or more is skipped. ``margin`` seconds of
    silence are left around speech."""

    longest: Fraction = Fraction(300)
    apart: Fraction = Fraction(10)
    margin: Fraction = Fraction(1, 2)


def transcribe(
    recogniser: Recogniser, sound: Sound | Iterable[Sound], features: SpeechFeatures, language: str = ""
) -> Transcript:
    """All words of ``sound`` (mono, 16 kHz), which is one sound or consecutive blocks of any length.

    ``features`` are those of the same sound; they say where somebody speaks. ``language`` "" is detected in the first
    speech and kept for the rest. Memory is that of the longest block and of one piece of five minutes. Raises what
    ``recogniser.transcribe`` raises.
    """
    blocks = [sound] if isinstance(sound, Sound) else sound
    words: list[Word] = []
    detected, confidence = language, 0.0
    for piece in sound_in_spans(blocks, spans_to_transcribe(features)):
        result = recogniser.transcribe(piece, detected)
        if result.words and not words:
            detected, confidence = result.language, result.confidence
        last = words[-1].span.end if words else piece.start
        words += [w for w in result.words if w.span.end > last]
    return Transcript(tuple(words), detected, confidence)


def spans_to_transcribe(features: SpeechFeatures, options: TranscribeOptions = TranscribeOptions()) -> tuple[Span, ...]:
    """The spans that a recogniser is given: sorted, disjoint, with all speech in them, cut in pauses if possible."""
    speech = speech_spans(features)
    out: list[Span] = []
    for group in _groups(speech, options.apart):
        while group:
            taken = _fitting(group, options.longest)
            if taken == 0:
                middle = _least_active(features, group[0], options.longest)
                out.append(Span(group[0].start, middle))
                group = [Span(middle, group[0].end), *group[1:]]
                continue
            out.append(Span(group[0].start, group[taken - 1].end))
            group = group[taken:]
    return _with_margins(out, features.span, options.margin)


def _groups(speech: Sequence[Span], apart: Fraction) -> list[list[Span]]:
    groups: list[list[Span]] = []
    for span in speech:
        if groups and span.start - groups[-1][-1].end < apart:
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _fitting(group: Sequence[Span], longest: Fraction) -> int:
    """How many spans of ``group`` go into the next piece: all if they fit, else those before the longest pause in the
    second half of what fits."""
    fits = sum(1 for span in group if span.end - group[0].start <= longest)
    if fits in (0, len(group)):
        return fits
    late = [k for k in range(1, fits + 1) if group[k - 1].end - group[0].start >= longest / 2] or [fits]
    return max(late, key=lambda k: (group[k].start - group[k - 1].end, k))


def _least_active(features: SpeechFeatures, span: Span, longest: Fraction) -> Fraction:
    """The instant with the least voice activity in the last third of the first ``longest`` seconds of ``span``."""
    first = int((span.start + longest * 2 / 3 - features.start) / FEATURE_STEP)
    stop = int((span.start + longest - features.start) / FEATURE_STEP)
    padded = np.pad(features.voice_activity[first:stop], _SMOOTHING // 2, mode="edge")
    return features.start + (first + int(np.argmin(np.convolve(padded, np.ones(_SMOOTHING), "valid")))) * FEATURE_STEP


def _with_margins(spans: Sequence[Span], whole: Span, margin: Fraction) -> tuple[Span, ...]:
    """``spans`` widened by ``margin``, but not beyond the middle of the pause between two spans."""
    out = []
    for k, span in enumerate(spans):
        low = (spans[k - 1].end + span.start) / 2 if k else whole.start
        high = (span.end + spans[k + 1].start) / 2 if k + 1 < len(spans) else whole.end
        out.append(Span(max(span.start - margin, low), min(span.end + margin, high)))
    return tuple(out)


def sound_in_spans(blocks: Iterable[Sound], spans: Sequence[Span]) -> Iterator[Sound]:
    """The sound in each of the sorted, disjoint ``spans``; ``blocks`` are consecutive and are read once, as needed.

    Time that no block covers is left out of a piece; a span that no block covers gives no piece.
    """
    waiting = list(reversed(spans))
    held: list[Sound] = []
    for block in blocks:
        assert (block.rate, block.samples.shape[0]) == (ANALYSIS_RATE, 1), "pieces are cut from mono sound at 16 kHz"
        while waiting and waiting[-1].start < block.span.end:
            part = cut_sound(block, waiting[-1])
            if part.samples.shape[1]:
                held.append(part)
            if waiting[-1].end > block.span.end:
                break
            waiting.pop()
            yield from _joined(held)
            held = []
        if not waiting:
            return
    yield from _joined(held)


def cut_sound(sound: Sound, span: Span) -> Sound:
    """The samples of ``sound`` whose instants lie in ``span``, possibly none."""
    length = sound.samples.shape[1]
    first, stop = (
        min(max(-(-(t - sound.start) * sound.rate // 1), 0), length)  # the first sample not before t
        for t in (span.start, span.end)
    )
    first, stop = int(first), int(max(first, stop))
    return Sound(sound.samples[:, first:stop], sound.rate, sound.start + Fraction(first, sound.rate))


def _joined(parts: Sequence[Sound]) -> Iterator[Sound]:
    if parts:
        samples = parts[0].samples if len(parts) == 1 else np.concatenate([p.samples for p in parts], axis=1)
        yield Sound(samples, parts[0].rate, parts[0].start)
