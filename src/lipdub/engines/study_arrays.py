"""Reads the arrays that a study stored in its folder."""

import zipfile
from pathlib import Path

import numpy as np

from lipdub.errors import InputError


def read_arrays(file: Path, version: int) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file, by name. The array ``version`` in it must be ``version``.

    Raises ``InputError`` if the file is missing, damaged, or of another version.
    """
    try:
        with file.open("rb") as opened, np.load(opened) as data:
            stored = {name: data[name] for name in data.files}
        found = int(stored["version"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as broken:
        raise InputError(f"this study is damaged ({broken})", file=file, remedy=_REMEDY) from broken
    if found != version:
        raise InputError(
            f"this study was made by another version ({found} in place of {version})", file=file, remedy=_REMEDY
        )
    return stored


_REMEDY = "Remove its folder: it is made again"
