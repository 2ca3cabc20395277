"""lipdub's nodes for ComfyUI: dub a video, plan a dub, redo a line of it.

ComfyUI calls ``comfy_entrypoint``. Nothing of ComfyUI, of lipdub or of torch is imported before.
"""

from typing import Any


async def comfy_entrypoint() -> Any:
    """The extension with the three nodes."""
    from .lipdub_nodes.extension import LipdubExtension

    return LipdubExtension()
