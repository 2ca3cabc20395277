"""Lets the tests of this room import ``drawn`` and ``conformance`` beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
