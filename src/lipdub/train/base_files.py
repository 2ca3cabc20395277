"""Finds the checkpoint that is adapted, without torch."""

from pathlib import Path

from lipdub.engines.ltx.weights_folder import scan_folder
from lipdub.errors import WeightsError


def find_checkpoint(path: Path) -> Path:
    """The LTX-2.3 checkpoint: ``path`` itself, or the one in this folder, a distilled one first.

    Raises ``WeightsError`` if there is none.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise WeightsError("there is no such checkpoint or folder of LTX-2.3 files", file=path)
    found = [one for one in scan_folder(path) if one.kind == "checkpoint"]
    usable = sorted((one.path for one in found if not one.fault), key=lambda p: ("distilled" not in p.name, p.name))
    if not usable:
        why = found[0].fault if found else "no checkpoint is in it"
        raise WeightsError(f"no checkpoint of LTX-2.3 to train on: {why}", file=path, remedy="See docs/ltx.md")
    return usable[0]
