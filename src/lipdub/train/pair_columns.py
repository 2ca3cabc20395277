"""Tables of training pairs: CSV, JSON or JSONL with the columns of LTX's own trainer, so that both read the same files.

    video, audio, caption, reference_video, reference_audio, video_mask, audio_mask

``video`` is what a model shall make, of ``reference_video``. A missing ``audio`` means the sound of the video file.
The trainer's older names ``media_path`` and ``ref_media_path`` are read too. Paths are relative to the table.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from os.path import relpath
from pathlib import Path

from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import InputError

COLUMNS = ("video", "audio", "caption", "reference_video", "reference_audio", "video_mask", "audio_mask")

TABLES = (".jsonl", ".json", ".csv")
"""Endings of tables, in the order in which a folder is searched."""

_OLDER = {"media_path": "video", "ref_media_path": "reference_video"}
_REMEDY = "Its columns are: " + ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One example: a model shall make ``video`` and ``audio`` from ``reference_video``, ``reference_audio`` and
    ``caption``.

    ``id`` is unique in a table and becomes the name of files. ``video_mask``: a video that is white where the mouth is
    (None: it is measured). ``audio_mask`` is kept as it was given. ``source`` names the footage it comes from.
    """

    id: str
    video: Path
    audio: Path
    caption: str
    reference_video: Path
    reference_audio: Path
    video_mask: Path | None = None
    audio_mask: Path | None = None
    source: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, each once."""
        every = (self.video, self.audio, self.reference_video, self.reference_audio, self.video_mask, self.audio_mask)
        return tuple(dict.fromkeys(path for path in every if path is not None))


def find_table(folder: Path) -> Path | None:
    """The table of pairs in ``folder``: ``dataset.jsonl``, ``.json`` or ``.csv``; None if there is none."""
    return next((path for suffix in TABLES if (path := folder / f"dataset{suffix}").is_file()), None)


def read_pairs(table: Path) -> list[TrainingPair]:
    """The pairs of a table, in order. Raises ``InputError``, with the row, if one cannot be used."""
    pairs, taken = [], set()
    for number, row in enumerate(_rows(table), 1):
        pair = _pair(table, number, row)
        if pair.id in taken:
            raise InputError(f"row {number} is there twice", file=table, remedy="Remove one of them")
        taken.add(pair.id)
        pairs.append(pair)
    if not pairs:
        raise InputError("this table has no rows", file=table, remedy=_REMEDY)
    return pairs


def write_pairs(table: Path, pairs: Sequence[TrainingPair]) -> None:
    """Write ``pairs`` as JSONL, with paths relative to the table. Raises ``OutputError``."""
    write_text(table, "".join(f"{line}\n" for line in _lines(table.absolute().parent, pairs)))


def _lines(folder: Path, pairs: Iterable[TrainingPair]) -> Iterator[str]:
    for pair in pairs:
        row: dict[str, str] = {}
        for name in COLUMNS:
            value = getattr(pair, name)
            if isinstance(value, Path):
                row[name] = Path(relpath(value.absolute(), folder)).as_posix()
            elif value is not None:
                row[name] = value
        yield json.dumps({**row, "id": pair.id, "source": pair.source}, ensure_ascii=False)


def _rows(table: Path) -> Iterator[dict]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        if table.suffix.lower() == ".csv":
            rows: list = list(csv.DictReader(text.splitlines()))
        elif table.suffix.lower() == ".jsonl":
            rows = [parse_json(line) for line in text.splitlines() if line.strip()]
        else:
            rows = parse_json(text)
    except OSError as refused:
        raise InputError(f"cannot be read ({refused.strerror or refused})", file=table) from refused
    except (ValueError, csv.Error) as wrong:
        raise InputError(f"is no table ({wrong})", file=table, remedy="Give CSV, JSON or JSONL in UTF-8") from wrong
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("is no table of rows", file=table, remedy=_REMEDY)
    for row in rows:
        yield {_OLDER.get(name, name): value for name, value in row.items() if value not in (None, "")}


def _pair(table: Path, number: int, row: dict) -> TrainingPair:
    def fault(what: str, remedy: str = _REMEDY) -> InputError:
        return InputError(f"row {number}: {what}", file=table, remedy=remedy)

    for name in ("video", "reference_video", "caption"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise fault(f"the column '{name}' is missing or empty")
    found: dict[str, Path] = {}
    for name in (n for n in COLUMNS if n != "caption" and n in row):
        if not isinstance(row[name], str):
            raise fault(f"the column '{name}' holds no path")
        found[name] = table.parent / row[name]
        if not found[name].is_file():
            raise fault(f"there is no file {row[name]}", "Check the paths: they are relative to the table")
    given = str(row.get("id", ""))
    return TrainingPair(
        id=given if re.fullmatch(r"[\w-]{1,100}", given) else _made_id(row),
        video=found["video"],
        audio=found.get("audio", found["video"]),
        caption=row["caption"].strip(),
        reference_video=found["reference_video"],
        reference_audio=found.get("reference_audio", found["reference_video"]),
        video_mask=found.get("video_mask"),
        audio_mask=found.get("audio_mask"),
        source=str(row.get("source") or row["video"]),
    )


def _made_id(row: dict) -> str:
    """A name for files from the video's own name and a digest of the row."""
    stem = re.sub(r"[^\w-]+", "-", Path(row["video"]).stem)[:40]
    told = "|".join(str(row.get(name, "")) for name in COLUMNS)
    return f"{stem}-{sha256(told.encode('utf-8', 'replace')).hexdigest()[:10]}"
