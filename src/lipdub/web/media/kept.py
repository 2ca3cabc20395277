"""What is kept of a film for the page, in the folder of kept work: under a name that changes with the film's file.

The name is a digest of path, size and time of the last change, so that the film need not be read to find it. Any of it
may be removed at any time (``lipdub cache``), and is made again then. Reading takes no lock and no lease: a file that
is open stays readable while it is removed.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lipdub.disk.manifest import MANIFEST_NAME
from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError
from lipdub.studio.cache_size import cache_size
from lipdub.studio.inputs import Inputs
from lipdub.studio.store import Store, default_root, key


def kept_name(kind: str, file: Path, *more: object) -> str:
    """The name of what is kept of ``file``: ``kind``, a word that says what it is, and a digest. ``more`` is what else
    it depends on. Raises ``InputError`` if the file is not there."""
    try:
        state = file.stat()
    except (OSError, ValueError) as refused:
        cause = cause_of(refused) if isinstance(refused, OSError) else None
        what = f"cannot be read: {cause.what}" if cause else "this is no name of a file"
        raise InputError(what, file=file, remedy="If it was moved, bring it back") from refused
    return f"{kind}-{key(kind, str(file.absolute()), state.st_size, state.st_mtime_ns, *more)}"


def kept_folder(name: str) -> Path | None:
    """The finished folder ``name``, which counts as used now; None if there is none."""
    folder = default_root() / name
    if not (folder / MANIFEST_NAME).is_file():
        return None
    with suppress(OSError):
        os.utime(folder)
    return folder


def make_folder(name: str, file: Path, fill: Callable[[Path], None]) -> Path:
    """The folder ``name``, filled by ``fill(folder)`` if it is not there, or damaged. It appears when it is complete.

    Raises ``InputError`` if ``file`` changes meanwhile, ``OutputError`` if the disk refuses, and what ``fill`` raises;
    then nothing is left.
    """
    inputs = Inputs()
    inputs.watch([file])
    store = Store(default_root(), cache_size().bytes, inputs)
    try:
        return store.folder(name, fill)
    finally:
        store.close()
