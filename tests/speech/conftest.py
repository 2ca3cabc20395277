"""Lets the tests here import ``voices`` and, by its longer name, ``speech.conformance`` (engines have one too)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent))
