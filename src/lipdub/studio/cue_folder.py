"""The folder of a cue that was rendered: its patches, and how they measured, as files."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lipdub.compose.patch_reel import PatchReel
from lipdub.disk.atomic import named_errors, written_beside
from lipdub.disk.json_text import parse_json
from lipdub.timeline.packed import packed, unpacked
from lipdub.timeline.take import CuePatches

_TOLD, _REEL, _SHAPES = "patches.json", "patches.reel", "shapes.npy"


@dataclass(frozen=True)
class CueFolders:
    """Where the files of every cue of a plan are, by cue id.

    A cue without a folder of its own gets one below ``root``. ``reels``: patches are kept in reels, so that the film
    can be assembled again without rendering; else they go into the film only.
    """

    root: Path
    reels: bool = False
    folders: Mapping[str, Path] = field(default_factory=dict)

    def folder(self, cue: str) -> Path:
        """The folder of the cue with this id; it may not be there yet."""
        return self.folders.get(cue, self.root / cue)

    def reel(self, cue: str) -> Path | None:
        """The file of the cue's patches; None if they are not kept."""
        return self.folder(cue) / _REEL if self.reels else None

    def finished(self, cue: str) -> CuePatches | None:
        """What was made of the cue with this id; None if it was not rendered to the end, or its files are damaged."""
        folder = self.folder(cue)
        try:
            told = unpacked(CuePatches, parse_json((folder / _TOLD).read_text("utf-8")))
        except (OSError, ValueError, TypeError, ZeroDivisionError):
            return None
        files = [None if name is None else folder / name for name in (told.reel, told.shapes)]
        if any(file is not None and not file.is_file() for file in files):
            return None
        if (files[0] is not None and not _is_reel(files[0])) or (files[1] is not None and not _is_array(files[1])):
            return None
        return replace(told, reel=files[0], shapes=files[1])

    @staticmethod
    def files_in_order(folder: Path) -> list[Path]:
        """The files that may be in the folder of a cue; the last one says that the others are complete."""
        return [folder / name for name in (_REEL, _SHAPES, _TOLD)]

    def begin(self, cue: str) -> None:
        """Forget what was made of a cue before: it is rendered anew. Raises ``OSError``."""
        (self.folder(cue) / _TOLD).unlink(missing_ok=True)

    def finish(self, made: CuePatches, shapes: np.ndarray) -> None:
        """Write down what was made of a cue, whose reel is complete, with its mouth ``shapes`` (frames, 6). Raises
        ``OSError``."""
        folder = self.folder(made.cue.id)
        folder.mkdir(parents=True, exist_ok=True)
        with named_errors(folder / _SHAPES), written_beside(folder / _SHAPES) as partial:
            np.save(partial, shapes.astype(np.float32))
        reel = None if made.reel is None else Path(_REEL)
        with named_errors(folder / _TOLD), written_beside(folder / _TOLD) as partial:
            partial.write_text(json.dumps(packed(replace(made, reel=reel, shapes=Path(_SHAPES))), indent=1), "utf-8")


def _is_array(file: Path) -> bool:
    """True if a file holds a whole array."""
    try:
        np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return True


def _is_reel(reel: Path) -> bool:
    """True if a reel has its table of contents, which is written last."""
    try:
        PatchReel(reel).close()
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False
    return True
