"""Reads the arrays that a study stored in its folder."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lipdub.errors import InputError


def read_arrays(file: Path, version: int, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays ``names`` (none given: all) of an ``.npz`` file. The array ``version`` in it must be ``version``.

    Raises ``InputError`` if the file is missing, damaged, or of another version.
    """
    try:
        with file.open("rb") as opened, np.load(opened) as data:
            stored = {name: data[name] for name in (names or data.files)}
            found = int(data["version"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
    ) as broken:
        raise InputError(f"this study is damaged ({broken})", file=file, remedy=_REMEDY) from broken
    if found != version:
        raise InputError(
            f"this study was made by another version ({found} in place of {version})", file=file, remedy=_REMEDY
        )
    return stored


_REMEDY = "Remove its folder: it is made again"
