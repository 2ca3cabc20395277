"""The cues of a face: the spans in which its mouth changes, divided between the lines."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil
from urllib.parse import quote

from lipdub.studio.dub_plan import LineChoices
from lipdub.studio.plan.line_slots import line_slots
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import Cue
from lipdub.timeline.line_slot import LineSlot
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span, merge_spans, subtract_spans

PADDING = Fraction(1, 5)
"""Seconds by which a cue reaches beyond speech, so that the mouth opens in time and closes after it."""

JOIN = Fraction(3, 5)
"""Seconds of pause up to which two cues become one."""

LONGEST = Fraction(8)
"""Seconds from which a cue is divided, so that several workers can share it."""

SLIVER = Fraction(1, 4)
"""Seconds that a piece of a cue in the slot of another line has at least, to become a cue of that line."""


@dataclass(eq=False)
class LineCues:
    """Divides what mouths do in ``clip`` between its ``lines``, whose spans tell when the source says them.

    ``people`` are the ids of those who say the lines, by line id, as far as that is known ("": somebody off screen): a
    person's face gets only lines of that person and those of which it is not known. Cues of lines that ``choices`` keep
    stay as they are.
    """

    clip: Clip
    lines: Sequence[Line]
    people: Mapping[str, str]
    choices: LineChoices
    _slots: dict[str, tuple[LineSlot, ...]] = field(default_factory=dict, init=False, repr=False)
    _kept: dict[int, list[Cue]] = field(default_factory=dict, init=False, repr=False)
    _ordered: list[Line] = field(default_factory=list, init=False, repr=False)
    _longest: Fraction = field(default=Fraction(0), init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the lines by time, and the kept cues by face."""
        self._ordered = sorted(self.lines, key=lambda line: line.span.start)
        self._longest = max((line.span.duration for line in self.lines), default=Fraction(0))
        for line in self.choices.kept.values():
            for cue in line.cues or ():
                self._kept.setdefault(cue.face, []).append(cue)

    def keeps(self, face: int) -> bool:
        """True if a face has cues that stay as they are."""
        return face in self._kept

    def spoken(self, person: str, within: Span, speaking: Sequence[Span]) -> tuple[Span, ...]:
        """When a face of ``person``, which is seen ``within`` a span, may change: when it speaks (``speaking``) or says
        a line by decision, without what others say and what stays as filmed."""
        other, own = [], []
        for line in self._near(within):
            who = self.people.get(line.id)
            if who is not None and line.span.overlaps(within):
                (own if who == person else other).append(line.span)
        decided = [both for span in own if (both := span.widened(PADDING).intersection(within))]
        others = subtract_spans(other, own)
        return subtract_spans(merge_spans([*speaking, *decided]), [*others, *self.choices.excluded])

    def _near(self, within: Span) -> Sequence[Line]:
        """The lines that may overlap a span."""
        first = bisect_left(self._ordered, within.start - self._longest, key=lambda line: line.span.start)
        return self._ordered[first : bisect_left(self._ordered, within.end, key=lambda line: line.span.start)]

    def of_face(self, face: int, person: str, spans: Sequence[Span]) -> tuple[Cue, ...]:
        """The cues of a face of ``person`` whose mouth changes in ``spans``, which are sorted and disjoint."""
        slots, old = self._slots_of(person), sorted(self._kept.get(face, ()), key=lambda cue: cue.span)
        if spans and slots:
            first = max(0, bisect_right(slots, spans[0].start, key=lambda slot: slot.span.start) - 1)
            stop = bisect_right(slots, spans[-1].end, key=lambda slot: slot.span.start)
            slots = slots[first:stop]
        if self.choices.kept:
            spans = self._left(spans, slots, old)
        made = (
            Cue(part, face, id=self._id(part, face, line), person=person, line_id=line)
            for span, line in in_slots(spans, slots)
            for part in _parts(span)
        )
        return tuple(sorted([*old, *made], key=lambda cue: cue.span))

    def _left(self, spans: Sequence[Span], slots: Sequence[LineSlot], old: Sequence[Cue]) -> tuple[Span, ...]:
        """The part of ``spans`` that is planned anew. Where a kept cue ends at the border of its slot, the mouth goes
        on changing in the next one."""
        kept = {line for line, each in self.choices.kept.items() if each.cues is not None}
        closed = [*(slot.span for slot in slots if slot.line.id in kept), *(cue.span for cue in old)]
        near = 2 / self.clip.rate
        ends = [
            edge
            for slot in slots
            if slot.line.id not in kept
            for edge in _ends(slot.span)
            if any(abs(cue.span.end - edge.start) < near or abs(cue.span.start - edge.end) < near for cue in old)
        ]
        joined = merge_spans([*subtract_spans(spans, closed), *ends], JOIN)
        return subtract_spans(joined, [*closed, *self.choices.excluded])

    def _slots_of(self, person: str) -> tuple[LineSlot, ...]:
        """The slots of the lines that ``person`` may say."""
        known = set(self.people.values())
        who = person if person in known else ""
        if who not in self._slots:
            own = [line for line in self.lines if self.people.get(line.id) in (None, person)]
            self._slots[who] = line_slots(own, self.clip.span)
        return self._slots[who]

    def _id(self, span: Span, face: int, line: str) -> str:
        """A name for a cue that can also be the name of a folder."""
        return f"{quote(line, safe='') or 'rest'}-{face}-{self.clip.times.within(span).start}"


def _parts(span: Span) -> list[Span]:
    """``span`` in equal parts of at most ``LONGEST``."""
    count = max(1, ceil(span.duration / LONGEST))
    borders = [span.start + span.duration * n / count for n in range(count + 1)]
    return [Span(a, b) for a, b in pairwise(borders)]


def _ends(span: Span) -> tuple[Span, Span]:
    """The first and the last ``PADDING`` of a slot."""
    return Span(span.start, min(span.start + PADDING, span.end)), Span(max(span.end - PADDING, span.start), span.end)


def in_slots(spans: Sequence[Span], slots: Sequence[LineSlot]) -> Iterator[tuple[Span, str]]:
    """``spans``, which are sorted and disjoint, divided at the borders of ``slots``, each piece with the id of its line
    ("" without slots). A piece that is shorter than ``SLIVER`` goes to the slot next to it."""
    place = 0
    for span in spans:
        start = span.start
        while place < len(slots) - 1 and slots[place].span.end <= start + SLIVER:
            place += 1
        while place < len(slots) - 1 and slots[place].span.end < span.end - SLIVER:
            yield Span(start, slots[place].span.end), slots[place].line.id
            start = slots[place].span.end
            place += 1
        yield Span(start, span.end), slots[place].line.id if slots else ""
