"""A portrait that ships with the package, as the face in the clips of these tests."""

from importlib.resources import files

import cv2
import numpy as np
import pytest

from lipdub import weights
from lipdub.errors import WeightsError


@pytest.fixture(scope="session")
def models() -> None:
    """Skips the test where the small models cannot be had."""
    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """The portrait as RGB, 400 x 400."""
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    return cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (400, 400), interpolation=cv2.INTER_AREA)
