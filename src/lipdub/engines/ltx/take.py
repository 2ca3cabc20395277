"""Takes on disk: what was made for one stretch of speech, so that it is made once and played back after.

A take is a folder named by the digest of what it was made from and with; it appears when complete, and is looked
through when it is found again: a damaged one is made anew. It holds the lower face alone, as pixels of the model's
window, frame after frame.
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


def key_of(told: dict[str, Any]) -> str:
    """The name of a take that is made from and with ``told`` (what JSON can hold)."""
    return hashlib.sha256(json.dumps({"version": VERSION, **told}, sort_keys=True).encode()).hexdigest()[:32]


def digest(sound: Sound | None) -> str:
    """A sound's content as a word."""
    if sound is None:
        return "none"
    head = f"{sound.rate} {sound.start} {sound.samples.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(sound.samples).tobytes()).hexdigest()[:32]


class Take:
    """Pictures (height, width, 3) and reaches by number, and the voice that came with them if one was made."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], sign: LockedFile | None = None) -> None:
        """The take in ``folder``, finished or being written, with pictures of ``shape``. ``sign``: a file in it that
        tells others that it is being written."""
        self.folder, self.shape, self._sign = folder, shape, sign
        self._open()

    def _open(self) -> None:
        self._pictures = Spool(self.folder / "pictures.rgb", self.shape, np.uint8)
        self._reach = Spool(self.folder / "reach.f32", (), np.float32)

    def __len__(self) -> int:
        return len(self._reach)

    def append(self, picture: np.ndarray, reach: float) -> None:
        """Add one. Raises ``OutputError`` if the disk refuses."""
        with _kept(self.folder):
            self._pictures.append(picture)
            self._reach.append(np.array(reach, np.float32))

    def read(self, number: int) -> tuple[UInt8[np.ndarray, "height width 3"], float]:
        """One picture and its reach."""
        return self._pictures.read(number, number + 1)[0], float(self._reach.read(number, number + 1)[0])

    @property
    def voice(self) -> Sound | None:
        """The voice that was made with the pictures, on the clip's clock."""
        told = json.loads((self.folder / "take.json").read_text(encoding="utf-8"))["voice"]
        if told is None:
            return None
        samples = np.load(self.folder / "voice.npy")
        return Sound(samples, told["rate"], Fraction(told["start"]))

    def keep(self, place: Path, voice: Sound | None) -> None:
        """It is complete: let it stand at ``place``. Raises ``OutputError`` if the disk refuses."""
        with _kept(self.folder):
            self._pictures.close()
            self._reach.close()
            told = None
            if voice is not None:
                np.save(self.folder / "voice.npy", voice.samples)
                told = {"rate": voice.rate, "start": str(voice.start)}
            self._unsigned()
            (self.folder / "take.json").write_text(json.dumps({"shape": self.shape, "voice": told}), encoding="utf-8")
            write_manifest(self.folder)
            if place.exists() and not find_damage(place):
                shutil.rmtree(self.folder)
            else:
                remove_at_once(place, _PARTIAL)
                os.replace(self.folder, place)
        self.folder = place
        self._open()

    def drop(self) -> None:
        """Remove what was written."""
        self._pictures.close()
        self._reach.close()
        self._unsigned()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unsigned(self) -> None:
        if self._sign is not None:
            self._sign.release()
            self._sign.path.unlink(missing_ok=True)
            self._sign = None


class Takes:
    """All takes of a study, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when the first take is."""
        self._folder = folder

    def place(self, key: str) -> Path:
        """Where the take ``key`` stands when complete."""
        return self._folder / key

    def find(self, key: str) -> Take | None:
        """The complete take ``key``, if there is one. A damaged one is removed, which is said."""
        place = self.place(key)
        if not os.path.lexists(place):
            return None
        if wrong := find_damage(place):
            log(f"{place}: what was kept there is damaged and is made again ({wrong})")
            with _kept(self._folder):
                remove_at_once(place, _PARTIAL)
            return None
        told = json.loads((place / "take.json").read_text(encoding="utf-8"))
        height, width, depth = told["shape"]
        return Take(place, (height, width, depth))

    def begin(self, key: str, shape: tuple[int, int, int]) -> Take:
        """A new take, empty. What runs that were killed left half-written is removed. Raises ``OutputError`` if the
        disk refuses."""
        with _kept(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned_folders(self._folder, _PARTIAL, _SIGN)
            place = self._folder / f"{_PARTIAL}{secrets.token_hex(8)}"
            place.mkdir()
            return Take(place, shape, create_locked(place, _SIGN))


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        raise OutputError(
            f"working files cannot be kept there: {cause_of(refused).what}",
            file=folder,
            remedy="Free some space, or point LIPDUB_CACHE to another disk",
        ) from refused
