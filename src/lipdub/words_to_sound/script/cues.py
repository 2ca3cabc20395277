"""The formats of subtitles and scripts, read to raw cues: SubRip, WebVTT, SubStation (SSA, ASS), JSON, plain text.

Written here and not left to a library, so that nothing is dropped unsaid and every complaint names its line.
SubRip has no standard; WebVTT: W3C Candidate Recommendation, 2019; SubStation: the Aegisub manual.
"""

import html
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.errors import InputError
from lipdub.timeline.lines import Word
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.time import Span

_TIME = r"(-?)(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,:](\d{1,9}))?"
_TIMING = re.compile(rf"^\s*{_TIME}\s*--+>\s*{_TIME}(?:\s+.*)?$")
_VTT_SKIPPED = re.compile(r"^(NOTE|STYLE|REGION)\b")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]*)>")
_ASS_FIELDS = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
# Whisper's web service says languages by name.
_NAMED = {
    pair[:-3]: pair[-2:]
    for pair in (
        "english:en spanish:es french:fr german:de italian:it portuguese:pt dutch:nl russian:ru chinese:zh japanese:ja "
        "korean:ko arabic:ar hindi:hi turkish:tr polish:pl ukrainian:uk catalan:ca swedish:sv danish:da norwegian:no "
        "finnish:fi greek:el czech:cs romanian:ro hungarian:hu hebrew:he thai:th vietnamese:vi indonesian:id"
    ).split()
}


_FARTHEST = 10**8
"""Seconds that a cue may be from the beginning: three years."""

_LONGEST_NUMBER, _LARGEST_EXPONENT = 400, 400
"""Characters and powers of ten of a number."""


@dataclass(frozen=True, slots=True)
class RawCue:
    """A cue as written: ``number`` counted from 1, its times (they may run backwards), its rows, who is named."""

    number: int
    start: Fraction
    end: Fraction
    text: str
    speaker: str = ""
    language: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class RawScript:
    """``cues`` in the order of the file, ``notes`` on what was passed over, and whether the file has times at all.

    ``ours``: it was written by us, so texts are what is to be said, letter by letter.
    """

    cues: tuple[RawCue, ...]
    notes: tuple[str, ...] = ()
    timed: bool = True
    ours: bool = False


def parsed(path: Path, text: str) -> RawScript:
    """The cues of ``text``, the content of ``path``, whose ending names the format (else the content is asked).

    Raises ``InputError`` for what cannot be read, naming the line or the cue.
    """
    kind = path.suffix.lower()
    if kind == ".json" or (kind not in _PARSERS and text.lstrip()[:1] in ("{", "[") and _is_json(text)):
        return _json(path, text)
    if text.lstrip().startswith("WEBVTT"):
        return _blocks(path, text, vtt=True)
    if kind in (".ass", ".ssa") or text.lstrip().startswith("[Script Info]"):
        return _substation(path, text)
    if kind in (".srt", ".vtt") or any(_TIMING.match(row) for row in text.splitlines()[:50]):
        return _blocks(path, text, vtt=kind == ".vtt")
    if kind in (".txt", ".text", ".md", ""):
        return _plain(text)
    raise InputError(
        f"'{path.suffix}' is no kind of script that is known", file=path, remedy="Give .srt, .vtt, .ass, .json or .txt"
    )


_PARSERS = frozenset({".srt", ".vtt", ".ass", ".ssa", ".txt", ".text", ".md"})


def _is_json(text: str) -> bool:
    try:
        parse_json(text)
    except ValueError:
        return False
    return True


def _plain(text: str) -> RawScript:
    rows = [row.strip() for row in text.splitlines()]
    cues = (RawCue(n, Fraction(0), Fraction(0), row) for n, row in enumerate(filter(None, rows), 1))
    return RawScript(tuple(cues), timed=False)


def _blocks(path: Path, text: str, vtt: bool) -> RawScript:
    """SubRip and WebVTT: a timing row, and the rows under it up to an empty row before the next one."""
    rows = text.splitlines()
    timings = [k for k, row in enumerate(rows) if "-->" in row and (vtt or _TIMING.match(row) or _looks_timed(row))]
    if not timings:
        raise InputError(
            "it holds no cues: no row says '00:00:01,000 --> 00:00:02,000'",
            file=path,
            remedy="Save it as SubRip (.srt), or as plain text with the ending .txt if it has no times",
        )
    cues, notes = [], Notes()
    _stray(rows[: timings[0]], vtt, notes)
    for number, (k, following) in enumerate(zip(timings, [*timings[1:], len(rows)], strict=True), 1):
        start, end = _times(path, k + 1, rows[k])
        body, left = (_vtt_body if vtt else _body)(rows[k + 1 : following], number, following == len(rows))
        for row in map(short, left):
            text = f"row '{row}' after cue {number} is no part of a cue; left out"
            notes.add("{} rows are no part of a cue; left out", text, f"'{row}' after cue {number}")
        cues += _voiced(number, start, end, body) if vtt else [RawCue(number, start, end, body)]
    return RawScript(tuple(cues), tuple(notes))


