"""Patch reels: the patches of one face, lossless, in the source's own planes, in one file.

A reel is a ZIP archive. Every entry holds one window of one plane of one frame, and its name says which: frame,
plane, top, left, rows, columns, bytes per sample. Its content is by how much each sample grows, modulo the range of
the sample type, so that applying a reel to the decoded source gives the same samples as applying the patches.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from lipdub.compose.patching import apply_patches
from lipdub.disk.atomic import named_errors
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame

_LEVEL = 1
"""How hard windows are compressed: they are small and mostly zero."""


class PatchReelWriter:
    """Writes the reel at ``path``, which is made anew. Raises ``OSError`` if the disk refuses."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._path = path
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)

    def apply(self, frame: Frame, patches: Sequence[Patch]) -> None:
        """Apply ``patches`` to ``frame``, as ``apply_patches`` does, and record what changed. Frames come in order."""
        before = [plane.copy() for plane in frame.planes]
        apply_patches(frame, patches)
        for number, (old, new) in enumerate(zip(before, frame.planes, strict=True)):
            self._add(frame.index, number, old, new)

    def _add(self, index: int, plane: int, old: np.ndarray, new: np.ndarray) -> None:
        changed = old != new
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if not len(rows):
            return
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        grown = new[window] - old[window]  # unsigned, so it wraps
        name = f"{index}/{plane}/{rows[0]}/{columns[0]}/{grown.shape[0]}/{grown.shape[1]}/{grown.itemsize}"
        with named_errors(self._path):
            self._zip.writestr(name, np.ascontiguousarray(grown).tobytes())

    def close(self) -> None:
        """Complete the file."""
        with named_errors(self._path):
            self._zip.close()

    def __enter__(self) -> "PatchReelWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class PatchReel:
    """The finished reel at ``path``."""

    def __init__(self, path: Path) -> None:
        """Read what the reel holds, not yet its windows. Raises ``OSError`` or ``zipfile.BadZipFile`` if it is
        damaged."""
        self._zip = zipfile.ZipFile(path)
        self._windows: dict[int, list[str]] = {}
        for name in self._zip.namelist():
            self._windows.setdefault(int(name.split("/", 1)[0]), []).append(name)

    def __contains__(self, index: int) -> bool:
        return index in self._windows

    def apply(self, frame: Frame) -> None:
        """Write the recorded windows into the planes of ``frame``, the same frame of the same source. Others stay."""
        for name in self._windows.get(frame.index, ()):
            plane, top, left, rows, columns, size = (int(number) for number in name.split("/")[1:])
            view = frame.planes[plane][top : top + rows, left : left + columns]
            assert (view.shape, view.itemsize) == ((rows, columns), size), "a reel belongs to one source"
            view += np.frombuffer(self._zip.read(name), view.dtype).reshape(rows, columns)

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()
