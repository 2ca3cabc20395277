"""Spoken lines made of bursts, and all steps of the duration fit in a row, for tests of timing."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine, measure_line
from lipdub.words_to_sound.duration_fit.plan import FitOptions, plan_fit
from lipdub.words_to_sound.duration_fit.render import render_line
from lipdub.words_to_sound.duration_fit.respeak import RespeakRequest, respeak_requests
from lipdub.words_to_sound.duration_fit.source_timing import source_timings

CLOCK = 48_000


def seconds(value: float | str | Fraction) -> Fraction:
    """A decimal, exactly as it reads."""
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def span(start: float | Fraction, end: float | Fraction) -> Span:
    return Span(seconds(start), seconds(end))


def spans(*parts: float | Fraction, start: float | Fraction = 0) -> tuple[Span, ...]:
    """Speech, pause, speech, ... in seconds: the spans of the speech, from ``start`` on."""
    out, at = [], seconds(start)
    for n, part in enumerate(map(seconds, parts)):
        if n % 2 == 0:
            out.append(Span(at, at + part))
        at += part
    return tuple(out)


def burst(*parts: float | Fraction, rate: int = CLOCK, lead: float = 0.0, tail: float = 0.0) -> Sound:
    """Speech, pause, speech, ... in seconds: a buzzing voice of 140 Hz and digital silence."""
    out = [np.zeros(round(lead * rate))]
    for n, part in enumerate(parts):
        size = round(seconds(part) * rate)
        out.append(buzz(size, rate) if n % 2 == 0 else np.zeros(size))
    return Sound(np.concatenate([*out, np.zeros(round(tail * rate))])[None].astype(np.float32), rate)


def buzz(size: int, rate: int = CLOCK, pitch: float = 140.0) -> np.ndarray:
    """Harmonics of ``pitch`` that begin and end within 2 ms."""
    t = np.arange(size) / rate
    wave = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 20)) * 0.2
    edge = np.minimum(1, (np.arange(size) + 1) / (0.002 * rate))
    return wave * edge * edge[::-1]


def line(where: Span, speaker: str = "", text: str = "some, words, that, are, said, one, by, one.") -> Line:
    return Line(text, where, "es", speaker)


def spoken(where: Span, *parts: float | Fraction, speaker: str = "", rate: int = CLOCK) -> SpokenLine:
    return SpokenLine(line(where, speaker), burst(*parts, rate=rate))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The lines as ``placed``, and which of them should be spoken again."""

    placed: tuple[PlacedLine, ...]
    requests: tuple[RespeakRequest, ...]


def fit(
    spoken_lines: Sequence[SpokenLine], windows: Sequence[Span], end: Fraction, options: FitOptions = FitOptions()
) -> Fitted:
    """All steps of the duration fit, for a source that speaks in ``windows`` in a clip that ends at ``end``."""
    lines = [measure_line(one) for one in spoken_lines]
    placements = plan_fit(lines, source_timings([m.line for m in lines], windows), end, options)
    placed = tuple(render_line(placement, spoken_lines[placement.index]) for placement in placements)
    return Fitted(placed, respeak_requests(placements, lines))


def measured(where: Span, *parts: float | Fraction, speaker: str = "") -> MeasuredLine:
    """A measured line, without its sound."""
    phrases = spans(*parts)
    return MeasuredLine(line(where, speaker), phrases, phrases[-1].end if phrases else Fraction(1))
