"""Values of this package in a file that other machines read, which may see the same folders under other names.

The file is a pickle behind a line of JSON. A pickle can call anything, and a project may come from anybody: here only
frozen data classes and enumerations of this package, numbers, arrays and fractions can be in it (the method is that of
"Restricting Globals" in Python's documentation of pickle). Paths are written relative to the folders that are named,
and rows in files (``Spool``) as the paths of these files.
"""

import enum
import hashlib
import importlib
import io
import json
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from lipdub.disk.atomic import written_beside
from lipdub.disk.json_text import parse_json
from lipdub.errors import InputError
from lipdub.timeline.spool import Spool

_ALLOWED = frozenset(
    {
        ("builtins", "set"),
        ("builtins", "frozenset"),
        ("builtins", "range"),
        ("builtins", "slice"),
        ("fractions", "Fraction"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
    }
)

Placed = Callable[[Path], tuple[str, str]]
"""Where a path is: the name of a folder ("" for none), and the path inside it."""


def packed_value(value: object, placed: Placed) -> bytes:
    """``value`` as bytes, with the paths in it as ``placed`` says."""
    body = io.BytesIO()
    _Pickler(body, placed).dump(value)
    return body.getvalue()


def unpacked_value(data: bytes, folders: Mapping[str, Path]) -> Any:
    """The value that ``packed_value`` packed; its paths are below the ``folders`` of this machine. Raises
    ``pickle.UnpicklingError`` for what may not be in it or names files that are not there, and what pickle raises for
    damage."""
    return _Unpickler(io.BytesIO(data), folders).load()


def write_values(file: Path, told: Mapping[str, Any], value: object, placed: Placed) -> None:
    """Write ``value``, with the paths in it as ``placed`` says, and what is ``told`` about it (JSON). The file appears
    complete. One process at a time may write it. Raises ``OSError``."""
    data = packed_value(value, placed)
    head = {**told, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    with written_beside(file) as partial:
        partial.write_bytes(json.dumps(head, ensure_ascii=True).encode("ascii") + b"\n" + data)


def read_told(file: Path) -> dict[str, Any] | None:
    """What is told about the value in ``file``; None if there is no such file. Raises ``InputError`` if it is
    damaged."""
    try:
        with file.open("rb") as opened:
            told = parse_json(opened.readline())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as damage:
        raise _damaged(file) from damage
    if not isinstance(told, dict):
        raise _damaged(file)
    return told


def read_value(file: Path, folders: Mapping[str, Path]) -> Any:
    """The value in ``file``; its paths are below the ``folders`` of this machine. Raises ``InputError`` if the file is
    damaged, or holds what may not be in it."""
    try:
        head, _, body = file.read_bytes().partition(b"\n")
        told = parse_json(head)
        if told["bytes"] != len(body) or told["sha256"] != hashlib.sha256(body).hexdigest():
            raise _damaged(file)
        return unpacked_value(body, folders)
    except pickle.UnpicklingError as refused:
        raise InputError(f"it cannot be used: {refused}", file=file, remedy=_REMEDY) from refused
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, ImportError) as damage:
        raise _damaged(file) from damage


_REMEDY = "Remove it: it is made anew"


def _damaged(file: Path) -> InputError:
    return InputError("it is damaged", file=file, remedy=_REMEDY)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, placed: Placed) -> None:
        super().__init__(file, protocol=5)
        self._placed = placed

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        if isinstance(obj, Spool):
            obj.close()
            return (*self._placed(obj.path), obj.row_shape, obj.dtype.str)
        return self._placed(Path(obj)) if isinstance(obj, PurePath) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, folders: Mapping[str, Path]) -> None:
        super().__init__(file)
        self._folders = folders

    def persistent_load(self, pid: Any) -> Path | Spool:
        folder, inside, *rows = pid
        if folder and folder not in self._folders:
            raise pickle.UnpicklingError(f"it names a folder '{folder}', which is not known here")
        path = Path(inside)
        if folder:
            path = self._folders[folder] / inside if inside else self._folders[folder]
        return self._spool(path, *rows) if rows else path

    def _spool(self, path: Path, row_shape: tuple[int, ...], dtype: str) -> Spool:
        size = path.stat().st_size if path.is_file() else -1
        if size % (math.prod(row_shape) * np.dtype(dtype).itemsize):  # opening it would change the file
            raise pickle.UnpicklingError(f"rows that it names are missing or damaged: {path}")
        return Spool(path, row_shape, np.dtype(dtype))

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) in _ALLOWED:
            return Fraction if global_name == "Fraction" else super().find_class(module_name, global_name)
        if module_name.startswith("lipdub.") and "." not in global_name:
            found = getattr(importlib.import_module(module_name), global_name, None)
            if isinstance(found, type) and found.__module__ == module_name and _is_value(found):
                return found
        raise pickle.UnpicklingError(f"it holds {module_name}.{global_name}, which is no value")


def _is_value(kind: type) -> bool:
    """True for frozen data classes and enumerations."""
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return frozen or issubclass(kind, enum.Enum)
