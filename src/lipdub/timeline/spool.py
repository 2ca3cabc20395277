"""Long arrays in files: rows are appended and read back in blocks, so that memory stays constant."""

import contextlib
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np


class Spool:
    """Rows of one shape and dtype in a binary file (native byte order, no header).

    Appending and reading may alternate. The file is never mapped, so memory of rows that were read can be freed. It is
    open only from the first ``append`` to ``close``; a closed spool can still be read.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: "np.dtype | type") -> None:
        """Open ``path``. It is created if it does not exist; existing rows stay, an incomplete last row is removed."""
        self.path, self.row_shape, self.dtype = Path(path), row_shape, np.dtype(dtype)
        self._row_bytes = int(np.prod(row_shape, dtype=np.int64)) * self.dtype.itemsize
        if not self.path.exists():  # an existing file may be on a read-only disk
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
        size = self.path.stat().st_size
        self._rows = size // self._row_bytes
        if size % self._row_bytes:
            with self.path.open("r+b") as file:
                file.truncate(self._rows * self._row_bytes)
        self._file: BinaryIO | None = None

    def __len__(self) -> int:
        return self._rows

    def append(self, row: np.ndarray) -> None:
        """Add one row, converted to the spool's dtype."""
        data = np.asarray(row, self.dtype)
        assert data.shape == self.row_shape, f"row of shape {data.shape}, expected {self.row_shape}"
        if self._file is None:
            self._file = self.path.open("ab")
            weakref.finalize(self, _closed, self._file)
        self._file.write(data.tobytes())
        self._rows += 1

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows ``[first, stop)`` as a new array (stop - first, *row_shape)."""
        assert 0 <= first <= stop <= self._rows
        if self._file is not None:
            self._file.flush()
        with self.path.open("rb") as file:
            file.seek(first * self._row_bytes)
            data = file.read((stop - first) * self._row_bytes)
        return np.frombuffer(data, self.dtype).reshape(stop - first, *self.row_shape).copy()

    def blocks(self, size: int = 512, overlap: int = 0) -> Iterator[tuple[int, int, int, np.ndarray]]:
        """Yield ``(first, stop, begin, rows)``: rows ``[begin, ...)`` reach ``overlap`` beyond ``[first, stop)``."""
        for first in range(0, self._rows, size):
            stop = min(first + size, self._rows)
            begin = max(0, first - overlap)
            yield first, stop, begin, self.read(begin, min(self._rows, stop + overlap))

    def close(self) -> None:
        """Write out buffered rows and close the file; it stays on disk."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _closed(file: BinaryIO) -> None:
    """Close a file that is no longer used. Errors of the disk are raised when it is written, not here."""
    with contextlib.suppress(OSError):
        file.close()
