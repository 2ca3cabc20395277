"""A portrait that ships with the package, as the face in the clips of these tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.engines.fake import FakeEngine
from lipdub.engines.find import find
from lipdub.errors import MissingExtra, WeightsError
from lipdub.studio.assemble import music_effects


@pytest.fixture(autouse=True, scope="module")
def no_default_separator() -> Iterator[None]:
    """The separator that is tried by default has tests of its own; here it would only take time, also in what a module
    makes once."""

    def missing(detail: str) -> None:
        raise MissingExtra("it is not installed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(music_effects, "bed_separator", missing)
        yield


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--engine fake``, for dubs of one process where it does not matter what mouths look like."""
    monkeypatch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))


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


LINES = (
    ("0.2", "1.0", "Buenos días."),
    ("1.2", "2.0", "Hablamos de pan."),
    ("2.2", "3.0", "Mucha paciencia."),
    ("3.2", "4.0", "Por fin el horno."),
    ("4.2", "5.0", "Muchas gracias."),
    ("5.2", "6.0", "Adiós a todos."),
)
"""Start and end in seconds, and what is said."""


@dataclass(frozen=True)
class Talk:
    """A clip of six seconds, a portrait that sways, and a Spanish script of six lines for it."""

    clip: Path
    script: Path


@pytest.fixture(scope="session")
def talk(models: None, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    folder = tmp_path_factory.mktemp("talk")
    small = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    swaying = [np.roll(small, (i % 5) - 2, axis=1) for i in range(5)]
    write_synthetic_clip(folder / "talk.mp4", [swaying[i % 5] for i in range(160)], Fraction(25))
    rows = (f"{n}\n{_stamp(a)} --> {_stamp(b)}\n{text}\n\n" for n, (a, b, text) in enumerate(LINES, 1))
    (folder / "talk.es.srt").write_text("".join(rows), "utf-8")
    return Talk(folder / "talk.mp4", folder / "talk.es.srt")


def _stamp(seconds: str) -> str:
    return f"00:00:0{seconds[0]},{seconds[2]}00"
