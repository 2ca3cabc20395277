"""Puts this folder on ``sys.path``, for the processes of a batch as well; small clips."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from batch_stand_in import Small, small_files


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Two clips that show nobody, a dub track, and scripts in two languages."""
    small_files(tmp_path)
    return Small(tmp_path)
