"""Lets tests import ``synthetic_faces`` beside them, and finds the face models for those that need them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lipdub import weights
from lipdub.errors import WeightsError
from lipdub.faces.landmarker import FaceLandmarker

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def finder() -> Iterator[FaceLandmarker]:
    """The real networks. Tests that use them are skipped where the models can neither be found nor fetched."""
    try:
        yield FaceLandmarker(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
    except WeightsError as missing:
        pytest.skip(str(missing))
