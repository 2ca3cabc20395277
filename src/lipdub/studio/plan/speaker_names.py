"""Who the speakers of a script are: which person's mouth fits the voice in all lines of one name.

For each name the evidence that a person speaks (``faces.active_speaker``) is added over all its lines, so a name is
decided by minutes and not by one line. A name whose lines fit no mouth in the picture is off screen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.faces.active_speaker import SpeakingEvidence, speaking_log_odds
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import short
from lipdub.timeline.time import timecode

CERTAIN = 6.0
"""Log odds above which a mouth fits the lines of a name."""

MARGIN = 4.0
"""Log odds by which the best person must be better than the second."""

RATE = 0.7
"""Log odds per second in view that the best person needs at least."""

AGAINST = -0.4
"""Log odds per second in view below which a mouth does not fit the lines of a name."""

SEEN = 1.0
"""Seconds in view during the lines of a name that are needed to judge a person."""

RARELY = 0.2
"""Part of the seconds of its lines below which somebody in view is not taken for the speaker."""

KNOWN = 5.0
"""Log odds that a line of a known speaker gives to that person's face, and takes from all others."""

_STEP = 0.2  # seconds to which log odds refer


@dataclass(frozen=True, eq=False)
class SeenSpeaking:
    """What the picture shows of speech, of all tracks. The sequences are parallel; ``people`` are the ids of those
    whom the tracks show."""

    motions: Sequence[FaceMotion]
    evidence: Sequence[SpeakingEvidence]
    people: Sequence[str]

    def during(self, line: Line) -> Iterator[tuple[int, int, int]]:
        """The tracks that are seen during ``line``: index, first row, row after the last."""
        order, starts, latest = self._by_start
        start, end = float(line.span.start), float(line.span.end)
        for i in order[bisect_left(latest, start) : bisect_right(starts, end)]:
            first, stop = np.searchsorted(self.evidence[i].times, [start, end])
            if first < stop:
                yield i, int(first), int(stop)

    def totals(self, track: int, first: int, stop: int) -> np.ndarray:
        """Log odds that this track's face speaks in these rows, and seconds of speech in the sound in them."""
        sums = self._sums[track]
        return sums[stop] - sums[first]

    @cached_property
    def _by_start(self) -> tuple[list[int], list[float], list[float]]:
        """Tracks by their first instants, these instants, and the latest end up to each."""
        order = sorted(range(len(self.evidence)), key=lambda i: float(self.evidence[i].times[0]))
        ends = accumulate((float(self.evidence[i].times[-1]) for i in order), max)
        return order, [float(self.evidence[i].times[0]) for i in order], list(ends)

    @cached_property
    def _sums(self) -> list[np.ndarray]:
        """For each track the sums of log odds and of seconds of speech up to each row (rows + 1, 2)."""
        return [self._running(motion, known) for motion, known in zip(self.motions, self.evidence, strict=True)]

    def _running(self, motion: FaceMotion, known: SpeakingEvidence) -> np.ndarray:
        step = float(np.median(np.diff(known.times))) if len(known.times) > 1 else 0.04
        silence = replace(known, speaking=np.zeros_like(known.speaking))
        odds = speaking_log_odds(motion, known) - speaking_log_odds(motion, silence)
        rows = np.stack([odds * (step / _STEP), (known.speaking > 0.5) * step * motion.ok], 1)
        return np.concatenate([np.zeros((1, 2)), np.cumsum(rows, 0)])


@dataclass(frozen=True, eq=False)
class NamesFound:
    """``people``: which person (id) each name of a script is, "" if it is nobody in the picture; names about which it
    is unsure are missing. ``notes`` are sentences for the report."""

    people: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class _NameEvidence:
    """The lines of one name, and for each person log odds and seconds in view during them."""

    name: str
    lines: list[Line] = field(default_factory=list)
    of_people: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return float(sum(line.span.duration for line in self.lines))

    @property
    def ranked(self) -> list[tuple[float, float, str]]:
        """Log odds, seconds in view and id of each person, the likeliest first."""
        return sorted(((float(s[0]), float(s[1]), person) for person, s in self.of_people.items()), reverse=True)


