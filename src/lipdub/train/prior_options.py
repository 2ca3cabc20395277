"""Options of ``lipdub train prior``. The command line shows the fields and their docstrings."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Which clips are learnt from, and what is written beside the prior."""

    rights: tuple[str, ...] = ("A", "B")
    """Of a folder with a manifest, only clips whose rights begin with this are used; may be repeated."""

    without: tuple[str, ...] = ()
    """Clips whose names begin with this are not used; may be repeated."""

    basis: Path | None = None
    """Fit the encoder's basis too, and write it to this file; without it the one in the package is used."""

    cache: Path | None = None
    """Folder in which measured clips are kept for the next training."""

    overwrite: bool = False
    """Replace files that exist."""
