"""Cues cleaned to what is spoken: without mark-up, sounds and songs, and one cue for each speaker."""

import html
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lipdub.timeline.notes import Notes, listed, short
from lipdub.words_to_sound.script.formats import RawCue, split_in_proportion

_KNOWN = "b|i|u|s|c|v|em|strong|font|lang|ruby|rt|rp|span|p|div|sub|sup|small|big|tt|strike|center"
_HTML = re.compile(rf"(?i)</?(?:{_KNOWN})(?:[\s.][^<>]*)?/?>|<\d[\d:.]*>")
_BRACES = re.compile(r"\{[\\yYfFcCsS][^{}]*\}|\{[^{}]*\\[^{}]*\}")
_BREAK = re.compile(r"(?i)<br\s*/?>")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\u00ad\ufeff]")
_BRACKETED = re.compile(r"\[[^\[\]]*\]|【[^【】]*】")
_ROUND = r"(?:\([^()]*\)|（[^（）]*）)"
_ROUND_AT_EDGE = re.compile(rf"^\s*(?:{_ROUND}\s*)+|(?:(?<=[\s.!?,…。！？])|(?<=^)){_ROUND}\s*$")
_NOTES_OF_MUSIC = "♪♫♬♩"
_SUNG = re.compile(rf"[{_NOTES_OF_MUSIC}][^{_NOTES_OF_MUSIC}]*[{_NOTES_OF_MUSIC}]?")
_DASH = re.compile(r"^\s*[-–—‐]\s*(?=\S)")
_CHEVRONS = re.compile(r"^\s*(?:>>+|&gt;&gt;)\s*")
_CAPITALS = re.compile(r"^([^\W\d_][\w .'’&#/-]{0,28}?)\s*(?:\([^()]{1,20}\))?\s*[:：](?!//)\s*(?=\S|$)")


@dataclass(frozen=True, slots=True)
class CleanedCues:
    """``cues`` whose text is spoken (none is empty), and ``notes`` for the report on what was left out."""

    cues: tuple[RawCue, ...]
    notes: tuple[str, ...]


def clean_cues(cues: Iterable[RawCue]) -> CleanedCues:
    """``cues`` without mark-up and descriptions of sounds; a cue with several speakers becomes several cues."""
    bare = [replace(cue, text=_without_tags(cue.text)) for cue in cues]
    names = _names(bare)
    out: list[RawCue] = []
    notes = Notes()
    guessed = [f"'{name}'" for name in sorted(names) if not _in_capitals(name)]
    for cue in bare:
        text, sounds = _without_sounds(cue.text)
        for sound in map(short, sounds):
            which = f"cue {cue.number}: '{sound}'"
            notes.add("{} descriptions of sounds are not spoken; left out", f"{which} is not spoken; left out", which)
        turns = _turns(text, cue.speaker, names)
        if not turns and not sounds:
            notes.add("{} cues are empty; left out", f"cue {cue.number} is empty; left out", f"cue {cue.number}")
        if len(turns) > 1:
            text = f"cue {cue.number} has {len(turns)} speakers; it became {len(turns)} lines, which share its time"
            notes.add("{} cues have several speakers; each became several lines", text, f"cue {cue.number}")
        out += _split_by_speaker(cue, turns)
    names_note = (
        [f"{listed(guessed)} before a colon: taken for speakers' names, which are not spoken"] if guessed else []
    )
    return CleanedCues(tuple(out), (*names_note, *notes))


def _without_tags(text: str) -> str:
    bare = html.unescape(_BRACES.sub("", _HTML.sub("", _BREAK.sub("\n", text))))
    return _INVISIBLE.sub("", bare).replace("\u00a0", " ").replace("\r", "")


def _without_sounds(text: str) -> tuple[str, list[str]]:
    """``text`` without descriptions of sounds and without songs, and what was taken out."""
    sounds: list[str] = []

    def drop(found: "re.Match[str]") -> str:
        sounds.append(" ".join(found.group().split()))
        return " "

    text = _SUNG.sub(drop, _BRACKETED.sub(drop, text))
    rows = []
    for row in text.split("\n"):
        name = _CAPITALS.match(row)
        head = row[: name.end()] if name and not row.lstrip().startswith("(") else ""
        rows.append(head + _ROUND_AT_EDGE.sub(drop, row[len(head) :]))
    return "\n".join(row for row in rows if any(c.isalnum() for c in row)), sounds


def _names(cues: list[RawCue]) -> frozenset[str]:
    """The texts before a colon that are names of speakers: those in capitals, others if they occur at least twice, and
    all of them if each cue begins with one."""
    found: Counter[str] = Counter()
    heads = [_CAPITALS.match(_without_marks(cue.text)) for cue in cues]
    if len(cues) > 1 and all(heads):
        return frozenset(head.group(1).strip() for head in heads if head is not None)
    for cue in cues:
        for row in cue.text.split("\n"):
            name = _CAPITALS.match(_without_marks(row))
            if name and len(name.group(1).split()) <= 3:
                found[name.group(1).strip()] += 1
    return frozenset(n for n, times in found.items() if (times > 1 and not n[0].islower()) or _in_capitals(n))


def _in_capitals(name: str) -> bool:
    return name == name.upper() and name != name.lower() and len(name) > 1


def _without_marks(row: str) -> str:
    """``row`` without the dash or chevrons that begin a turn."""
    return _CHEVRONS.sub("", _DASH.sub("", row))


def _turns(text: str, speaker: str, names: frozenset[str]) -> list[tuple[str, str]]:
    """(speaker, text) of each turn in a cue: a dash, chevrons or another name begins a turn."""
    rows = [row.strip() for row in text.split("\n") if row.strip()]
    dashed = [bool(_DASH.match(row)) for row in rows]
    talk = len(rows) > 1 and sum(dashed) > 1
    turns: list[tuple[str, str]] = []
    for row, dash in zip(rows, dashed, strict=True):
        begins = not turns or (talk and dash) or bool(_CHEVRONS.match(row))
        bare = _without_marks(row) if talk or not turns or begins else row
        name = _CAPITALS.match(bare)
        if name and name.group(1).strip() in names:
            turns.append((name.group(1).strip(), bare[name.end() :].strip()))
        elif begins:
            turns.append((speaker, bare.strip()))
        else:
            turns[-1] = (turns[-1][0], f"{turns[-1][1]} {bare.strip()}".strip())
    return [(who, " ".join(words.split())) for who, words in turns if any(c.isalnum() for c in words)]


def _split_by_speaker(cue: RawCue, turns: list[tuple[str, str]]) -> list[RawCue]:
    """A cue for each turn; they share the time of ``cue`` in proportion to their texts."""
    if len(turns) == 1:
        words = cue.words if turns[0][1] == " ".join(cue.text.split()) else ()
        return [replace(cue, speaker=turns[0][0], text=turns[0][1], words=words)]
    times = split_in_proportion(cue.start, cue.end, [len(text) for _, text in turns]) if turns else []
    return [
        replace(cue, start=a, end=b, speaker=who, text=text, words=())
        for (who, text), (a, b) in zip(turns, times, strict=True)
    ]
