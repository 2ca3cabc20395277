"""Whether a folder still holds what was put into it: a list of its files with their sizes and digests, written last."""

import hashlib
import json
import os
import stat
from pathlib import Path

from lipdub.disk.identity import content_digest

MANIFEST_NAME = "manifest.json"
"""The file that holds the list."""

_VERSION = 1


def write_manifest(folder: Path) -> None:
    """Write the list of all files in ``folder``, with their SHA-256. Raises ``OSError``."""
    folders, files = _list_contents(folder)
    files.pop(MANIFEST_NAME, None)
    told = {name: [size, content_digest(folder / name)] for name, size in sorted(files.items())}
    body = json.dumps({"version": _VERSION, "folders": sorted(folders), "files": told})
    (folder / MANIFEST_NAME).write_text(f"{body}\n{_digest_of(body)}\n", encoding="utf-8", newline="\n")


def find_damage(folder: Path, *, grows: bool = False) -> str:
    """What is wrong with a sealed ``folder``, as the end of a sentence, or "": every byte of it is read.

    ``grows``: files may have been added since. Raises nothing.
    """
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return "it is no folder"
        folders, files = _list_contents(folder)
        if files.pop(MANIFEST_NAME, None) is None:
            return "its list of files is missing"
        told = _read(folder / MANIFEST_NAME)
        if told is None:
            return "its list of files is damaged"
        return _difference(folder, told, folders, files, grows)
    except (OSError, UnicodeError) as refused:
        return f"it cannot be read ({getattr(refused, 'strerror', None) or refused})"


def _difference(folder: Path, told: dict, folders: set[str], files: dict[str, int], grows: bool) -> str:
    for name in told["folders"]:
        if name not in folders:
            return f"the folder {name} is missing"
    for name, (size, _) in told["files"].items():
        if name not in files:
            return f"{name} is missing"
        if files[name] != size:
            return f"{name} has {files[name]} bytes in place of {size}"
    extra = sorted((files.keys() - told["files"].keys()) | (folders - set(told["folders"])))
    if extra and not grows:
        return f"{extra[0]} does not belong there"
    for name, (_, digest) in told["files"].items():
        if content_digest(folder / name) != digest:
            return f"{name} was altered"
    return ""


def _list_contents(folder: Path) -> tuple[set[str], dict[str, int]]:
    """The folders in ``folder``, and its files with their sizes, by their paths in it. A link is a file of size -1.

    Raises ``OSError``.
    """
    folders: set[str] = set()
    files: dict[str, int] = {}
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        with os.scandir(folder / inner) as entries:
            for entry in entries:
                name = f"{inner}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.add(name)
                    waiting.append(f"{name}/")
                else:
                    state = entry.stat(follow_symlinks=False)
                    files[name] = state.st_size if stat.S_ISREG(state.st_mode) else -1
    return folders, files


def _read(file: Path) -> dict | None:
    """The list in ``file``, or None if it is not as it was written."""
    body, _, rest = file.read_text(encoding="utf-8").partition("\n")
    if rest != f"{_digest_of(body)}\n":
        return None
    told = json.loads(body)
    return told if told["version"] == _VERSION else None


def _digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
