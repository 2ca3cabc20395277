"""Onsets of the phrases of one line at one rate. Pauses change so that onsets can stay with those of the source.

Times are float seconds here; ``sound_pieces`` makes whole samples of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import log
from typing import NamedTuple

from lipdub.words_to_sound.duration_fit.phrase_alignment import AlignedPhrases, line_breaks
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine

SHORTEST_PAUSE = 0.06
"""Seconds; a pause is made no shorter than this, except by the rate of the line."""

VARIED = 1.08
"""How much faster or slower than the line one of its phrases may be, beside a pause of the source."""

CLOSURE = 0.1
"""Seconds; silence inside words is made no shorter than this, .08 after a weak end, except by the rate of the line."""

CLOSEST = 0.03
"""Seconds; the shortest pause after a phrase that ends weakly."""

_WEAK_CLOSURE = 0.02  # seconds by which CLOSURE is shorter at most
_SLOWEST_PART, _FASTEST_PART = 0.85, 1.2  # rates that a phrase gets at most because of its own window
_HEARD_PAUSE = 0.15  # seconds
_NOTICED = 0.04  # seconds by which a block misses its window before its own rate is worth it
_LONGEST = 1.5  # the factor by which a pause inside a window may grow at most
_FIRST, _ANCHOR, _INNER = 8.0, 1.0, 0.05  # weights of onsets: the first of a line, the first of a window, any other


@dataclass(frozen=True, slots=True)
class TimeSlot:
    """The time of a line, in seconds of clip time: the source speaks it from ``onset`` to ``offset``; the dub may begin
    at ``earliest`` and must end by ``latest``."""

    earliest: float
    onset: float
    offset: float
    latest: float


@dataclass(frozen=True, slots=True)
class PhraseLayout:
    """The ``onsets`` of all phrases and the ``end`` of the last, in seconds of clip time; the ``cost`` of this layout,
    the seconds by which it ends after the slot (``excess``, 0: it fits), and the ``rates`` of all phrases."""

    onsets: tuple[float, ...]
    end: float
    cost: float
    excess: float
    rates: tuple[float, ...]


class LinePart(NamedTuple):
    """Phrases ``first`` to ``stop`` (exclusive) and their window, in seconds: its ``onset`` in clip time, its
    ``duration``, and for how long the source pauses in it (``silent``)."""

    first: int
    stop: int
    onset: float
    duration: float
    silent: float = 0.0


@dataclass(frozen=True, slots=True)
class LineDurations:
    """A spoken line in seconds: the ``lengths`` of its phrases, the ``pauses`` after all but the last, and its
    ``parts``. ``breaks`` are the pauses between phrases of the text; the others lie inside words. ``tails`` are the
    weak ends of the phrases (none: 0)."""

    lengths: tuple[float, ...]
    pauses: tuple[float, ...]
    parts: tuple[LinePart, ...]
    breaks: tuple[int, ...] = ()
    tails: tuple[float, ...] = ()

    def tail(self, phrase: int) -> float:
        """The seconds at the end of a phrase that are too weak to be noticed."""
        return self.tails[phrase] if self.tails else 0.0

    def closest(self, phrase: int) -> float:
        """The shortest pause after a phrase: the closures of plosives stay as long as people make them, and are a
        little shorter after a weak end, which is heard as silence, too."""
        if phrase in self.breaks:
            return max(CLOSEST, SHORTEST_PAUSE - self.tail(phrase))
        return CLOSURE - min(self.tail(phrase) / 4, _WEAK_CLOSURE)


def line_durations(measured: MeasuredLine, blocks: tuple[AlignedPhrases, ...], room: float = 1.0) -> LineDurations:
    """The durations that ``lay_out_phrases`` needs, of a line and of the windows it is aligned with. ``room`` is how
    many seconds the line may end after the source: weak ends of phrases may go on in the source's pauses as long as
    these are still heard as pauses."""
    parts = tuple(
        LinePart(b.first, b.stop, float(b.window.start), float(b.window.duration), float(b.pauses)) for b in blocks
    )
    lengths = tuple(float(p.duration) for p in measured.phrases)
    tails = list(map(float, measured.tails))
    for part, next_ in zip(parts, [*parts[1:], None], strict=True):
        pause = room - 0.05 if next_ is None else next_.onset - part.onset - part.duration - _HEARD_PAUSE
        if tails:
            tails[part.stop - 1] = min(tails[part.stop - 1], max(pause, 0.0))
    return LineDurations(lengths, tuple(map(float, measured.pauses)), parts, line_breaks(measured), tuple(tails))


def lay_out_phrases(line: LineDurations, slot: TimeSlot, rate: float) -> PhraseLayout:
    """The onsets at ``rate`` that are nearest to the wanted ones, in weighted least squares.

    Wanted is that each block begins with its window and that its pauses grow to fill the window. The line's first onset
    has the largest weight. After subtraction of the shortest pauses, onsets only have to be in order, so weighted
    isotonic regression, clipped to the slot, is the exact solution (pool adjacent violators; Barlow et al. 1972).
    The blocks of a line may be up to ``VARIED`` times faster or slower than ``rate`` to fill their windows, if the line
    fits its slot then.
    """
    varied = _part_rates(line, rate)
    if any(r != rate for r in varied) and (found := _laid_out(line, slot, varied, rate)).excess <= 1e-6:
        return found
    return _laid_out(line, slot, [rate] * len(line.lengths), rate)


def _part_rates(line: LineDurations, rate: float) -> list[float]:
    """The rate of each phrase: that of its block, which fills its window if it can."""
    out: list[float] = []
    for first, stop, _, window, silent in line.parts:
        between = range(first, stop - 1)
        inner = sum(line.pauses[i] if silent else min(line.pauses[i], line.closest(i)) for i in between)
        wanted = (sum(line.lengths[first:stop]) - line.tail(stop - 1) + inner) / max(window, 0.01)
        own = min(max(wanted, rate / VARIED, min(rate, _SLOWEST_PART)), rate * VARIED, max(rate, _FASTEST_PART))
        alone = len(line.parts) == 1 or abs(wanted - rate) * window < _NOTICED
        out += [rate if alone else own] * (stop - first)
    return out


def _laid_out(line: LineDurations, slot: TimeSlot, rates: list[float], rate: float) -> PhraseLayout:
    """``lay_out_phrases`` with a rate for each phrase."""
    lengths = [length / own for length, own in zip(line.lengths, rates, strict=True)]
    pauses = [pause / own for pause, own in zip(line.pauses, rates, strict=False)]
    wanted, weights = _wanted_onsets(lengths, pauses, line)
    packed = [0.0]
    for i, pause in enumerate(pauses):
        packed.append(packed[-1] + lengths[i] + min(pause, line.closest(i)))
    needed = packed[-1] + lengths[-1]
    begin = min(slot.onset, max(slot.earliest, slot.latest - needed))
    last = max(begin, slot.latest - needed)
    ordered = isotonic([w - p for w, p in zip(wanted, packed, strict=True)], weights)
    onsets = tuple(min(max(o, begin), last) + p for o, p in zip(ordered, packed, strict=True))
    ends = [o + n for o, n in zip(onsets, lengths, strict=True)]
    heard = [end - line.tail(i) / rates[i] for i, end in enumerate(ends)]
    new_pauses = [b - a for a, b in zip(ends, onsets[1:], strict=False)]
    late = [onsets[first] - window for first, _, window, *_ in line.parts]
    cost = _onset_cost(late) + _end_cost(heard[-1], slot) + _pause_cost(new_pauses, pauses, line)
    cost += sum(_inner_cost(line, new_pauses, heard))
    cost += sum((log(rates[first] / rate) / log(1.1)) ** 2 for first, *_ in line.parts) / 2
    return PhraseLayout(onsets, ends[-1], cost, max(0.0, ends[-1] - slot.latest), tuple(rates))


def lay_out_as_spoken(line: LineDurations, slot: TimeSlot) -> PhraseLayout:
    """The line exactly as it was spoken, from the onset of the slot on."""
    steps = [length + pause for length, pause in zip(line.lengths, line.pauses, strict=False)]
    onsets = tuple(accumulate(steps, initial=slot.onset))
    end = onsets[-1] + line.lengths[-1]
    return PhraseLayout(onsets, end, 0.0, max(0.0, end - slot.latest), (1.0,) * len(line.lengths))


def _wanted_onsets(lengths: list[float], pauses: list[float], line: LineDurations) -> tuple[list[float], list[float]]:
    """The wanted onset of each phrase if there were no others, and its weight.

    Where the source speaks on, pauses between phrases shrink until the speech fits its window, or grow to fill it.
    Silence inside words never grows, and is shortened where the source speaks on.
    """
    onsets, weights = [], []
    for first, stop, at, duration, silent in line.parts:
        between = range(first, stop - 1)
        within = {i: pauses[i] if silent else min(pauses[i], line.closest(i)) for i in between if i not in line.breaks}
        left = duration + line.tail(stop - 1) - sum(lengths[first:stop]) - sum(within.values())
        own = sum(pauses[i] for i in between if i in line.breaks)
        grown = min(max(left / own, 0.0), _LONGEST) if own else 1.0
        for i in range(first, stop):
            onsets.append(at)
            weights.append(_INNER if i > first else _ANCHOR if first else _FIRST)
            if i < stop - 1:
                pause = within[i] if i in within else pauses[i] * grown
                at += lengths[i] + max(pause, min(pauses[i], line.closest(i)))
    return onsets, weights


def _onset_cost(late: list[float]) -> float:
    """The cost of onsets that are late: 0.12 s costs as much as speech that is a tenth faster."""
    return sum((seconds / 0.12) ** 2 for seconds in late)


def _end_cost(end: float, slot: TimeSlot) -> float:
    """The cost of an end before or after the source's.

    Speech after the source has stopped costs more than silence while the source still speaks, and most if it is near
    the next line. Speaking slowly hardly helps against a long silence, so the cost of silence is linear in the end.
    """
    over = end - slot.offset
    if over > 0:
        crowded = min(over, max(0.0, 0.2 - (slot.latest - end)))
        return (over / 0.2) ** 2 + (crowded / 0.15) ** 2
    return _silence_cost(-over, slot.offset - slot.onset)


def _inner_cost(line: LineDurations, pauses: list[float], ends: list[float]) -> Iterator[float]:
    """The costs of silence and of speech inside the line where the source does otherwise: pauses in a window beyond
    the shortest, and phrases that end before or after their window."""
    for number, (first, stop, onset, duration, rests) in enumerate(line.parts):
        silent = sum(max(0.0, pauses[i] - line.closest(i)) for i in line.breaks if first <= i < stop - 1)
        silent = max(0.0, silent - rests)
        if number < len(line.parts) - 1:
            over = ends[stop - 1] - onset - duration
            yield (max(0.0, over) / 0.2) ** 2
            silent += max(0.0, -over)
        yield _silence_cost(silent, duration)


def _silence_cost(seconds: float, duration: float) -> float:
    """The cost of silence while the source speaks for ``duration`` seconds, linear in the end."""
    under = seconds / max(0.12, 0.05 * duration)
    return under**2 if under < 1 else 2 * under - 1


def _pause_cost(new: list[float], old: list[float], line: LineDurations) -> float:
    """The cost of pauses that are longer or shorter than spoken, where the source pauses, too."""
    on = {i for part in line.parts if not part.silent for i in range(part.first, part.stop - 1)}
    return 0.15 * sum(log(max(new[i], 0.01) / old[i]) ** 2 for i in line.breaks if i not in on)


def isotonic(values: list[float], weights: list[float]) -> list[float]:
    """The non-decreasing sequence nearest to ``values`` in weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, n), (b, w, m) = pools[-2:]
            pools[-2:] = [((a * v + b * w) / (v + w), v + w, n + m)]
    return [mean for mean, _, count in pools for _ in range(count)]