def _looks_timed(row: str) -> bool:
    """True for a row that was meant to give times, though it cannot be read."""
    return bool(re.match(r"^\s*-?\d[\d:.,\s]*--+>", row))


def _stray(rows: list[str], vtt: bool, notes: Notes) -> None:
    """Note what stands before the first cue, its number aside."""
    kept = [row.strip() for row in rows if row.strip()]
    if not vtt and kept and kept[-1].isdigit():
        kept.pop()
    for row in map(short, kept):
        if not vtt:
            text = f"'{row}' before the first cue is no part of a cue; left out"
            notes.add("{} rows before the first cue are no part of a cue; left out", text, f"'{row}'")
        elif row.startswith("X-TIMESTAMP-MAP"):
            many = "{} rows X-TIMESTAMP-MAP were not followed; times are taken as written"
            notes.add(many, f"'{row}' was not followed; times are taken as written", f"'{row}'")


def _body(rows: list[str], number: int, last: bool) -> tuple[str, list[str]]:
    """The text among the rows from one timing to the next, without the number of the next cue."""
    kept = [row for row in rows if row.strip()]
    if not last and kept and kept[-1].strip().isdecimal():
        at_timing = bool(rows[-1].strip())
        if at_timing or int(kept[-1]) == number + 1:
            kept.pop()
    return "\n".join(kept), []


def _vtt_body(rows: list[str], number: int, last: bool) -> tuple[str, list[str]]:
    """The text up to the first empty row; and what else stands before the next timing, its name and notes aside."""
    stop = next((k for k, row in enumerate(rows) if not row.strip()), len(rows))
    after = [block.strip() for block in "\n".join(rows[stop:]).split("\n\n") if block.strip()]
    if after and not last and "\n" not in after[-1]:
        after.pop()
    return "\n".join(rows[:stop]), [block for block in after if not _VTT_SKIPPED.match(block)]


def _times(path: Path, row_number: int, row: str) -> tuple[Fraction, Fraction]:
    found = _TIMING.match(row)
    if found is None:
        raise InputError(
            f"row {row_number}, '{row.strip()[:60]}', does not give two times",
            file=path,
            remedy="Write it as 00:00:01,000 --> 00:00:02,500",
        )
    groups = found.groups()
    return _instant(groups[:5]), _instant(groups[5:])


def _instant(groups: "tuple[str | None, ...]") -> Fraction:
    sign, hours, minutes, seconds, part = groups
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    exact = Fraction(whole) + (Fraction(int(part), 10 ** len(part)) if part else 0)
    return -exact if sign else exact


def _voiced(number: int, start: Fraction, end: Fraction, body: str) -> list[RawCue]:
    """A WebVTT cue, parted where another voice begins; the time is shared by length."""
    found = list(_VOICE.finditer(body))
    if not found:
        return [RawCue(number, start, end, body)]
    parts = [("", body[: found[0].start()])] if body[: found[0].start()].strip() else []
    edges = [*(m.start() for m in found[1:]), len(body)]
    parts += [(m.group(1).strip(), body[m.end() : edge]) for m, edge in zip(found, edges, strict=True)]
    spans = shared(start, end, [len(text.strip()) for _, text in parts])
    return [
        RawCue(number, a, b, text, html.unescape(speaker)) for (speaker, text), (a, b) in zip(parts, spans, strict=True)
    ]


def shared(start: Fraction, end: Fraction, lengths: list[int]) -> list[tuple[Fraction, Fraction]]:
    """From ``start`` to ``end`` in consecutive parts, as long as ``lengths`` (an empty part counts as one)."""
    counts = [max(n, 1) for n in lengths]
    edges = [start + (end - start) * Fraction(sum(counts[:k]), sum(counts)) for k in range(len(counts) + 1)]
    return list(pairwise(edges))


