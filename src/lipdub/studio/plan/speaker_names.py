"""Who the speakers of a script are: which person's mouth fits the voice in all lines of one name.

For each name the evidence that a person speaks is added over all its lines: how the mouth moves and agrees with the
voice from moment to moment (``faces.active_speaker``), and the sync score over all of it. So a name is decided by
minutes and not by one line. A name whose lines fit no mouth in the picture is off screen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.faces.active_speaker import PRIOR_LOG_ODDS, SpeakingEvidence, speaking_log_odds
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import short
from lipdub.timeline.time import timecode

CERTAIN = 4.0
"""Log odds above which a mouth fits the lines of a name."""

MARGIN = 4.0
"""Log odds by which the best person must be better than the second."""

RATE = 0.3
"""Log odds per second in view that the best person needs at least."""

AGAINST = -0.4
"""Log odds per second in view below which a mouth does not fit the lines of a name."""

SEEN = 1.0
"""Seconds in view during the lines of a name that are needed to judge a person."""

RARELY = 0.2
"""Part of the seconds of its lines below which somebody in view is not taken for the speaker."""

SYNC, NO_SYNC = 5.0, 0.2
"""Log odds per second in view for a sync score that is 1 higher, and the score that is no evidence."""

KNOWN = 5.0
"""Log odds that a line of a known speaker gives to that person's face, and takes from all others."""

_STEP = 0.2  # seconds to which log odds refer


TrackPiece = tuple[int, int, int]
"""Index of a track, first row, row after the last."""


@dataclass(frozen=True, eq=False)
class SeenSpeaking:
    """What the picture shows of speech, of all tracks. The sequences are parallel; ``people`` are the ids of those
    whom the tracks show. ``sync_score`` compares the source's voice with the mouth in several pieces of tracks."""

    motions: Sequence[FaceMotion]
    evidence: Sequence[SpeakingEvidence]
    people: Sequence[str]
    sync_score: Callable[[Sequence[TrackPiece]], float]

    def during(self, line: Line) -> Iterator[TrackPiece]:
        """What is seen of the tracks during ``line``."""
        order, starts, latest = self._by_start
        start, end = float(line.span.start), float(line.span.end)
        for i in order[bisect_left(latest, start) : bisect_right(starts, end)]:
            first, stop = np.searchsorted(self.evidence[i].times, [start, end])
            if first < stop:
                yield i, int(first), int(stop)

    def totals(self, pieces: Sequence[TrackPiece]) -> tuple[float, float]:
        """Log odds that the person of these pieces speaks in them, and seconds of speech in the sound meanwhile."""
        odds, seconds = np.sum([self._sums[i][stop] - self._sums[i][first] for i, first, stop in pieces], 0).tolist()
        fits = self.sync_score(pieces) if seconds >= SEEN else NO_SYNC
        return odds + SYNC * seconds * (fits - NO_SYNC), seconds

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
        odds = speaking_log_odds(motion, known) - PRIOR_LOG_ODDS
        rows = np.stack([odds * (step / _STEP), (known.speaking > 0.5) * step * motion.ok], 1)
        return np.concatenate([np.zeros((1, 2)), np.cumsum(rows, 0)])


@dataclass(frozen=True, eq=False)
class NamesFound:
    """``people``: which person (id) each name of a script is, "" if it is nobody in the picture; names about which it
    is unsure are missing. ``notes`` are sentences for the report."""

    people: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Somebody who may be the speaker of a name: log odds, and seconds in view during its lines."""

    odds: float
    seconds: float
    person: str

    @property
    def rate(self) -> float:
        return self.odds / max(self.seconds, 1e-6)


@dataclass(frozen=True, eq=False)
class _NameEvidence:
    """The lines of one name, and who may be its speaker, the likeliest first."""

    name: str
    lines: Sequence[Line]
    candidates: Sequence[_Candidate]

    @property
    def seconds(self) -> float:
        return float(sum(line.span.duration for line in self.lines))


def find_names(seen: SeenSpeaking, lines: Sequence[Line], given: Mapping[str, str]) -> NamesFound:
    """Which person each speaker name of ``lines`` is. What is ``given`` (name to id, "" for off screen) stands."""
    of_names: dict[str, list[Line]] = {}
    for line in lines:
        if line.speaker and line.speaker not in given:
            of_names.setdefault(line.speaker, []).append(line)
    names = {name: _evidence(name, own, seen) for name, own in of_names.items()}
    found = {name: _person(evidence) for name, evidence in names.items()}
    found |= dict.fromkeys(_weaker_claims(found, names))
    notes = (_note(names[name], person) for name, person in found.items())
    people = {name: person for name, person in found.items() if person is not None}
    return NamesFound({**people, **given}, tuple(note for note in notes if note))


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


def _evidence(name: str, lines: Sequence[Line], seen: SeenSpeaking) -> _NameEvidence:
    pieces: dict[str, list[TrackPiece]] = {}
    for line in lines:
        for piece in seen.during(line):
            pieces.setdefault(seen.people[piece[0]], []).append(piece)
    candidates = [_Candidate(*seen.totals(own), person) for person, own in pieces.items()]
    return _NameEvidence(name, lines, sorted(candidates, key=lambda each: -each.odds))


def _person(evidence: _NameEvidence) -> str | None:
    """Who the name is: a person's id, "" for nobody in the picture, None if unsure."""
    rarely = RARELY * evidence.seconds
    judged = [each for each in evidence.candidates if each.seconds >= SEEN]
    if not judged:
        return "" if all(each.seconds <= rarely for each in evidence.candidates) else None
    best, second = judged[0], judged[1].odds if len(judged) > 1 else 0.0
    if best.odds >= CERTAIN and best.rate >= RATE and best.odds - second >= MARGIN and best.seconds > rarely:
        return best.person
    return "" if best.rate <= AGAINST or (best.odds < CERTAIN and best.seconds <= rarely) else None


def _weaker_claims(found: Mapping[str, str | None], names: Mapping[str, _NameEvidence]) -> list[str]:
    """Names that were given to a person whom another name fits more than twice as well."""
    claims: dict[str, list[tuple[float, str]]] = {}
    for name, person in found.items():
        if person:
            claims.setdefault(person, []).append((names[name].candidates[0].rate, name))
    return [name for some in claims.values() for rate, name in some if 2 * rate < max(some)[0]]


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
