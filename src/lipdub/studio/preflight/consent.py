"""Consent of the people in the footage: asked once per clip, remembered by the clip's digest.

Every clip has a file of its own in the folder ``consent``, so that runs beside each other lose nothing of each other's.
Earlier versions kept all records in ``consent.json``, which is still read.
"""

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path

from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import OutputError
from lipdub.studio.caller import AskPeople, granted_by_caller
from lipdub.weights import Say, log

STATEMENT = (
    "The people in this footage agreed to be dubbed, with voices that are made to resemble theirs, or I have another "
    "right to do so."
)
"""What somebody states who lets people in footage say something else."""


def ensure_consent(clip: Path, digest: str, given: bool, ask: AskPeople, why: str = "") -> dict[str, str]:
    """The record of consent for a clip: who said so, when (and ``why``). ``given``: stated with this very command.

    Raises what ``ask`` raises when consent is refused.
    """
    known = kept_consent(digest)
    if known is None or given or why:
        if not given:
            ask(str(clip))
        how = "stated by flag" if given else "stated when asked" if ask is not granted_by_caller else "by the caller"
        record = {"clip": clip.name, "when": datetime.now(UTC).isoformat(timespec="seconds"), "how": how}
        if why:
            record["why"] = why
        if known is None:
            _keep(digest, record)
        return record
    return known


def kept_consent(digest: str, say: Say = log) -> dict[str, str] | None:
    """The record that is kept for the clip with the content ``digest``, or None. A file of records that is damaged is
    kept under another name, which is said; it is asked for again."""
    record = _read(_place() / "consent" / f"{digest}.json", say)
    if record is None:
        record = (_read(_place() / "consent.json", say) or {}).get(digest)
    whole = isinstance(record, dict) and all(isinstance(text, str) for text in record.values())
    return record if whole else None


def _place() -> Path:
    given = os.environ.get("LIPDUB_CACHE")
    return Path(given) if given else user_data_path("lipdub", appauthor=False)


def _read(file: Path, say: Say) -> dict | None:
    """What ``file`` holds, or None if it is not there; if it cannot be understood, it is put aside."""
    try:
        told = parse_json(file.read_text(encoding="utf-8"))
        if isinstance(told, dict):
            return told
    except FileNotFoundError:
        return None
    except OSError as refused:
        say(f"{file}: this record of consent cannot be read ({refused.strerror or refused}); it is left as it is")
        return None
    except ValueError:
        pass
    _put_aside(file, say)
    return None


def _put_aside(file: Path, say: Say) -> None:
    """Give a damaged file a name under which it is kept and not read."""
    for number in range(1, 10_000):
        aside = file.with_name(f"{file.name}.damaged-{number}")
        if os.path.lexists(aside):
            continue
        try:
            os.link(file, aside)
            file.unlink()
        except FileExistsError:
            continue
        except OSError:
            with contextlib.suppress(OSError):
                file.rename(aside)
        say(f"{file}: this record of consent is damaged; it is kept as {aside.name}, and consent is asked for again")
        return


def _keep(digest: str, record: dict[str, str]) -> None:
    """Best effort: a record that cannot be kept is asked for again next time."""
    folder = _place() / "consent"
    with contextlib.suppress(OSError, OutputError):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{digest}.json", json.dumps(record, indent=1) + "\n")
