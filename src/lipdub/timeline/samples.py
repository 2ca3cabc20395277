"""Samples that are read piece by piece: an array, or a file in which an hour of sound takes no memory."""

import threading
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32


@runtime_checkable
class Samples(Protocol):
    """Mono samples (float32): an array is such, and so is a ``SampleFile``."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, part: slice, /) -> Float32[np.ndarray, " _n"]:
        """Those from ``part.start`` (>= 0) to ``part.stop``, as far as they are there."""
        ...


class SampleFile:
    """Mono float32 samples in the file ``path`` (native byte order), which is made anew.

    Samples are added at the end and read in pieces, by any number of threads. Nothing is mapped into memory. Close it
    when done; the file stays.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._lock = threading.Lock()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, samples: Float32[np.ndarray, " _n"]) -> None:
        """Add samples at the end. Raises ``OSError`` if the disk is full."""
        with self._lock:
            self._file.seek(self._length * 4)
            self._file.write(np.ascontiguousarray(samples, np.float32).data)
            self._length += len(samples)

    def __getitem__(self, part: slice) -> Float32[np.ndarray, " _n"]:
        first, stop, step = part.indices(self._length)
        assert step == 1, "samples are read one after the other"
        out = np.empty(max(0, stop - first), np.float32)
        with self._lock:
            self._file.seek(first * 4)
            self._file.readinto(out.data)
        return out

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
