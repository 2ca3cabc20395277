"""A recogniser's way through sound of any length: cut at pauses, one piece in memory at a time, one language."""

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

_CALM = 25  # rows: half a second over which the calmest moment of unbroken speech is looked for


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """Pieces last ``longest`` seconds at most; ``apart`` seconds of silence or more are given to no piece;
    ``margin`` seconds of silence are left around speech."""

    longest: Fraction = Fraction(300)
    apart: Fraction = Fraction(10)
    margin: Fraction = Fraction(1, 2)


def transcribe(
    recogniser: Recogniser, sound: Sound | Iterable[Sound], features: SpeechFeatures, language: str = ""
) -> Transcript:
    """All words of ``sound``, which is whole or comes as consecutive blocks of any length (mono, 16 kHz).

    ``heard`` says where somebody speaks. ``language`` "" is found in the first speech and kept from then on. Memory
    is that of the longest block and one piece of five minutes. Raises what ``recogniser.hear`` raises.
    """
    blocks = [sound] if isinstance(sound, Sound) else sound
    words: list[Word] = []
    found, sure = language, 0.0
    for piece in sound_in_spans(blocks, spans_to_transcribe(features)):
        result = recogniser.transcribe(piece, found)
        if result.words and not words:
            found, sure = result.language, result.confidence
        last = words[-1].span.end if words else piece.start
        words += [w for w in result.words if w.span.end > last]
    return Transcript(tuple(words), found, sure)


def spans_to_transcribe(features: SpeechFeatures, options: TranscribeOptions = TranscribeOptions()) -> tuple[Span, ...]:
    """Where a recogniser has to listen: sorted, disjoint spans that hold all speech and begin and end in pauses."""
    speech = speech_spans(features)
    out: list[Span] = []
    for group in _groups(speech, options.apart):
        while group:
            taken = _fitting(group, options.longest)
            if taken == 0:
                middle = _calmest(features, group[0], options.longest)
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
    """How many stretches of ``group`` the next piece takes: all that fit, or up to the longest late pause."""
    fits = sum(1 for span in group if span.end - group[0].start <= longest)
    if fits in (0, len(group)):
        return fits
    late = [k for k in range(1, fits + 1) if group[k - 1].end - group[0].start >= longest / 2] or [fits]
    return max(late, key=lambda k: (group[k].start - group[k - 1].end, k))


def _calmest(features: SpeechFeatures, span: Span, longest: Fraction) -> Fraction:
    """The instant in the last third of what fits of ``span`` in which speech is least likely."""
    first = int((span.start + longest * 2 / 3 - features.start) / FEATURE_STEP)
    stop = int((span.start + longest - features.start) / FEATURE_STEP)
    voiced = np.convolve(np.pad(features.voice_activity[first:stop], _CALM // 2, mode="edge"), np.ones(_CALM), "valid")
    return features.start + (first + int(np.argmin(voiced))) * FEATURE_STEP


def _with_margins(spans: Sequence[Span], whole: Span, margin: Fraction) -> tuple[Span, ...]:
    """``spans`` wider by ``margin``, or as far as the middle of the pause to the next."""
    out = []
    for k, span in enumerate(spans):
        low = (spans[k - 1].end + span.start) / 2 if k else whole.start
        high = (span.end + spans[k + 1].start) / 2 if k + 1 < len(spans) else whole.end
        out.append(Span(max(span.start - margin, low), min(span.end + margin, high)))
    return tuple(out)


def sound_in_spans(blocks: Iterable[Sound], spans: Sequence[Span]) -> Iterator[Sound]:
    """The sound in each of the sorted, disjoint ``spans``; ``blocks`` are consecutive, and taken once, as needed.

    What no block covers is left out of a piece; a span that none covers gives no piece.
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
    yield from _joined(held)


def cut_sound(sound: Sound, span: Span) -> Sound:
    """The samples of ``sound`` whose instants lie in ``span``; maybe none."""
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
