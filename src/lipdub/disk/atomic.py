"""Files that appear complete in folders of our own: written beside their place, then renamed (rename(2)).

Files that a user asked for are published by ``publish`` instead, which refuses to replace and puts several in place
together.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Give errors of the system in the block that name no file (a full disk, for example) the name ``path``."""
    try:
        yield
    except OSError as refused:
        if refused.filename is None:
            refused.filename = str(path)
        raise


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """A path in the folder of ``target`` to write a file at, with the same suffix; it becomes ``target`` when the block
    ends, and replaces what is there. If the block raises, the file is removed and ``target`` stays as it was.

    Only one process may write ``target`` at a time: the path is the same every time. Raises ``OSError``.
    """
    partial = partial_path(target)
    try:
        yield partial
        os.replace(partial, target)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def partial_path(target: Path) -> Path:
    """Where ``written_beside`` writes what becomes ``target``."""
    return target.with_name(f"{target.stem}.part{target.suffix}")


def remove_partial(folder: Path) -> None:
    """Remove the files that runs which were ended left half written in ``folder`` and below: see ``written_beside``.

    No other process may be writing there. Raises ``OSError``.
    """
    for file in folder.rglob("*.part.*"):
        if file.is_file():
            file.unlink(missing_ok=True)


def remove_at_once(path: Path, prefix: str) -> None:
    """Remove a file, or a folder and all in it, so that no other process sees it half removed: it is first renamed to a
    random name in the same folder that begins with ``prefix``. Does nothing if it is not there. Raises ``OSError``.
    """
    if not os.path.lexists(path):
        return
    aside = path.with_name(f"{prefix}{secrets.token_hex(8)}")
    path.rename(aside)
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink()
