"""Times of cues that cannot be, made possible: every change is told."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from lipdub.timeline.notes import Notes, short
from lipdub.timeline.time import timecode
from lipdub.words_to_sound.script.formats import RawCue, split_in_proportion

_PACE = Fraction(1, 15)  # seconds a character takes to say, for cues that lack a length
_BRIEF = Fraction(1)
_SPARE = Fraction(3, 10)  # the least that is left of a cue that is cut for the next


@dataclass(frozen=True, slots=True)
class RepairedCues:
    """``cues`` in order of their start, each of some length, and ``notes`` on what was changed."""

    cues: tuple[RawCue, ...]
    notes: tuple[str, ...]


def repair_times(cues: Iterable[RawCue], end: Fraction | None, ours: bool = False) -> RepairedCues:
    """Cues sorted, lengthened and kept before ``end``, the clip's (None: it is not known).

    Unless the file is ``ours``, they are kept after 0, those that overlap are parted, and those that come twice are
    said once.
    """
    notes = Notes()
    given = list(cues)
    ordered = sorted(given, key=lambda cue: cue.start)
    if ordered != given:
        late = sum(a.start > b.start for a, b in pairwise(given))
        text = f"the cues are not in order of time ({late} come too late in the file); they were sorted"
        notes.add(text, text, "")
    begun = ordered if ours else [kept for cue in ordered for kept in _begun(cue, notes)]
    inside = [kept for cue in begun for kept in _ended(cue, end, notes)]
    if ours:
        return RepairedCues(tuple(_lengthened(inside, end, notes)), tuple(notes))
    return RepairedCues(tuple(_parted(_lengthened(_once(inside, notes), end, notes), notes)), tuple(notes))


def _said(cue: RawCue) -> str:
    return f"cue {cue.number} at {timecode(cue.start)}"


def _begun(cue: RawCue, notes: Notes) -> list[RawCue]:
    if cue.start < 0:
        if cue.end <= 0:
            text = f"{_said(cue)}: it lies before the beginning; '{short(cue.text)}' left out"
            notes.add("{} cues lie before the beginning; left out", text, _said(cue))
            return []
        text = f"{_said(cue)}: it begins before the beginning; it begins at 0 now"
        notes.add("{} cues begin before the beginning; they begin at 0 now", text, _said(cue))
        cue = replace(cue, start=Fraction(0), words=())
    return [cue]


def _ended(cue: RawCue, end: Fraction | None, notes: Notes) -> list[RawCue]:
    if end is not None and cue.start >= end:
        where = f"past the end of the clip ({timecode(end)})"
        text = f"{_said(cue)}: it lies {where}; '{short(cue.text)}' left out"
        notes.add(f"{{}} cues lie {where}; left out", text, _said(cue))
        return []
    if end is not None and cue.end > end:
        text = f"{_said(cue)}: it lasts past the end of the clip; it ends with the clip now"
        notes.add("{} cues last past the end of the clip; they end with the clip now", text, _said(cue))
        cue = replace(cue, end=end, words=tuple(w for w in cue.words if w.span.end <= end))
    return [cue]


def _once(cues: list[RawCue], notes: Notes) -> list[RawCue]:
    """Without those that say the same thing at the same time again."""
    out: list[RawCue] = []
    seen: set[tuple[Fraction, Fraction, str, str]] = set()
    for cue in cues:
        key = (cue.start, cue.end, cue.text, cue.speaker)
        if key in seen:
            notes.add("{} cues are there twice; said once", f"{_said(cue)}: it is there twice; said once", _said(cue))
        else:
            seen.add(key)
            out.append(cue)
    return out


def _lengthened(cues: list[RawCue], end: Fraction | None, notes: Notes) -> list[RawCue]:
    """Those that end where they begin, or before, last as long as it takes to say them, or until the next."""
    out = []
    for k, cue in enumerate(cues):
        if cue.end <= cue.start:
            wish = cue.start + max(len(cue.text) * _PACE, _BRIEF)
            later = [c.start for c in cues[k + 1 : k + 2] if c.start > cue.start]
            limits = later if end is None else [*later, end]
            stop = min([Fraction(wish), *limits])
            how = "has no length" if cue.end == cue.start else "ends before it begins"
            many = "{} cues " + ("have no length" if cue.end == cue.start else "end before they begin")
            notes.add(
                f"{many}; they last as long as it takes to say them now",
                f"{_said(cue)}: it {how}; it ends at {timecode(stop)} now",
                _said(cue),
            )
            cue = replace(cue, end=stop, words=())
        out.append(cue)
    return out


def _parted(cues: list[RawCue], notes: Notes) -> list[RawCue]:
    """Where two cues of one speaker overlap, the earlier ends sooner, or both share the time."""
    out: list[RawCue] = []
    for cue in cues:
        if out and cue.start < out[-1].end:
            before = out[-1]
            if before.speaker != cue.speaker:
                text = f"{_said(cue)}: it overlaps cue {before.number} of another speaker; both stay as they are"
                notes.add("{} cues overlap one of another speaker; they stay as they are", text, _said(cue))
            elif cue.start - before.start >= min(_SPARE, (before.end - before.start) / 2):
                text = f"{_said(cue)}: it overlaps cue {before.number}, which ends sooner now"
                notes.add("{} cues overlap the one before, which ends sooner now", text, _said(cue))
                out[-1] = replace(
                    before, end=cue.start, words=tuple(w for w in before.words if w.span.end <= cue.start)
                )
            else:
                text = f"{_said(cue)}: it begins with cue {before.number}; they share the time"
                notes.add("{} cues begin with the one before; they share the time", text, _said(cue))
                whole = max(before.end, cue.end)
                first, second = split_in_proportion(before.start, whole, [len(before.text), len(cue.text)])
                out[-1] = replace(before, start=first[0], end=first[1], words=())
                cue = replace(cue, start=second[0], end=second[1], words=())
        out.append(cue)
    return sorted(out, key=lambda cue: cue.start)