def _substation(path: Path, text: str) -> RawScript:
    fields, section, cues, comments = _ASS_FIELDS, "", [], 0
    for row_number, row in enumerate(text.splitlines(), 1):
        kind, _, rest = row.partition(":")
        if row.strip().startswith("[") and row.strip().endswith("]"):
            section = row.strip().lower()
        elif section not in ("[events]", "") or kind not in ("Format", "Dialogue", "Comment"):
            continue
        elif kind == "Format":
            fields = tuple(name.strip().lower() for name in rest.split(","))
        elif kind == "Comment":
            comments += 1
        else:
            cues.append(
                _dialogue(path, row_number, len(cues) + 1, dict(zip(fields, _columns(rest, fields), strict=False)))
            )
    if not cues:
        raise InputError("it holds no rows 'Dialogue: ...'", file=path, remedy="Export it again with its dialogue")
    notes = (f"{comments} rows 'Comment: ...' are not to be said; left out",) if comments else ()
    return RawScript(tuple(cues), notes)


def _columns(rest: str, fields: tuple[str, ...]) -> list[str]:
    return rest.split(",", len(fields) - 1)


def _dialogue(path: Path, row_number: int, number: int, row: dict[str, str]) -> RawCue:
    times = [re.fullmatch(_TIME, row.get(name, "").strip()) for name in ("start", "end")]
    if times[0] is None or times[1] is None or "text" not in row:
        raise InputError(
            f"row {row_number} is no complete 'Dialogue:' row with two times",
            file=path,
            remedy="Mend or delete that row",
        )
    text = re.sub(r"\{[^}]*\\p[1-9][^}]*\}.*?(\{[^}]*\\p0[^}]*\}|$)", "", row["text"])
    text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    speaker = row.get("name", row.get("actor", "")).strip()
    return RawCue(number, _instant(times[0].groups()), _instant(times[1].groups()), text, speaker)


def _json(path: Path, text: str) -> RawScript:
    """Our own JSON (``lines`` with exact times) and Whisper's (``segments`` with seconds, to the millisecond)."""
    try:
        data = parse_json(text, _exact)
    except ValueError as broken:
        raise InputError(f"it is no JSON ({broken})", file=path, remedy="Write it anew") from broken
    ours = isinstance(data, dict) and isinstance(data.get("lines"), list)
    entries = (
        data
        if isinstance(data, list)
        else data.get("lines" if ours else "segments")
        if isinstance(data, dict)
        else None
    )
    if not isinstance(entries, list):
        raise InputError("it has neither 'lines' nor 'segments'", file=path, remedy="Give a script or a transcript")
    language = str(data.get("language") or "") if isinstance(data, dict) else ""
    return RawScript(tuple(_entry(path, n, e, language) for n, e in enumerate(entries, 1)), ours=ours)


def _entry(path: Path, number: int, entry: Any, language: str) -> RawCue:
    try:
        spoken = str(entry.get("language") or language)
        words = [_word(word) for word in entry.get("words") or ()]
        return RawCue(
            number,
            _seconds(entry["start"]),
            _seconds(entry["end"]),
            str(entry["text"]),
            str(entry.get("speaker") or ""),
            _NAMED.get(spoken.lower(), spoken),
            tuple(w for w in words if w is not None) if None not in words else (),
        )
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as broken:
        raise InputError(
            f"line {number} lacks a 'start', an 'end' or a 'text' that can be read ({broken})",
            file=path,
            remedy='Each line is like {"start": "1/2", "end": 2.5, "text": "..."}',
        ) from broken


def _word(word: Any) -> Word | None:
    """A word with times, or None if it has none: some aligners leave out those of numbers."""
    if "start" not in word or "end" not in word:
        return None
    start, end = _seconds(word["start"]), _seconds(word["end"])
    sure = word.get("confidence", word.get("probability", word.get("score", 1)))
    sure = float(sure) if math.isfinite(sure) else 0.0
    return Word(str(word.get("text", word.get("word"))).strip(), Span(start, max(start, end)), sure)


def _seconds(value: Any) -> Fraction:
    """Exact from a text such as ``"1001/30000"`` or a whole number, to the millisecond from a decimal."""
    if isinstance(value, bool) or not isinstance(value, str | int | Fraction):
        raise TypeError(f"{value!r:.40} is no time")
    seconds = _exact(value) if isinstance(value, str) else Fraction(value)
    if abs(seconds) > _FARTHEST:
        raise ValueError(f"{str(value)[:40]} is too far away")
    return seconds if isinstance(value, str) else Fraction(round(seconds * 1000), 1000)


def _exact(text: str) -> Fraction:
    """The number that ``text`` writes, exactly. Raises ``ValueError`` for what would take millions of digits."""
    exponent = re.search(r"[eE]([+-]?\d+)\s*$", text)
    if len(text) > _LONGEST_NUMBER or (exponent and abs(int(exponent[1])) > _LARGEST_EXPONENT):
        raise ValueError(f"{text[:40]} is no number of seconds")
    return Fraction(text)
