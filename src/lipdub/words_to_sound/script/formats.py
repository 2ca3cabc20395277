"""File formats of subtitles and scripts, read to raw cues: SubRip, WebVTT, SubStation (SSA, ASS), JSON, plain text.

They are parsed here and not by a library, so that all that is left out is noted and each error names its row or cue.
SubRip has no standard; WebVTT: W3C Candidate Recommendation, 2019; SubStation: the Aegisub manual.
"""

import html
import math
import re
from dataclasses import dataclass, replace
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
# Whisper's web service gives languages by name.
_LANGUAGE_CODES = {
    pair[:-3]: pair[-2:]
    for pair in (
        "english:en spanish:es french:fr german:de italian:it portuguese:pt dutch:nl russian:ru chinese:zh japanese:ja "
        "korean:ko arabic:ar hindi:hi turkish:tr polish:pl ukrainian:uk catalan:ca swedish:sv danish:da norwegian:no "
        "finnish:fi greek:el czech:cs romanian:ro hungarian:hu hebrew:he thai:th vietnamese:vi indonesian:id"
    ).split()
}


_LARGEST_TIME = 10**8
"""Seconds of the largest time that is read (three years)."""

_LONGEST_ID = 100  # characters

_LONGEST_NUMBER, _LARGEST_EXPONENT = 400, 400
"""Limits of a number: characters, and powers of ten."""


@dataclass(frozen=True, slots=True)
class RawCue:
    """A cue as written in a file: its ``number``, counted from 1, its times (``end`` may be before ``start``), its rows
    of text, its speaker, language and words if the format has them, and the ``id`` of a JSON script's line."""

    number: int
    start: Fraction
    end: Fraction
    text: str
    speaker: str = ""
    language: str = ""
    words: tuple[Word, ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class RawScript:
    """The ``cues`` in the order of the file, and ``notes`` on what was left out. ``timed`` False: the file has no
    times.

    ``verbatim``: the file was written by lipdub, so its texts are spoken as they are, without cleaning.
    """

    cues: tuple[RawCue, ...]
    notes: tuple[str, ...] = ()
    timed: bool = True
    verbatim: bool = False


def parse_script(path: Path, text: str) -> RawScript:
    """The cues of ``text``, the content of the file ``path``. The format is that of the file's ending, or is detected.

    Raises ``InputError``, which names the row or the cue, for what cannot be read.
    """
    kind = path.suffix.lower()
    if kind == ".json" or (kind not in _OTHER_ENDINGS and text.lstrip()[:1] in ("{", "[") and _is_json(text)):
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
        f"'{path.suffix}' is not a known kind of script", file=path, remedy="Give .srt, .vtt, .ass, .json or .txt"
    )


_OTHER_ENDINGS = frozenset({".srt", ".vtt", ".ass", ".ssa", ".txt", ".text", ".md"})


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
    """SubRip and WebVTT: each cue is a timing row and the rows after it, up to an empty row before the next timing."""
    rows = text.splitlines()
    timings = [k for k, row in enumerate(rows) if "-->" in row and (vtt or _TIMING.match(row) or _looks_timed(row))]
    if not timings:
        raise InputError(
            "it holds no cues: it has no row like '00:00:01,000 --> 00:00:02,000'",
            file=path,
            remedy="Save it as SubRip (.srt), or as plain text with the ending .txt if it has no times",
        )
    cues, notes = [], Notes()
    _note_header(rows[: timings[0]], vtt, notes)
    for number, (k, following) in enumerate(zip(timings, [*timings[1:], len(rows)], strict=True), 1):
        start, end = _times(path, k + 1, rows[k])
        body, left = (_vtt_body if vtt else _body)(rows[k + 1 : following], number, following == len(rows))
        for row in map(short, left):
            text = f"row '{row}' after cue {number} is not part of a cue; left out"
            notes.add("{} rows are not part of a cue; left out", text, f"'{row}' after cue {number}")
        cues += _cues_of_voices(number, start, end, body) if vtt else [RawCue(number, start, end, body)]
    return RawScript(tuple(cues), tuple(notes))


