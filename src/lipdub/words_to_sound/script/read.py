"""Scripts and subtitles from files: nothing is silently dropped, what was mended is told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipdub.disk.regular_file import check_regular_file
from lipdub.errors import InputError
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.cleaning import Cleaned, cleaned
from lipdub.words_to_sound.script.cues import RawCue, parsed
from lipdub.words_to_sound.script.repair import repaired

_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """``language`` of lines that do not say theirs; ``start`` is the clip's instant that the file calls zero; nothing
    is said after ``end`` (clip time, None: not known)."""

    language: str = ""
    start: Fraction = Fraction(0)
    end: Fraction | None = None


@dataclass(frozen=True, slots=True)
class ScriptRead:
    """``lines`` in order of time, ``notes`` on all that was mended or left out. ``timed`` False: the file has no
    times, all spans are empty; ``timed.timed`` finds places for them."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    timed: bool = True


def read_script(path: Path, options: ReadOptions = ReadOptions()) -> ScriptRead:
    """The lines of a SubRip, WebVTT, SubStation, JSON or plain text file.

    Raises ``InputError`` if it cannot be read, or holds nothing to say.
    """
    text, notes = _text(path)
    raw = parsed(path, text)
    said = cleaned(raw.cues) if not raw.ours else _unempty(raw.cues)
    notes = [*notes, *raw.notes, *said.notes]
    cues = said.cues
    if raw.timed:
        mended = repaired(cues, None if options.end is None else options.end - options.start, raw.ours)
        cues, notes = mended.cues, [*notes, *mended.notes]
    if not cues:
        why = f": {notes[-1]}" if notes else ""
        raise InputError(f"it holds nothing to say{why}", file=path, remedy="Give a script with spoken lines")
    lines = (_line(cue, options) if raw.timed else _untimed(cue, options) for cue in cues)
    return ScriptRead(tuple(lines), tuple(notes), raw.timed)


def _unempty(cues: Sequence[RawCue]) -> Cleaned:
    said, notes = [], Notes()
    for cue in cues:
        if any(c.isalnum() for c in cue.text):
            said.append(cue)
            continue
        which = f"cue {cue.number}: '{short(cue.text)}'"
        notes.add("{} cues hold nothing to say; left out", f"{which} is nothing to say; left out", which)
    return Cleaned(tuple(said), tuple(notes))


def _line(cue: RawCue, options: ReadOptions) -> Line:
    words = tuple(replace(w, span=w.span.shifted(options.start)) for w in cue.words)
    span = Span(cue.start, cue.end).shifted(options.start)
    return Line(cue.text, span, cue.language or options.language, cue.speaker, words)


def _untimed(cue: RawCue, options: ReadOptions) -> Line:
    return Line(cue.text, Span(options.start, options.start), cue.language or options.language, cue.speaker)


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
        raise InputError("it is no text", file=path, remedy="Give a script: .srt, .vtt, .ass, .json or .txt")
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
