"""The names of all files that one dub makes, chosen and checked before any work is done."""

import json
from collections.abc import Iterable
from pathlib import Path

from lipdub.disk.publish import check_output_path, same_file
from lipdub.studio.job import STEMS, OutputNames

_LARGEST_REPORT = 64 * 1024 * 1024


def check_names(names: OutputNames, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Raise ``OutputError`` if one of ``names`` is one of the ``inputs``, is there already and may not be overwritten,
    or cannot be written. The folder of stems is made when they are written."""
    given = list(inputs)
    for path in names.every:
        if path in names.stems and not path.parent.is_dir():
            check_output_path(path.parent)
        else:
            check_output_path(path, given, overwrite=overwrite)


def stem_names(film: Path, folder: Path | None) -> tuple[Path, ...]:
    """The names of the parts of the sound of ``film`` in ``folder`` (None: there are none): ``talk.es.speech.wav``."""
    return () if folder is None else tuple(folder / f"{film.stem}.{part}.wav" for part in STEMS)


def output_names(film: Path, inputs: Iterable[Path], *, page: bool, subtitles: str) -> OutputNames:
    """The names of all files of a dub that is written to ``film``; ``subtitles`` is "srt", "vtt", "ttml" or "none".

    Usually ``talk.es.mp4`` goes with ``talk.es.report.json``, ``talk.es.review.html`` and ``talk.es.srt``. If that
    report belongs to another film of the same stem (``talk.es.mov``), the whole name is used:
    ``talk.es.mp4.report.json``. Subtitles that would replace one of the ``inputs`` are called
    ``talk.es.subtitles.srt``.
    """
    stem, notes = film.stem, []
    other = _film_of(film.with_name(f"{stem}.report.json"))
    if other is not None and other != film.name:
        notes.append(f"report and subtitles are named after {film.name}, since {stem}.report.json is that of {other}")
        stem = film.name
    beside = None if subtitles == "none" else film.with_name(f"{stem}.{subtitles}")
    taken = None if beside is None else next((path for path in inputs if same_file(beside, path)), None)
    if beside is not None and taken is not None:
        beside = film.with_name(f"{stem}.subtitles.{subtitles}")
        notes.append(f"the subtitles are in {beside.name}, since {taken.name} is an input")
    return OutputNames(
        film,
        film.with_name(f"{stem}.report.json"),
        film.with_name(f"{stem}.review.html") if page else None,
        beside,
        tuple(notes),
    )


def _film_of(report: Path) -> str | None:
    """The name of the film that the report at ``report`` is about; None if there is no such report of ours."""
    try:
        if report.stat().st_size > _LARGEST_REPORT:
            return None
        told = json.loads(report.read_text(encoding="utf-8"))
        return Path(told["output"]["path"]).name if "recipe" in told else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
