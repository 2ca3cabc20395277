"""Keeps the finished windows of runs that are not finished, so that an interrupted dub goes on where it was.

A window is one file, named by the key of its run and its number. It appears under that name when it is complete, and
its checksums (those of the zip format) are checked when it is read. When the run is complete, they are removed.
"""

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lipdub.disk.publish import atomic_output, remove_leftovers
from lipdub.engines.ltx.join import FrameBlock
from lipdub.engines.ltx.run_store import writing_work
from lipdub.timeline.sound import Sound
from lipdub.weights import log


@dataclass(frozen=True, eq=False)
class KeptWindow:
    """What was generated for one window: the ``block`` of frames in the run's box, and the ``voice`` from the first of
    them on (None if it follows a dub sound)."""

    block: FrameBlock
    voice: Sound | None


class WindowStore:
    """The finished windows of all unfinished runs of a study."""

    def __init__(self, folder: Path) -> None:
        """In ``folder``, which is created with the first window."""
        self._folder = folder

    def keep(self, key: str, number: int, window: KeptWindow) -> None:
        """Write window ``number`` of the run ``key``. Raises ``OutputError`` if it cannot be written."""
        with writing_work(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        voice = window.voice
        arrays: dict[str, Any] = {
            "frames": window.block.frames,
            "reach": window.block.reach,
            "start": np.array(window.block.start),
        }
        if voice is not None:
            arrays |= {"voice": voice.samples, "rate": np.array(voice.rate)}
        with (
            writing_work(self._folder),
            atomic_output(self._path(key, number), overwrite=True) as part,
            part.open("wb") as file,
        ):
            np.savez(file, **arrays)

    def find(self, key: str, number: int) -> KeptWindow | None:
        """Window ``number`` of the run ``key``, or None. A damaged one is removed, with a line in the log."""
        path = self._path(key, number)
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file) as kept:
                block = FrameBlock(int(kept["start"]), kept["frames"], kept["reach"])
                voice = Sound(kept["voice"], int(kept["rate"])) if "voice" in kept.files else None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            log(f"{path}: what was kept there is damaged and is made again")
            path.unlink(missing_ok=True)
            return None
        return KeptWindow(block, voice)

    def forget(self, key: str) -> None:
        """Remove all windows of the run ``key``, and the folder if nothing else is in it."""
        if not self._folder.is_dir():
            return
        with writing_work(self._folder):
            for path in self._folder.glob(f"{key}-*.npz"):
                path.unlink(missing_ok=True)
            remove_leftovers(self._folder)
            if not any(self._folder.iterdir()):
                os.rmdir(self._folder)

    def _path(self, key: str, number: int) -> Path:
        return self._folder / f"{key}-{number:04}.npz"
