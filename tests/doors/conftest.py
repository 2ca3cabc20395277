"""Lets the tests here import ``documented`` and, from beside, ``words_to_sound.servers`` and
``golden.make_checkpoint``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent))
