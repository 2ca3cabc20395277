"""Samples that can be sliced: an array in memory, or a file that is read slice by slice."""

import threading
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32


@runtime_checkable
class Samples(Protocol):
    """Mono float32 samples: a one-dimensional array or a ``SampleFile``."""

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def __getitem__(self, part: slice, /) -> Float32[np.ndarray, " _n"]:
        """The samples from ``part.start`` (>= 0) to ``part.stop``; fewer if the sound ends before."""
        ...


class SampleFile:
    """Mono float32 samples (native byte order) in the file ``path``, which is created or emptied.

    Samples are appended, and slices are read by any number of threads. Nothing is mapped into memory. ``close`` leaves
    the file in place.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._lock = threading.Lock()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, samples: Float32[np.ndarray, " _n"]) -> None:
        """Append samples. Raises ``OSError`` if the disk is full."""
        with self._lock:
            self._file.seek(self._length * 4)
            self._file.write(np.ascontiguousarray(samples, np.float32).data)
            self._length += len(samples)

    def __getitem__(self, part: slice) -> Float32[np.ndarray, " _n"]:
        first, stop, step = part.indices(self._length)
        assert step == 1, "a slice of samples has no step"
        out = np.empty(max(0, stop - first), np.float32)
        with self._lock:
            self._file.seek(first * 4)
            self._file.readinto(out.data)
        return out

    def close(self) -> None:
        """Close the file."""
        self._file.close()
