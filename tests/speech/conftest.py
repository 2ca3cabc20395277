"""Lets the tests here import ``voices`` and, by its longer name, ``speech.conformance``: engines have one too."""

import sys
from pathlib import Path

# At the end, so that the engines' tests find their own conformance first.
sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent))
