"""Reads the header of a safetensors file without torch, so that files are checked before anything is loaded.

The format is that of the safetensors library: eight bytes with the length of a JSON text, that text, the data.
"""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.errors import WeightsError

REMEDY = "Give the file as its publisher serves it."

_LONGEST = 100_000_000


@dataclass(frozen=True, eq=False)
class SafetensorsHeader:
    """The header of a safetensors file: ``metadata``; and by tensor name its shape, its dtype (``"BF16"``,
    ``"F8_E4M3"`` ...) and its offsets: first byte in the file, and byte after the last."""

    path: Path
    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> "SafetensorsHeader":
        """Read the header of ``path``. Raises ``WeightsError`` if it is missing or not a complete safetensors file."""
        if not path.is_file():
            raise WeightsError("the model file is missing", file=path)
        try:
            start, entries = _entries(path)
            metadata = entries.pop("__metadata__", None) or {}
            shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in entries.items()}
            dtypes = {name: str(tensor["dtype"]) for name, tensor in entries.items()}
            ends = {name: tensor["data_offsets"] for name, tensor in entries.items()}
            offsets = {name: (start + int(first), start + int(stop)) for name, (first, stop) in ends.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"not a whole safetensors file ({error})", file=path, remedy=REMEDY) from error
        return cls(path, metadata, shapes, dtypes, offsets)

    def config(self) -> dict[str, Any]:
        """The model configuration in the metadata. Raises ``WeightsError`` if there is none or it cannot be read."""
        try:
            config = parse_json(self.metadata["config"])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError("the file does not say how its model is built", file=self.path, remedy=REMEDY) from error
        if not isinstance(config, dict):
            raise WeightsError("the file does not say how its model is built", file=self.path, remedy=REMEDY)
        return config

    def size_of(self, name: str) -> int:
        """The number of elements of the tensor ``name``."""
        return prod(self.shapes[name])

    def total_size(self, prefix: str = "") -> int:
        """The number of elements of all tensors whose names start with ``prefix``."""
        return sum(prod(shape) for name, shape in self.shapes.items() if name.startswith(prefix))


def _entries(path: Path) -> tuple[int, dict[str, Any]]:
    """Where the data start, and the parsed JSON text of the header, checked against the file's size.

    Raises ``ValueError``, ``KeyError``, ``OSError``.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < _LONGEST:
            raise ValueError("it does not start like one")
        entries = parse_json(file.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in entries.items() if name != "__metadata__"]
    expected, actual = 8 + length + max(ends, default=0), path.stat().st_size
    if actual != expected:
        raise ValueError(f"it has {actual} bytes and should have {expected}")
    return 8 + length, entries
