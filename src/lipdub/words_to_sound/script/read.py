"""Scripts and subtitle files read to lines; all that is corrected or left out is noted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipdub.disk.regular_file import check_regular_file
from lipdub.errors import InputError
from lipdub.timeline.lines import Line, numbered
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.cleaning import CleanedCues, clean_cues
from lipdub.words_to_sound.script.formats import RawCue, parse_script
from lipdub.words_to_sound.script.repair import repair_times

_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """``language`` is that of lines without one of their own; ``start`` is the clip time of the file's time 0; lines
    end by ``end`` (clip time; None: not known)."""

    language: str = ""
    start: Fraction = Fraction(0)
    end: Fraction | None = None


@dataclass(frozen=True, slots=True)
class ScriptLines:
    """The ``lines`` of a script in order of time, each with an id, and ``notes`` on all that was corrected or left out.

    ``timed`` False: the file has no times, so all spans are empty; ``place_untimed_lines`` gives them times.
    """

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    timed: bool = True


def read_script(path: Path, options: ReadOptions = ReadOptions()) -> ScriptLines:
    """The lines of a SubRip, WebVTT, SubStation, JSON or plain text file.

    A line keeps the id that a JSON script gives it; others are numbered ("1", "2", ...) in order of time. Raises
    ``InputError`` if the file cannot be read, or holds nothing to say.
    """
    text, notes = _text(path)
    raw = parse_script(path, text)
    spoken = clean_cues(raw.cues) if not raw.verbatim else _without_empty(raw.cues)
    notes = [*notes, *raw.notes, *spoken.notes]
    cues = spoken.cues
    if raw.timed:
        repaired = repair_times(cues, None if options.end is None else options.end - options.start, raw.verbatim)
        cues, notes = repaired.cues, [*notes, *repaired.notes]
    if not cues:
        why = f": {notes[-1]}" if notes else ""
        raise InputError(f"it holds nothing to say{why}", file=path, remedy="Give a script with spoken lines")
    cues, id_notes = _with_unique_ids(cues)
    lines = (_line(cue, options) if raw.timed else _untimed(cue, options) for cue in cues)
    return ScriptLines(numbered(lines), (*notes, *id_notes), raw.timed)


def _with_unique_ids(cues: Sequence[RawCue]) -> tuple[tuple[RawCue, ...], Notes]:
    """``cues`` in which an id that an earlier cue has is removed, and notes on that."""
    taken: set[str] = set()
    out, notes = [], Notes()
    for cue in cues:
        if cue.id and cue.id in taken:
            which = f"line {cue.number} ('{short(cue.id, 40)}')"
            notes.add(
                "{} lines have the id of another line; they got new ids",
                f"{which} has the id of another line; it got a new id",
                which,
            )
            cue = replace(cue, id="")
        taken.add(cue.id)
        out.append(cue)
    return tuple(out), notes


def _without_empty(cues: Sequence[RawCue]) -> CleanedCues:
    """The cues with a letter or a digit, and notes on the others."""
    spoken, notes = [], Notes()
    for cue in cues:
        if any(c.isalnum() for c in cue.text):
            spoken.append(cue)
            continue
        which = f"cue {cue.number}: '{short(cue.text)}'"
        notes.add("{} cues hold nothing to say; left out", f"{which} holds nothing to say; left out", which)
    return CleanedCues(tuple(spoken), tuple(notes))


def _line(cue: RawCue, options: ReadOptions) -> Line:
    words = tuple(replace(w, span=w.span.shifted(options.start)) for w in cue.words)
    span = Span(cue.start, cue.end).shifted(options.start)
    return Line(cue.text, span, cue.language or options.language, cue.speaker, words, cue.id)


def _untimed(cue: RawCue, options: ReadOptions) -> Line:
    span = Span(options.start, options.start)
    return Line(cue.text, span, cue.language or options.language, cue.speaker, id=cue.id)


def _text(path: Path) -> tuple[str, list[str]]:
    """The file's text, and a note if its encoding had to be guessed."""
    size = check_regular_file(path)
    try:
        if size > _LARGEST:
            raise InputError("it is larger than 64 MB", file=path, remedy="Give a script, not a video")
        data = path.read_bytes()
    except OSError as missing:
        reason = missing.strerror or str(missing)
        raise InputError(f"it cannot be read ({reason})", file=path, remedy="Check the name") from missing
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace"), []
    if data[:400].count(0) * 4 > len(data[:400]):
        big = data[:400:2].count(0) > data[1:400:2].count(0)
        return data.decode("utf-16-be" if big else "utf-16-le", errors="replace"), ["read as UTF-16"]
    if b"\0" in data:
        raise InputError("it is not a text file", file=path, remedy="Give a script: .srt, .vtt, .ass, .json or .txt")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        return _western(data)


def _western(data: bytes) -> tuple[str, list[str]]:
    advice = "if accents are wrong, save the file as UTF-8"
    try:
        return data.decode("cp1252"), [f"it is not UTF-8 and was read as Windows-1252; {advice}"]
    except UnicodeDecodeError:
        return data.decode("latin-1"), [f"it is not UTF-8 and was read as Latin-1; {advice}"]
