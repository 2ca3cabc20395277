"""Where the phrases of one line go at one rate: pauses give way, onsets are kept. Seconds as floats; a plan is made
of whole samples later."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import log

from lipdub.words_to_sound.duration_fit.phrase_alignment import AlignedPhrases
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine

SHORTEST_PAUSE = 0.06
"""Seconds; a pause is never made shorter than this, unless it is spoken faster and so becomes shorter of itself."""

_LONGEST = 1.5  # times its length a pause may grow where nothing in the source says when to go on
_FIRST, _ANCHOR, _INNER = 8.0, 1.0, 0.05  # how much it matters where a phrase begins: of a line, of a window, any


@dataclass(frozen=True, slots=True)
class TimeSlot:
    """Where a line may be heard, in seconds of clip time: from ``onset``, if it must be from ``earliest``, until
    ``latest``; its source falls silent at ``offset``."""

    earliest: float
    onset: float
    offset: float
    latest: float


@dataclass(frozen=True, slots=True)
class PhraseLayout:
    """``onsets`` of all phrases, seconds of clip time; ``end`` of the last; how bad it is (``cost``), and by how many
    seconds it exceeds the room (``excess``, 0: it fits)."""

    onsets: tuple[float, ...]
    end: float
    cost: float
    excess: float


@dataclass(frozen=True, slots=True)
class LineDurations:
    """A spoken line in seconds: the ``lengths`` of its phrases, the ``pauses`` after all but the last, and its
    ``parts``: (first phrase, phrase after the last, onset of their window, its duration)."""

    lengths: tuple[float, ...]
    pauses: tuple[float, ...]
    parts: tuple[tuple[int, int, float, float], ...]


def line_durations(measured: MeasuredLine, blocks: tuple[AlignedPhrases, ...]) -> LineDurations:
    """What ``lay_out_phrases`` wants to know of a line and its windows."""
    parts = tuple((b.first, b.stop, float(b.window.start), float(b.window.duration)) for b in blocks)
    return LineDurations(tuple(float(p.duration) for p in measured.phrases), tuple(map(float, measured.pauses)), parts)


def lay_out_phrases(line: LineDurations, room: TimeSlot, rate: float) -> PhraseLayout:
    """The best onsets at ``rate``: each block begins with its window and fills it with its pauses, and what collides
    is pushed apart as little as possible, the line's first onset least of all.

    With the shortest pauses taken off, the onsets only have to be in order: weighted isotonic regression, clipped to
    the room (pool adjacent violators; Barlow et al. 1972), is the exact least-squares answer.
    """
    lengths = [length / rate for length in line.lengths]
    pauses = [pause / rate for pause in line.pauses]
    wished, weights = _wishes(lengths, pauses, line)
    packed = [0.0]
    for length, pause in zip(lengths, pauses, strict=False):
        packed.append(packed[-1] + length + min(pause, SHORTEST_PAUSE))
    needed = packed[-1] + lengths[-1]
    begin = min(room.onset, max(room.earliest, room.latest - needed))
    last = max(begin, room.latest - needed)
    eased = isotonic([w - p for w, p in zip(wished, packed, strict=True)], weights)
    onsets = tuple(min(max(e, begin), last) + p for e, p in zip(eased, packed, strict=True))
    end = onsets[-1] + lengths[-1]
    now = [b - a - n for (a, b), n in zip(pairwise(onsets), lengths, strict=False)]
    late = [onsets[first] - window for first, _, window, _ in line.parts]
    cost = _lateness(late) + _length(end, room) + _distortion(now, pauses)
    return PhraseLayout(onsets, end, cost, max(0.0, end - room.latest))


def lay_out_as_spoken(line: LineDurations, room: TimeSlot) -> PhraseLayout:
    """From the aim's onset on, exactly as it was spoken."""
    steps = [length + pause for length, pause in zip(line.lengths, line.pauses, strict=False)]
    onsets = tuple(accumulate(steps, initial=room.onset))
    end = onsets[-1] + line.lengths[-1]
    return PhraseLayout(onsets, end, 0.0, max(0.0, end - room.latest))


def _wishes(lengths: list[float], pauses: list[float], line: LineDurations) -> tuple[list[float], list[float]]:
    """Where each phrase would begin if it were alone, and how much that matters."""
    onsets, weights = [], []
    for first, stop, at, duration in line.parts:
        inner = pauses[first : stop - 1]
        left = duration - sum(lengths[first:stop])
        grown = min(max(left / sum(inner), 0.0), _LONGEST) if inner else 1.0
        for i in range(first, stop):
            onsets.append(at)
            weights.append(_INNER if i > first else _ANCHOR if first else _FIRST)
            if i < stop - 1:
                at += lengths[i] + max(pauses[i] * grown, min(pauses[i], SHORTEST_PAUSE))
    return onsets, weights


def _lateness(late: list[float]) -> float:
    """An onset 0.12 s off costs as much as speech a tenth faster."""
    return sum((seconds / 0.12) ** 2 for seconds in late)


def _length(end: float, room: TimeSlot) -> float:
    """Speech that goes on when the source is silent is worse than silence while the source still speaks, and worst
    where it runs into the next line; a great silence is hardly helped by speaking slowly, so it costs no more than in
    proportion."""
    over = end - room.offset
    if over > 0:
        crowded = min(over, max(0.0, 0.2 - (room.latest - end)))
        return (over / 0.2) ** 2 + (crowded / 0.15) ** 2
    under = -over / max(0.2, 0.09 * (room.offset - room.onset))
    return under**2 if under < 1 else 2 * under - 1


def _distortion(now: list[float], before: list[float]) -> float:
    return 0.15 * sum(log(max(a, 0.01) / b) ** 2 for a, b in zip(now, before, strict=True))


def isotonic(values: list[float], weights: list[float]) -> list[float]:
    """The non-decreasing sequence nearest to ``values`` in weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, n), (b, w, m) = pools[-2:]
            pools[-2:] = [((a * v + b * w) / (v + w), v + w, n + m)]
    return [mean for mean, _, count in pools for _ in range(count)]
