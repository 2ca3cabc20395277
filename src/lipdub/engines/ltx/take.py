"""Takes on disk: what was made for one stretch of speech, so that it is made once and played back after.

A take is a folder named by the digest of what it was made from and with; it appears when complete. It holds the
lower face alone, as pixels of the model's window, frame after frame.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lipdub.disk.publish import write_text
from lipdub.errors import OutputError
from lipdub.timeline.sound import Sound
from lipdub.timeline.spool import Spool

VERSION = 1
_STALE = 24 * 3600.0


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

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        """The take in ``folder``, finished or being written, with pictures of ``shape``."""
        self.folder, self.shape = folder, shape
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
            write_text(self.folder / "take.json", json.dumps({"shape": self.shape, "voice": told}))
            if place.exists():
                shutil.rmtree(self.folder)
            else:
                os.replace(self.folder, place)
        self.folder = place
        self._open()

    def drop(self) -> None:
        """Remove what was written."""
        self._pictures.close()
        self._reach.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Takes:
    """All takes of a study, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when the first take is."""
        self._folder = folder

    def place(self, key: str) -> Path:
        """Where the take ``key`` stands when complete."""
        return self._folder / key

    def find(self, key: str) -> Take | None:
        """The complete take ``key``, if there is one."""
        try:
            told = json.loads((self.place(key) / "take.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        height, width, depth = told["shape"]
        return Take(self.place(key), (height, width, depth))

    def begin(self, key: str, shape: tuple[int, int, int]) -> Take:
        """A new take, empty. What runs that were killed left half-written is removed. Raises ``OutputError`` if the
        disk refuses."""
        place = self._folder / f".{key}.{os.getpid()}.partial"
        shutil.rmtree(place, ignore_errors=True)
        with _kept(self._folder):
            for other in self._folder.glob(".*.partial"):
                if time.time() - other.stat().st_mtime > _STALE:
                    shutil.rmtree(other, ignore_errors=True)
            return Take(place, shape)


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        raise OutputError(
            f"working files cannot be kept ({refused.strerror or refused})",
            file=folder,
            remedy="Free some space, or point LIPDUB_CACHE to another disk",
        ) from refused
