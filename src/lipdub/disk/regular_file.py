"""Inputs must be regular files: reading from a pipe, a socket or a device could wait or go on for ever."""

from pathlib import Path

from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError


def check_regular_file(path: Path) -> int:
    """Size in bytes of the regular file at ``path`` (or of the one that a link leads to).

    Raises ``InputError`` if it is missing, may not be read, or is a folder, a pipe, a socket or a device.
    """
    try:
        size = path.stat().st_size
        regular, folder = path.is_file(), path.is_dir()
    except FileNotFoundError as missing:
        raise InputError("it cannot be read: there is no such file", file=path, remedy="Check the name.") from missing
    except (OSError, ValueError) as refused:
        cause = cause_of(refused)
        raise InputError(f"it cannot be read: {cause.what}", file=path, remedy=cause.remedy) from refused
    if folder:
        raise InputError("it is a folder, not a file", file=path, remedy="Name a file in it.")
    if not regular:
        what = "it is not a regular file but a pipe, a socket or a device"
        raise InputError(what, file=path, remedy="Save it to a file first.")
    return size
