"""Reads single tensors of a safetensors file with plain reads, whatever the size of the file.

The safetensors library maps the whole file into memory. Where main memory and swap together are smaller than the file,
the system may refuse that (``unable to mmap``), although only one tensor at a time is needed. Here the header gives the
place of a tensor, and its bytes are read into the tensor itself: memory never holds more than what was asked for.
"""

from pathlib import Path
from typing import Any, BinaryIO

import torch

from lipdub.engines.ltx.safetensors_header import REMEDY, SafetensorsHeader
from lipdub.errors import MachineError, WeightsError

_DTYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_MOST = 1 << 30
"""Bytes that are read in one call; systems limit that to about 2 GiB."""


class TensorFile:
    """An open safetensors file whose tensors are read one by one. A context manager."""

    def __init__(self, header: SafetensorsHeader) -> None:
        """The file of ``header``. Raises ``WeightsError`` if it cannot be opened."""
        self._header = header
        try:
            self._file: BinaryIO = header.path.open("rb", buffering=0)
        except OSError as error:
            raise _unreadable(header.path, error) from error

    def __enter__(self) -> "TensorFile":
        """The file itself."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the file."""
        self._file.close()

    def read(self, name: str) -> torch.Tensor:
        """The tensor ``name``, on the CPU, in the dtype of the file.

        Raises ``WeightsError`` if the file cannot be read there or has a dtype that is not known, and ``MachineError``
        if there is no memory for the tensor.
        """
        header = self._header
        start, stop = header.offsets[name]
        tensor = _empty(header.shapes[name], self._dtype(name))
        if stop - start != tensor.nbytes:
            raise WeightsError(f"its tensor {name} has {stop - start} bytes, not {tensor.nbytes}", file=header.path)
        self._fill(tensor, start)
        return tensor

    def read_rows(self, name: str, rows: list[int]) -> torch.Tensor:
        """Only these ``rows`` of the matrix ``name``. Raises as ``read`` does."""
        header = self._header
        dtype = self._dtype(name)
        _, width = header.shapes[name]
        table = _empty((len(rows), width), dtype)
        for place, row in enumerate(rows):
            self._fill(table[place], header.offsets[name][0] + row * width * dtype.itemsize)
        return table

    def _dtype(self, name: str) -> torch.dtype:
        kind = self._header.dtypes[name]
        if kind not in _DTYPES:
            what = f"its tensor {name} is of the kind {kind}, which is not read here"
            raise WeightsError(what, file=self._header.path, remedy=REMEDY)
        return _DTYPES[kind]

    def _fill(self, tensor: torch.Tensor, start: int) -> None:
        """Read ``tensor`` from byte ``start`` of the file on."""
        if tensor.nbytes:
            numbers: Any = tensor.reshape(-1).view(torch.uint8).numpy()
            view = memoryview(numbers)
            try:
                self._read_into(view, start)
            except OSError as error:
                raise _unreadable(self._header.path, error) from error

    def _read_into(self, view: memoryview, start: int) -> None:
        """Fill ``view`` from byte ``start`` of the file on. Raises ``OSError``, also if the file ends before."""
        self._file.seek(start)
        done = 0
        while done < len(view):
            count = self._file.readinto(view[done : done + _MOST])  # type: ignore[attr-defined]
            if not count:
                raise OSError(f"it ends at byte {start + done}")
            done += count


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    try:
        return torch.empty(shape, dtype=dtype)
    except (RuntimeError, MemoryError) as error:  # torch raises RuntimeError if main memory is too small
        size = torch.Size(shape).numel() * dtype.itemsize
        raise MachineError(
            f"there is no main memory left for {size / 1e9:.2f} GB of weights",
            remedy="Close other programs, or use --engine exemplar.",
        ) from error


def _unreadable(path: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"the file cannot be read ({error})", file=path, remedy="Check the disk, or download the file again."
    )
