"""The type of a cache for translations and spoken lines, which are computed once."""

from collections.abc import Callable
from pathlib import Path

FolderCache = Callable[[str, Callable[[Path], None]], Path]
"""``cache(name, fill)`` gives the folder called ``name``. If it is not there yet, ``fill(folder)`` makes its
content."""
