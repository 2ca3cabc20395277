"""Puts ``tests`` on the path, so that these tests import what they share by its full name, as
``sound_to_mouth.sample_speech``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