def _looks_timed(row: str) -> bool:
    """True for a row that looks like a timing row, whether or not it can be read."""
    return bool(re.match(r"^\s*-?\d[\d:.,\s]*--+>", row))


def _note_header(rows: list[str], vtt: bool, notes: Notes) -> None:
    """Note the rows before the first cue, except its number."""
    header = [row.strip() for row in rows if row.strip()]
    if not vtt and header and header[-1].isdigit():
        header.pop()
    for row in map(short, header):
        if not vtt:
            text = f"'{row}' before the first cue is not part of a cue; left out"
            notes.add("{} rows before the first cue are not part of a cue; left out", text, f"'{row}'")
        elif row.startswith("X-TIMESTAMP-MAP"):
            many = "{} rows X-TIMESTAMP-MAP were ignored; times are taken as written"
            notes.add(many, f"'{row}' was ignored; times are taken as written", f"'{row}'")


def _body(rows: list[str], number: int, last: bool) -> tuple[str, list[str]]:
    """The text in the rows from one timing to the next, without the number of the next cue; and no other rows."""
    body = [row for row in rows if row.strip()]
    if not last and body and body[-1].strip().isdecimal():
        at_timing = bool(rows[-1].strip())
        if at_timing or int(body[-1]) == number + 1:
            body.pop()
    return "\n".join(body), []


def _vtt_body(rows: list[str], number: int, last: bool) -> tuple[str, list[str]]:
    """The text up to the first empty row; and the other blocks before the next timing, except its name and notes."""
    stop = next((k for k, row in enumerate(rows) if not row.strip()), len(rows))
    after = [block.strip() for block in "\n".join(rows[stop:]).split("\n\n") if block.strip()]
    if after and not last and "\n" not in after[-1]:
        after.pop()
    return "\n".join(rows[:stop]), [block for block in after if not _VTT_SKIPPED.match(block)]


