"""Lines to files: SubRip and WebVTT, which people read and edit, and JSON with all fields in exact time."""

import html
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from lipdub.disk.publish import write_text
from lipdub.errors import OptionError
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span

VERSION = 1


def write_script(path: Path, lines: Sequence[Line], overwrite: bool = False) -> None:
    """Write ``lines`` in the format of the ending of ``path``: .srt or .vtt to the millisecond, .json with all fields.

    Raises ``OptionError`` for another ending, ``OutputError`` if the file cannot be written or exists already (unless
    ``overwrite``).
    """
    check_script_name(path)
    write_text(path, _FORMATS[path.suffix.lower()](lines), overwrite=overwrite)


def check_script_name(path: Path) -> None:
    """Raises ``OptionError`` if the ending of ``path`` is not that of a format in which scripts are written."""
    _check_ending(path, tuple(_FORMATS))


def subtitle_text(rows: Sequence[tuple[Span, Sequence[str]]], ending: str) -> str:
    """Rows of text, each with the span in which they are shown, as SubRip (``ending`` ".srt") or WebVTT (".vtt")."""
    texts = [(span, "\n".join(map(_one_row, shown))) for span, shown in rows]
    return _subrip_of(texts) if ending == ".srt" else _webvtt_of(texts, _escaped)


def _check_ending(path: Path, endings: tuple[str, ...]) -> None:
    if path.suffix.lower() not in endings:
        what = f"'{path.suffix}' is" if path.suffix else "a name without an ending is"
        raise OptionError(
            f"{what} not a kind of script that can be written", file=path, remedy=f"Choose {' or '.join(endings)}"
        )


def _subrip(lines: Sequence[Line]) -> str:
    return _subrip_of([(line.span, _named(line)) for line in lines])


def _named(line: Line) -> str:
    text = _one_row(line.text)
    return f"{line.speaker}: {text}" if line.speaker else text


def _webvtt(lines: Sequence[Line]) -> str:
    def voiced(line: Line) -> str:
        voice = f"<v {_escaped(' '.join(line.speaker.split()))}>" if line.speaker else ""
        return voice + _escaped(_one_row(line.text))

    return _webvtt_of([(line.span, voiced(line)) for line in lines], str)


def _subrip_of(texts: Sequence[tuple[Span, str]]) -> str:
    blocks = (
        f"{n}\n{subtitle_time(s.start, ',')} --> {subtitle_time(s.end, ',')}\n{t}\n"
        for n, (s, t) in enumerate(texts, 1)
    )
    return "\n".join(blocks)


def _webvtt_of(texts: Sequence[tuple[Span, str]], escape: Callable[[str], str]) -> str:
    blocks = (f"{subtitle_time(s.start, '.')} --> {subtitle_time(s.end, '.')}\n{escape(t)}\n" for s, t in texts)
    return "\n".join(["WEBVTT\n", *blocks])


def subtitle_time(instant: Fraction, mark: str) -> str:
    """``instant`` as ``hh:mm:ss,mmm``, with ``mark`` before the milliseconds; at least 0."""
    seconds, milliseconds = divmod(max(round(instant * 1000), 0), 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{mark}{milliseconds:03d}"


def _one_row(text: str) -> str:
    """``text`` in one row, without the arrow of a timing row."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _json(lines: Sequence[Line]) -> str:
    packed = {"lipdub": "script", "version": VERSION, "lines": [_packed(line) for line in lines]}
    return json.dumps(packed, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _packed(line: Line) -> dict[str, object]:
    words = [{**_timed(word.span), "text": word.text, "confidence": word.confidence} for word in line.words]
    fields = {"text": line.text, "language": line.language, "speaker": line.speaker, "words": words, "id": line.id}
    return {**_timed(line.span), **{name: value for name, value in fields.items() if value}}


def _timed(span: Span) -> dict[str, object]:
    return {"start": str(span.start), "end": str(span.end)}


_FORMATS: dict[str, Callable[[Sequence[Line]], str]] = {".srt": _subrip, ".vtt": _webvtt, ".json": _json}