def find_names(seen: SeenSpeaking, lines: Sequence[Line], given: Mapping[str, str]) -> NamesFound:
    """Which person each speaker name of ``lines`` is. What is ``given`` (name to id, "" for off screen) stands."""
    names = {line.speaker: _NameEvidence(line.speaker) for line in lines if line.speaker}
    for line in lines:
        if line.speaker and line.speaker not in given:
            _count(names[line.speaker], line, seen)
    people, notes = dict(given), []
    for name, evidence in names.items():
        if name in given:
            continue
        found = _person(evidence)
        if found is not None:
            people[name] = found
        notes.append(_note(evidence, found))
    for name in _weaker_claims(people, [names[name] for name in names if name not in given]):
        notes[[n for n in names if n not in given].index(name)] = _note(names[name], None)
        del people[name]
    return NamesFound(people, tuple(note for note in notes if note))


def with_known_lines(seen: SeenSpeaking, lines: Sequence[Line], people: Mapping[str, str]) -> list[SpeakingEvidence]:
    """The evidence with what the script says: in a line of a known person that person's faces speak, and no others."""
    known: list[np.ndarray | None] = [None] * len(seen.evidence)
    for line in lines:
        if line.speaker not in people:
            continue
        for i, first, stop in seen.during(line):
            rows = known[i]
            if rows is None:
                rows = known[i] = np.zeros(len(seen.evidence[i].times))
            if seen.people[i] == people[line.speaker]:
                rows[first:stop] = KNOWN
            else:
                rows[first:stop] = np.where(rows[first:stop] > 0, rows[first:stop], -KNOWN)
    return [
        each if rows is None else replace(each, known=rows) for each, rows in zip(seen.evidence, known, strict=True)
    ]


def _count(evidence: _NameEvidence, line: Line, seen: SeenSpeaking) -> None:
    evidence.lines.append(line)
    for i, first, stop in seen.during(line):
        sums = evidence.of_people.setdefault(seen.people[i], np.zeros(2))
        sums += seen.totals(i, first, stop)


def _person(evidence: _NameEvidence) -> str | None:
    """Who the name is: a person's id, "" for nobody in the picture, None if unsure."""
    ranked = [entry for entry in evidence.ranked if entry[1] >= SEEN]
    if not ranked:
        longest = max((view for _, view, _ in evidence.ranked), default=0.0)
        return "" if longest <= RARELY * evidence.seconds else None
    odds, view, person = ranked[0]
    second = ranked[1][0] if len(ranked) > 1 else 0.0
    if odds >= CERTAIN and odds / view >= RATE and odds - second >= MARGIN and view > RARELY * evidence.seconds:
        return person
    return "" if odds / view <= AGAINST or (odds < CERTAIN and view <= RARELY * evidence.seconds) else None


def _weaker_claims(people: Mapping[str, str], names: Sequence[_NameEvidence]) -> list[str]:
    """Names that were given to a person whom another name fits more than twice as well."""
    rates: dict[str, list[tuple[float, str]]] = {}
    for evidence in names:
        person = people.get(evidence.name)
        if person:
            odds, view = evidence.of_people[person]
            rates.setdefault(person, []).append((odds / max(view, 1e-6), evidence.name))
    return [name for some in rates.values() for rate, name in some if 2 * rate < max(some)[0]]


def _note(evidence: _NameEvidence, found: str | None) -> str:
    first, name = evidence.lines[0], short(evidence.name, 40)
    where = f"{timecode(first.span.start)}: '{short(first.text, 40)}'"
    if found == "":
        return f"'{name}' is nobody in the picture: the lines (the first at {where}) are given to no face"
    if found is None:
        return (
            f"who in the picture is '{name}' is unsure: in the lines (the first at {where}) the mouths decide;"
            f" lipdub people FILM tells the numbers of the people, and the name of one settles it"
        )
    return ""