def _times(path: Path, row_number: int, row: str) -> tuple[Fraction, Fraction]:
    found = _TIMING.match(row)
    if found is None:
        raise InputError(
            f"row {row_number}, '{row.strip()[:60]}', does not hold two times",
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


def _cues_of_voices(number: int, start: Fraction, end: Fraction, body: str) -> list[RawCue]:
    """A WebVTT cue, divided where a voice (``<v NAME>``) begins; the parts share its time in proportion to their
    texts."""
    found = list(_VOICE.finditer(body))
    if not found:
        return [RawCue(number, start, end, body)]
    parts = [("", body[: found[0].start()])] if body[: found[0].start()].strip() else []
    edges = [*(m.start() for m in found[1:]), len(body)]
    parts += [(m.group(1).strip(), body[m.end() : edge]) for m, edge in zip(found, edges, strict=True)]
    spans = split_in_proportion(start, end, [len(text.strip()) for _, text in parts])
    return [
        RawCue(number, a, b, text, html.unescape(speaker)) for (speaker, text), (a, b) in zip(parts, spans, strict=True)
    ]


def split_in_proportion(start: Fraction, end: Fraction, lengths: list[int]) -> list[tuple[Fraction, Fraction]]:
    """(start, end) of consecutive parts from ``start`` to ``end``, in proportion to ``lengths`` (0 counts as 1)."""
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
    notes = (f"{comments} rows 'Comment: ...' are not spoken; left out",) if comments else ()
    return RawScript(tuple(cues), notes)


def _columns(rest: str, fields: tuple[str, ...]) -> list[str]:
    return rest.split(",", len(fields) - 1)


def _dialogue(path: Path, row_number: int, number: int, row: dict[str, str]) -> RawCue:
    times = [re.fullmatch(_TIME, row.get(name, "").strip()) for name in ("start", "end")]
    if times[0] is None or times[1] is None or "text" not in row:
        raise InputError(
            f"row {row_number} is not a complete 'Dialogue:' row with two times",
            file=path,
            remedy="Correct or delete that row",
        )
    text = re.sub(r"\{[^}]*\\p[1-9][^}]*\}.*?(\{[^}]*\\p0[^}]*\}|$)", "", row["text"])
    text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    speaker = row.get("name", row.get("actor", "")).strip()
    return RawCue(number, _instant(times[0].groups()), _instant(times[1].groups()), text, speaker)


def _json(path: Path, text: str) -> RawScript:
    """lipdub's JSON (``lines`` with exact times) and Whisper's (``segments`` with seconds, to the millisecond)."""
    try:
        data = parse_json(text, _exact)
    except ValueError as broken:
        raise InputError(
            f"it is not valid JSON ({broken})", file=path, remedy="Correct it or write it again"
        ) from broken
    verbatim = isinstance(data, dict) and isinstance(data.get("lines"), list)
    entries = (
        data
        if isinstance(data, list)
        else data.get("lines" if verbatim else "segments")
        if isinstance(data, dict)
        else None
    )
    if not isinstance(entries, list):
        raise InputError("it has neither 'lines' nor 'segments'", file=path, remedy="Give a script or a transcript")
    language = str(data.get("language") or "") if isinstance(data, dict) else ""
    cues = (_entry(path, number, entry, language) for number, entry in enumerate(entries, 1))
    return RawScript(tuple(cue if verbatim else replace(cue, id="") for cue in cues), verbatim=verbatim)


def _entry(path: Path, number: int, entry: Any, language: str) -> RawCue:
    try:
        own_language = str(entry.get("language") or language)
        words = [_word(word) for word in entry.get("words") or ()]
        return RawCue(
            number,
            _seconds(entry["start"]),
            _seconds(entry["end"]),
            str(entry["text"]),
            str(entry.get("speaker") or ""),
            _LANGUAGE_CODES.get(own_language.lower(), own_language),
            tuple(w for w in words if w is not None) if None not in words else (),
            _line_id(entry.get("id")),
        )
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as broken:
        raise InputError(
            f"line {number} has no valid 'start', 'end' or 'text' ({broken})",
            file=path,
            remedy='Each line is like {"start": "1/2", "end": 2.5, "text": "..."}',
        ) from broken


def _line_id(value: Any) -> str:
    """The id of a line: a short text in one row, or a whole number; "" for anything else."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if len(text) <= _LONGEST_ID and text.isprintable() else ""


def _word(word: Any) -> Word | None:
    """A word with times, or None if it has no times: some aligners leave out those of numbers."""
    if "start" not in word or "end" not in word:
        return None
    start, end = _seconds(word["start"]), _seconds(word["end"])
    confidence = word.get("confidence", word.get("probability", word.get("score", 1)))
    confidence = float(confidence) if math.isfinite(confidence) else 0.0
    return Word(str(word.get("text", word.get("word"))).strip(), Span(start, max(start, end)), confidence)


def _seconds(value: Any) -> Fraction:
    """Seconds: exact from a text such as ``"1001/30000"`` or a whole number, to the millisecond from a decimal."""
    if isinstance(value, bool) or not isinstance(value, str | int | Fraction):
        raise TypeError(f"{value!r:.40} is not a time")
    seconds = _exact(value) if isinstance(value, str) else Fraction(value)
    if abs(seconds) > _LARGEST_TIME:
        raise ValueError(f"{str(value)[:40]} is too large a time")
    return seconds if isinstance(value, str) else Fraction(round(seconds * 1000), 1000)


def _exact(text: str) -> Fraction:
    """The number in ``text``, exactly. Raises ``ValueError`` if it is not one, or would have too many digits."""
    exponent = re.search(r"[eE]([+-]?\d+)\s*$", text)
    if len(text) > _LONGEST_NUMBER or (exponent and abs(int(exponent[1])) > _LARGEST_EXPONENT):
        raise ValueError(f"{text[:40]} is not a number of seconds")
    return Fraction(text)
