"""Impossible times of cues corrected, with a note on each change."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from lipdub.timeline.notes import Notes, short
from lipdub.timeline.time import timecode
from lipdub.words_to_sound.script.formats import RawCue, split_in_proportion

_PACE = Fraction(1, 15)  # seconds a character takes to say, for cues without a duration
_SHORTEST = Fraction(1)  # seconds of a cue that had no duration
_SHORTEST_CUT = Fraction(3, 10)  # seconds that must be left of a cue that ends sooner because of the next


@dataclass(frozen=True, slots=True)
class RepairedCues:
    """``cues`` in order of their start, each with a duration above 0, and ``notes`` on what was changed."""

    cues: tuple[RawCue, ...]
    notes: tuple[str, ...]


def repair_times(cues: Iterable[RawCue], end: Fraction | None, verbatim: bool = False) -> RepairedCues:
    """``cues`` sorted, with durations, and ended by ``end``, the end of the clip (None: not known).

    Unless the file is ``verbatim`` (written by lipdub), cues before 0 are also cut or left out, overlaps are removed,
    and a cue that is there twice is kept once.
    """
    notes = Notes()
    given = list(cues)
    ordered = sorted(given, key=lambda cue: cue.start)
    if ordered != given:
        late = sum(a.start > b.start for a, b in pairwise(given))
        text = f"the cues are not in order of time ({late} are too late in the file); they were sorted"
        notes.add(text, text, "")
    started = ordered if verbatim else [kept for cue in ordered for kept in _from_zero(cue, notes)]
    inside = [kept for cue in started for kept in _until_end(cue, end, notes)]
    if verbatim:
        return RepairedCues(tuple(_with_durations(inside, end, notes)), tuple(notes))
    timed = _with_durations(_without_repetitions(inside, notes), end, notes)
    return RepairedCues(tuple(_without_overlaps(timed, notes)), tuple(notes))


def _name(cue: RawCue) -> str:
    """How notes name ``cue``: by its number and time."""
    return f"cue {cue.number} at {timecode(cue.start)}"


def _from_zero(cue: RawCue, notes: Notes) -> list[RawCue]:
    if cue.start < 0:
        if cue.end <= 0:
            text = f"{_name(cue)} lies before time 0; '{short(cue.text)}' left out"
            notes.add("{} cues lie before time 0; left out", text, _name(cue))
            return []
        text = f"{_name(cue)} begins before time 0; it begins at 0 now"
        notes.add("{} cues begin before time 0; they begin at 0 now", text, _name(cue))
        cue = replace(cue, start=Fraction(0), words=())
    return [cue]


def _until_end(cue: RawCue, end: Fraction | None, notes: Notes) -> list[RawCue]:
    if end is not None and cue.start >= end:
        where = f"past the end of the clip ({timecode(end)})"
        text = f"{_name(cue)} lies {where}; '{short(cue.text)}' left out"
        notes.add(f"{{}} cues lie {where}; left out", text, _name(cue))
        return []
    if end is not None and cue.end > end:
        text = f"{_name(cue)} lasts past the end of the clip; it ends with the clip now"
        notes.add("{} cues last past the end of the clip; they end with the clip now", text, _name(cue))
        cue = replace(cue, end=end, words=tuple(w for w in cue.words if w.span.end <= end))
    return [cue]


def _without_repetitions(cues: list[RawCue], notes: Notes) -> list[RawCue]:
    """``cues`` without those that have the same text, time and speaker as an earlier one."""
    out: list[RawCue] = []
    seen: set[tuple[Fraction, Fraction, str, str]] = set()
    for cue in cues:
        key = (cue.start, cue.end, cue.text, cue.speaker)
        if key in seen:
            notes.add("{} cues are there twice; said once", f"{_name(cue)} is there twice; said once", _name(cue))
        else:
            seen.add(key)
            out.append(cue)
    return out


def _with_durations(cues: list[RawCue], end: Fraction | None, notes: Notes) -> list[RawCue]:
    """``cues``, where one that ends at or before its start gets the time it takes to say it, up to the next cue."""
    out = []
    for k, cue in enumerate(cues):
        if cue.end <= cue.start:
            wanted = cue.start + max(len(cue.text) * _PACE, _SHORTEST)
            later = [c.start for c in cues[k + 1 : k + 2] if c.start > cue.start]
            limits = later if end is None else [*later, end]
            stop = min([Fraction(wanted), *limits])
            how = "has no duration" if cue.end == cue.start else "ends before it begins"
            many = "{} cues " + ("have no duration" if cue.end == cue.start else "end before they begin")
            notes.add(
                f"{many}; they last as long as it takes to say them now",
                f"{_name(cue)} {how}; it ends at {timecode(stop)} now",
                _name(cue),
            )
            cue = replace(cue, end=stop, words=())
        out.append(cue)
    return out


def _without_overlaps(cues: list[RawCue], notes: Notes) -> list[RawCue]:
    """``cues``, where of two overlapping cues of one speaker the earlier ends sooner, or both share the time."""
    out: list[RawCue] = []
    for cue in cues:
        if out and cue.start < out[-1].end:
            before = out[-1]
            if before.speaker != cue.speaker:
                text = f"{_name(cue)} overlaps cue {before.number} of another speaker; both stay as they are"
                notes.add("{} cues overlap one of another speaker; they stay as they are", text, _name(cue))
            elif cue.start - before.start >= min(_SHORTEST_CUT, (before.end - before.start) / 2):
                text = f"{_name(cue)} overlaps cue {before.number}, which ends sooner now"
                notes.add("{} cues overlap the one before, which ends sooner now", text, _name(cue))
                out[-1] = replace(
                    before, end=cue.start, words=tuple(w for w in before.words if w.span.end <= cue.start)
                )
            else:
                text = f"{_name(cue)} begins with cue {before.number}; they share the time"
                notes.add("{} cues begin with the one before; they share the time", text, _name(cue))
                whole = max(before.end, cue.end)
                first, second = split_in_proportion(before.start, whole, [len(before.text), len(cue.text)])
                out[-1] = replace(before, start=first[0], end=first[1], words=())
                cue = replace(cue, start=second[0], end=second[1], words=())
        out.append(cue)
    return sorted(out, key=lambda cue: cue.start)
