"""Stores generated runs on disk, so that a run is generated once and played back afterwards.

A stored run is a folder named by a digest of everything that it was generated from. The folder appears when it is
complete. It is checked against its manifest whenever it is found again; a damaged run is removed and generated again.
It holds the lower face alone, frame by frame, as pixels of the model's crop.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lipdub.disk.atomic import remove_at_once
from lipdub.disk.lock_file import LockedFile, create_locked
from lipdub.disk.manifest import find_damage, write_manifest
from lipdub.disk.os_errors import cause_of
from lipdub.disk.temporary_folder import remove_abandoned_folders
from lipdub.errors import OutputError
from lipdub.timeline.sound import Sound
from lipdub.timeline.spool import Spool
from lipdub.weights import log

VERSION = 1
_PARTIAL, _SIGN = ".partial-", ".held-"


def run_key(inputs: dict[str, Any]) -> str:
    """The name under which a run is stored: a digest of its ``inputs`` (values that JSON can hold)."""
    return hashlib.sha256(json.dumps({"version": VERSION, **inputs}, sort_keys=True).encode()).hexdigest()[:32]


def sound_digest(sound: Sound | None) -> str:
    """A digest of the samples, rate and start of ``sound``; "none" for None."""
    if sound is None:
        return "none"
    head = f"{sound.rate} {sound.start} {sound.samples.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(sound.samples).tobytes()).hexdigest()[:32]


class GeneratedRun:
    """Pictures (height, width, 3) of the lower face and their reaches, by number; and the voice generated with them."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], sign: LockedFile | None = None) -> None:
        """The run in ``folder``, complete or being written, with pictures of ``shape``.

        ``sign`` is a held file in the folder that tells other processes that it is being written.
        """
        self.folder, self.shape, self._sign = folder, shape, sign
        self._open()

    def _open(self) -> None:
        self._pictures = Spool(self.folder / "pictures.rgb", self.shape, np.uint8)
        self._reach = Spool(self.folder / "reach.f32", (), np.float32)

    def __len__(self) -> int:
        return len(self._reach)

    def append(self, picture: np.ndarray, reach: float) -> None:
        """Add one picture and its reach. Raises ``OutputError`` if it cannot be written."""
        with writing_work(self.folder):
            self._pictures.append(picture)
            self._reach.append(np.array(reach, np.float32))

    def read(self, number: int) -> tuple[UInt8[np.ndarray, "height width 3"], float]:
        """Picture ``number`` and its reach."""
        return self._pictures.read(number, number + 1)[0], float(self._reach.read(number, number + 1)[0])

    @property
    def voice(self) -> Sound | None:
        """The voice that was generated with the pictures, on the clip's clock; None if they follow a dub sound."""
        stored = json.loads((self.folder / "take.json").read_text(encoding="utf-8"))["voice"]
        if stored is None:
            return None
        samples = np.load(self.folder / "voice.npy")
        return Sound(samples, stored["rate"], Fraction(stored["start"]))

    def publish(self, path: Path, voice: Sound | None) -> None:
        """Complete the run and move it to ``path``. Raises ``OutputError`` if it cannot be written."""
        with writing_work(self.folder):
            self._pictures.close()
            self._reach.close()
            entry = None
            if voice is not None:
                np.save(self.folder / "voice.npy", voice.samples)
                entry = {"rate": voice.rate, "start": str(voice.start)}
            self._release()
            (self.folder / "take.json").write_text(json.dumps({"shape": self.shape, "voice": entry}), encoding="utf-8")
            write_manifest(self.folder)
            if path.exists() and not find_damage(path):
                shutil.rmtree(self.folder)
            else:
                remove_at_once(path, _PARTIAL)
                os.replace(self.folder, path)
        self.folder = path
        self._open()

    def discard(self) -> None:
        """Remove everything that was written."""
        self._pictures.close()
        self._reach.close()
        self._release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _release(self) -> None:
        """Remove the file that says that the folder is being written."""
        if self._sign is not None:
            self._sign.release()
            self._sign.path.unlink(missing_ok=True)
            self._sign = None


class RunStore:
    """All generated runs of a study."""

    def __init__(self, folder: Path) -> None:
        """The store in ``folder``, which is created with the first run."""
        self._folder = folder

    def path(self, key: str) -> Path:
        """The folder of the complete run ``key``."""
        return self._folder / key

    def find(self, key: str) -> GeneratedRun | None:
        """The complete run ``key``, or None. A damaged one is removed, with a line in the log."""
        path = self.path(key)
        if not os.path.lexists(path):
            return None
        if wrong := find_damage(path):
            log(f"{path}: what was kept there is damaged and is made again ({wrong})")
            with writing_work(self._folder):
                remove_at_once(path, _PARTIAL)
            return None
        height, width, channels = json.loads((path / "take.json").read_text(encoding="utf-8"))["shape"]
        return GeneratedRun(path, (height, width, channels))

    def begin(self, key: str, shape: tuple[int, int, int]) -> GeneratedRun:
        """A new, empty run with pictures of ``shape``. Unfinished runs of processes that were killed are removed.

        Raises ``OutputError`` if it cannot be written.
        """
        with writing_work(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned_folders(self._folder, _PARTIAL, _SIGN)
            path = self._folder / f"{_PARTIAL}{secrets.token_hex(8)}"
            path.mkdir()
            return GeneratedRun(path, shape, create_locked(path, _SIGN))


@contextmanager
def writing_work(folder: Path) -> Iterator[None]:
    """Turn an ``OSError`` in the block into an ``OutputError`` about the working files in ``folder``."""
    try:
        yield
    except OSError as refused:
        raise OutputError(
            f"working files cannot be kept there: {cause_of(refused).what}",
            file=folder,
            remedy="Free some space, or point LIPDUB_CACHE to another disk",
        ) from refused
