"""Everything that is asked of ComfyUI. No other module imports it."""

import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def _api() -> Any:
    """The oldest version of the API that has everything used here, which later versions of ComfyUI keep."""
    try:
        return import_module("comfy_api.v0_0_2")
    except ImportError:
        return import_module("comfy_api.latest")


ComfyExtension: Any = _api().ComfyExtension
io: Any = _api().io

__all__ = [
    "ComfyExtension",
    "check_interrupted",
    "free_gpu",
    "input_folder",
    "io",
    "log",
    "output_folder",
    "progress_bar",
    "temporary_folder",
    "video_from_file",
]

log = logging.getLogger("lipdub")


def video_from_file(path: Path) -> Any:
    """A VIDEO that is the file ``path``. Nothing is decoded."""
    return _api().InputImpl.VideoFromFile(str(path))


def check_interrupted() -> None:
    """Raise ComfyUI's exception if the user pressed cancel."""
    from comfy import model_management  # pyright: ignore[reportMissingImports]

    model_management.throw_exception_if_processing_interrupted()


def free_gpu() -> None:
    """Unload ComfyUI's models from the GPU, because another process is about to need its memory."""
    from comfy import model_management  # pyright: ignore[reportMissingImports]

    model_management.unload_all_models()
    model_management.soft_empty_cache()


def progress_bar(total: int) -> Callable[[int], None]:
    """A function that sets the bar of the running node to a value of 0..``total``."""
    from comfy.utils import ProgressBar  # pyright: ignore[reportMissingImports]

    bar = ProgressBar(total)
    return lambda value: bar.update_absolute(value, total)


def input_folder() -> Path:
    """Where the user's files lie."""
    import folder_paths  # pyright: ignore[reportMissingImports]

    return Path(folder_paths.get_input_directory())


def output_folder() -> Path:
    """Where results go."""
    import folder_paths  # pyright: ignore[reportMissingImports]

    return Path(folder_paths.get_output_directory())


def temporary_folder() -> Path:
    """A folder that ComfyUI empties when it starts; it is made if it is not there."""
    import folder_paths  # pyright: ignore[reportMissingImports]

    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder
