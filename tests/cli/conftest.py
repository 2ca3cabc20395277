"""Puts this folder and ``tests`` on ``sys.path``: for ``documented``, ``speech`` and ``golden``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent))
