"""Consent of the people in the footage: asked once per clip, remembered by the clip's digest."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path

from lipdub.disk.json_text import parsed_json

AskPeople = Callable[[str], None]
"""Ask whether the people in the named clip agreed; raise a ``LipdubError`` if they did not."""


def granted_by_caller(clip: str) -> None:
    """The answer of a program that calls the library: to call is to state it (see the README)."""


def ensure_consent(clip: Path, digest: str, given: bool, ask: AskPeople, why: str = "") -> dict[str, str]:
    """The record of consent for a clip: who said so, when (and ``why``). ``given``: stated with this very command.

    Raises what ``ask`` raises when consent is refused.
    """
    book = _book()
    records = _read(book)
    if digest not in records or given or why:
        if not given:
            ask(str(clip))
        how = "stated by flag" if given else "stated when asked" if ask is not granted_by_caller else "by the caller"
        record = {"clip": clip.name, "when": datetime.now(UTC).isoformat(timespec="seconds"), "how": how}
        if why:
            record["why"] = why
        if digest in records:
            return record
        records[digest] = record
        _write(book, records)
    return records[digest]


def _book() -> Path:
    given = os.environ.get("LIPDUB_CACHE")
    return (Path(given) if given else user_data_path("lipdub", appauthor=False)) / "consent.json"


def _read(book: Path) -> dict[str, dict[str, str]]:
    try:
        records = parsed_json(book.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return records if isinstance(records, dict) else {}


def _write(book: Path, records: dict[str, dict[str, str]]) -> None:
    """Best effort: a record that cannot be kept is asked for again next time."""
    try:
        book.parent.mkdir(parents=True, exist_ok=True)
        partial = book.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(records, indent=1), encoding="utf-8")
        partial.replace(book)
    except OSError:
        return
