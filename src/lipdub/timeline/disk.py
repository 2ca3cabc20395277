"""Files that stand under their name only when complete."""

import os
from pathlib import Path

from lipdub.errors import OutputError


def write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) beside ``path`` and rename it there: readers see the old file or the new one.

    Raises ``OutputError`` if the disk refuses; then nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as refused:
        reason = refused.strerror or str(refused)
        raise OutputError(f"cannot be written ({reason})", file=path, remedy="Choose another place") from refused
