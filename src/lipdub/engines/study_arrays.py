"""Arrays that a study keeps in its folder, read back."""

import zipfile
from pathlib import Path

import numpy as np

from lipdub.errors import InputError


def read_arrays(file: Path, version: int) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file that holds the ``version`` it was written by.

    Raises ``InputError`` if the file is not there, damaged, or of another version.
    """
    try:
        with file.open("rb") as opened, np.load(opened) as data:
            told = {name: data[name] for name in data.files}
        found = int(told["version"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as broken:
        raise InputError(f"this study is damaged ({broken})", file=file, remedy=_REMEDY) from broken
    if found != version:
        raise InputError(
            f"this study was made by another version ({found} in place of {version})", file=file, remedy=_REMEDY
        )
    return told


_REMEDY = "Remove its folder: it is made again"
