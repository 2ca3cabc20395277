"""Damage of a sound: collected while it is read, reported afterwards."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from lipdub.media.stated_duration import DURATION_TOLERANCE, first_examples
from lipdub.timeline.time import Span, timecode

_SILENT = 2.0**-16
"""Peak (1: full scale) below which nothing can be heard: half a step of 16-bit sound."""

_SHORT = Fraction(1, 5)
"""Seconds. A shorter track holds no word."""

_CHANNELS = 8
"""Number of channels that players and most file types take."""


@dataclass(frozen=True, slots=True)
class SoundDamage:
    """How a sound was read: ``length`` seconds from ``start`` on; ``whole`` is True if it was read to its end.
    ``stated_end`` is where it should end by what the file states (s; None: not stated).

    ``gaps`` are spans without sound, which count as silence. ``not_finite`` is the number of samples that were NaN or
    infinite and count as 0. ``peak`` is the largest sample (1: full scale).
    """

    start: Fraction = Fraction(0)
    length: Fraction = Fraction(0)
    whole: bool = True
    stated_end: Fraction | None = None
    gaps: tuple[Span, ...] = ()
    not_finite: int = 0
    peak: float = 1.0
    channels: int = 1

    def warnings_about(self, name: str) -> tuple[str, ...]:
        """Sentences for the user about ``name`` ("the dub track"); empty if nothing is wrong."""
        end = self.start + self.length
        found = []
        if self.length == 0:
            found.append("holds no samples at all")
        elif self.peak < _SILENT:
            found.append("is completely silent")
        if 0 < self.length < _SHORT and self.whole:
            found.append(f"is only {float(self.length):.3f} s long")
        if self.whole and self.stated_end is not None and abs(self.stated_end - end) > DURATION_TOLERANCE:
            short = "could be read: it ends early or is damaged" if end < self.stated_end else "were read"
            stated = float(self.stated_end - self.start)
            found.append(f"should last {stated:.3f} s by what its file states; {float(self.length):.3f} s {short}")
        if self.gaps:
            missing = float(sum(span.duration for span in self.gaps))
            spans = first_examples(f"{timecode(span.start)} to {timecode(span.end)}" for span in self.gaps)
            found.append(
                f"lacks {missing:.3f} s that are missing in the file or damaged, and count as silence: {spans}"
            )
        if self.not_finite:
            found.append(f"has {self.not_finite} samples that are not numbers (NaN or infinite) and count as 0")
        if self.channels > _CHANNELS:
            found.append(f"has {self.channels} channels; players and most file types take up to {_CHANNELS}")
        return tuple(f"{name} {what}" for what in found)

    def to_json(self) -> str:
        """As JSON text for ``from_json``."""
        lost = [[str(span.start), str(span.end)] for span in self.gaps]
        stated = None if self.stated_end is None else str(self.stated_end)
        numbers = [str(self.start), str(self.length), self.whole, stated, lost]
        return json.dumps([*numbers, self.not_finite, self.peak, self.channels])

    @staticmethod
    def from_json(text: str) -> "SoundDamage":
        """The inverse of ``to_json``."""
        start, length, whole, stated, lost, *rest = json.loads(text)
        end = None if stated is None else Fraction(stated)
        spans = tuple(Span(Fraction(a), Fraction(b)) for a, b in lost)
        return SoundDamage(Fraction(start), Fraction(length), whole, end, spans, *rest)


@dataclass(eq=False)
class SoundLog:
    """Collects damage while a sound is read."""

    start: Fraction = Fraction(0)
    length: Fraction = Fraction(0)
    whole: bool = True
    stated_end: Fraction | None = None
    gaps: list[Span] = field(default_factory=list)
    not_finite: int = 0
    peak: float = 0.0
    channels: int = 1

    def add(self, block: np.ndarray, rate: int) -> None:
        """Count the next samples (channels, samples) that are returned."""
        self.length += Fraction(block.shape[1], rate)
        if block.size:
            self.peak = max(self.peak, float(block.max()), -float(block.min()))

    @property
    def damage(self) -> SoundDamage:
        """The damage so far."""
        return SoundDamage(
            self.start, self.length, self.whole, self.stated_end, _together(self.gaps), self.not_finite, self.peak,
            self.channels,
        )  # fmt: skip


def _together(spans: Sequence[Span]) -> tuple[Span, ...]:
    """``spans``, in order, with those merged that follow each other directly."""
    out: list[Span] = []
    for span in spans:
        if out and span.start <= out[-1].end + DURATION_TOLERANCE / 2:
            out[-1] = Span(out[-1].start, span.end)
        else:
            out.append(span)
    return tuple(out)
