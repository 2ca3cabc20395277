"""Looks for the packages of the extra ``ltx`` without importing them, which takes seconds."""

from importlib.util import find_spec
from pathlib import Path

PACKAGES = {
    "torch": "",
    "diffusers": "pipelines/ltx2",
    "transformers": "models/gemma3",
    "safetensors": "",
    "accelerate": "",
    "psutil": "",
}
"""Package -> the folder in it that older versions lack, "" for none (psutil comes with accelerate)."""


def check_packages() -> None:
    """Raise ``ModuleNotFoundError`` for the first package that is missing, or that is too old to have LTX-2.3."""
    for name, folder in PACKAGES.items():
        spec = find_spec(name)
        places = (spec.submodule_search_locations or ()) if spec else ()
        if spec is None or (folder and not any((Path(place) / folder).is_dir() for place in places)):
            missing = f"{name}.{folder.replace('/', '.')}".rstrip(".") if spec else name
            raise ModuleNotFoundError(f"no module {missing}", name=missing)
