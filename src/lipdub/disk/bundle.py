"""Several files as one: an archive (tar) whose bytes depend on names and contents alone."""

import os
import secrets
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

from lipdub.errors import InputError


@runtime_checkable
class Sink(Protocol):
    """What an archive is written to: a file, or something that computes a digest."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""
        ...


def files_below(folder: Path) -> dict[str, Path]:
    """All regular files in ``folder`` and below, by their relative names (with ``/``), sorted. Links are left out.

    Raises ``OSError``.
    """
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            if path.is_file() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def write_bundle(files: Mapping[str, Path], out: Sink) -> None:
    """Write ``files``, by the names that they have in the archive, to ``out`` in this order. Times, owners and
    permissions are left out. Raises ``OSError``."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for name, path in files.items():
            with path.open("rb") as file:
                member = tarfile.TarInfo(name)
                member.size = os.fstat(file.fileno()).st_size
                archive.addfile(member, file)


def read_bundle(bundle: Path, place: Callable[[str], Path]) -> list[Path]:
    """Write the files of an archive to where ``place`` says for each name, one after the other; each appears whole and
    replaces what is there. Returns their paths.

    Raises ``InputError`` for an archive that is damaged or holds anything but files below its root, and ``OSError``.
    """
    written = []
    try:
        with tarfile.open(bundle, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                held = archive.extractfile(member) if member.isreg() else None
                if held is None or name.is_absolute() or ".." in name.parts:
                    raise InputError(f"this archive holds '{member.name}', which may not be in it", file=bundle)
                with held:
                    written.append(place(member.name))
                    _write(held, written[-1])
    except tarfile.TarError as damage:
        raise InputError(f"this archive is damaged ({damage})", file=bundle) from damage
    return written


def _write(held: Any, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.stem}.part{target.suffix}.{secrets.token_hex(4)}")
    try:
        with partial.open("wb") as file:
            for chunk in iter(lambda: held.read(1 << 20), b""):
                file.write(chunk)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
