"""A manifest lists the files of a folder with their sizes and SHA-256 digests, so that later damage can be found."""

import hashlib
import json
import os
import stat
from pathlib import Path

from lipdub.disk.identity import content_digest

MANIFEST_NAME = "manifest.json"
"""Name of the manifest in its folder. It is written last."""

_VERSION = 1


def write_manifest(folder: Path) -> None:
    """Write the manifest of all files in ``folder``. Raises ``OSError``."""
    folders, files = _list_contents(folder)
    files.pop(MANIFEST_NAME, None)
    listed = {name: [size, content_digest(folder / name)] for name, size in sorted(files.items())}
    body = json.dumps({"version": _VERSION, "folders": sorted(folders), "files": listed})
    (folder / MANIFEST_NAME).write_text(f"{body}\n{_digest_of(body)}\n", encoding="utf-8", newline="\n")


def find_damage(folder: Path, *, grows: bool = False, unread: str = "") -> str:
    """What is wrong with ``folder``, as the end of a sentence, or "" if it is as its manifest says. Every byte is read.

    ``grows``: files that were added since count as no damage. Of files with the suffix ``unread`` only the size is
    compared. Raises nothing.
    """
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return "it is not a folder"
        folders, files = _list_contents(folder)
        if files.pop(MANIFEST_NAME, None) is None:
            return "its list of files is missing"
        listed = _read(folder / MANIFEST_NAME)
        if listed is None:
            return "its list of files is damaged"
        return _difference(folder, listed, (folders, files), grows, unread)
    except (OSError, UnicodeError) as refused:
        return f"it cannot be read ({getattr(refused, 'strerror', None) or refused})"


def altered_files(folder: Path) -> list[Path]:
    """The files of ``folder`` that are not as its manifest says; those that are missing are left out, and so are all if
    the manifest cannot be used. Every byte is read. Raises ``OSError``."""
    try:
        listed = _read(folder / MANIFEST_NAME)
    except (OSError, UnicodeError):
        return []
    there = ((folder / name, told) for name, told in (listed or {"files": {}})["files"].items())
    return [
        file
        for file, (size, digest) in there
        if file.is_file() and (file.stat().st_size != size or content_digest(file) != digest)
    ]


def _difference(folder: Path, listed: dict, found: tuple[set[str], dict[str, int]], grows: bool, unread: str) -> str:
    folders, files = found
    for name in listed["folders"]:
        if name not in folders:
            return f"the folder {name} is missing"
    for name, (size, _) in listed["files"].items():
        if name not in files:
            return f"{name} is missing"
        if files[name] != size:
            return f"{name} has {files[name]} bytes in place of {size}"
    extra = sorted((files.keys() - listed["files"].keys()) | (folders - set(listed["folders"])))
    if extra and not grows:
        return f"{extra[0]} does not belong there"
    for name, (_, digest) in listed["files"].items():
        if not (unread and name.endswith(unread)) and content_digest(folder / name) != digest:
            return f"{name} was altered"
    return ""


def _list_contents(folder: Path) -> tuple[set[str], dict[str, int]]:
    """The folders in ``folder``, and its files with their sizes, by relative path; a link counts as a file of size -1.

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
    """The content of a manifest, or None if it was altered."""
    body, _, rest = file.read_text(encoding="utf-8").partition("\n")
    if rest != f"{_digest_of(body)}\n":
        return None
    listed = json.loads(body)
    return listed if listed["version"] == _VERSION else None


def _digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
