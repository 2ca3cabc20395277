"""The face that the tests of training draw clips of."""

import sys
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipdub import weights
from lipdub.errors import WeightsError

sys.path.insert(0, str(Path(__file__).parent))  # for ltx_data, which several tests import


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The portrait, 256 x 256."""
    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    return cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (256, 256), interpolation=cv2.INTER_AREA)
