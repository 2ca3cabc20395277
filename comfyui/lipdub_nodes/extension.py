"""What ComfyUI loads."""

from typing import Any

from .host import ComfyExtension
from .nodes import LipdubDub, LipdubPlan, LipdubRedoLine


class LipdubExtension(ComfyExtension):
    """The three nodes."""

    async def get_node_list(self) -> list[type[Any]]:
        """The classes of the nodes."""
        return [LipdubDub, LipdubPlan, LipdubRedoLine]
