"""What a safetensors file says before its data: read without torch, so that files are known before anything loads.

The format is that of the safetensors library: eight bytes with the length of a JSON text, that text, the data.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.errors import WeightsError

REMEDY = "Give the file as its publisher serves it."

_LONGEST = 100_000_000


@dataclass(frozen=True, eq=False)
class Header:
    """What a safetensors file says before its data: ``metadata``, the shape of each tensor and its kind of number
    (``"BF16"``, ``"F8_E4M3"`` ...)."""

    path: Path
    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    kinds: dict[str, str]

    @classmethod
    def of(cls, path: Path) -> "Header":
        """Read it. Raises ``WeightsError`` if the file is missing or is not a whole safetensors file."""
        if not path.is_file():
            raise WeightsError("the model file is missing", file=path)
        try:
            told = _told(path)
            metadata = told.pop("__metadata__", None) or {}
            shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in told.items()}
            kinds = {name: str(tensor["dtype"]) for name, tensor in told.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"not a whole safetensors file ({error})", file=path, remedy=REMEDY) from error
        return cls(path, metadata, shapes, kinds)

    def config(self) -> dict[str, Any]:
        """The settings in the metadata. Raises ``WeightsError`` if there are none or they cannot be read."""
        try:
            config = parse_json(self.metadata["config"])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError("the file does not say how its model is built", file=self.path, remedy=REMEDY) from error
        if not isinstance(config, dict):
            raise WeightsError("the file does not say how its model is built", file=self.path, remedy=REMEDY)
        return config

    def numbers_of(self, name: str) -> int:
        """How many numbers the tensor ``name`` holds."""
        return prod(self.shapes[name])

    def numbers(self, prefix: str = "") -> int:
        """How many numbers the tensors whose names start with ``prefix`` hold."""
        return sum(prod(shape) for name, shape in self.shapes.items() if name.startswith(prefix))


def _told(path: Path) -> dict[str, Any]:
    """The JSON text of the file, checked against the file's size. Raises ``ValueError``, ``KeyError``, ``OSError``."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < _LONGEST:
            raise ValueError("it does not start like one")
        told = parse_json(file.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in told.items() if name != "__metadata__"]
    whole, here = 8 + length + max(ends, default=0), path.stat().st_size
    if here != whole:
        raise ValueError(f"it has {here} bytes and should have {whole}")
    return told
