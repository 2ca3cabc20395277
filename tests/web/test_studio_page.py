"""The examples of docs/studio.md run, as they are written there, against a studio with workers."""

import os
import re
import shutil
import subprocess
import sys
import time
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from tests.cli.documented import ROOT, examples
from tests.web.test_server import running

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.errors import WeightsError

KEY = "my-own-key-0123456789"
EXAMPLES = examples(ROOT / "docs" / "studio.md")
SCRIPT = "1\n00:00:00,300 --> 00:00:02,200\nHola a todos.\n"


def test_the_page_has_examples_and_every_address_in_it_is_one_of_the_api(asked: object) -> None:
    assert len([each for each in EXAMPLES if each.text.startswith("curl")]) >= 6
    assert [each for each in EXAMPLES if each.python]
    text = (ROOT / "docs" / "studio.md").read_text("utf-8")
    patterns = [
        re.compile(re.sub(r"{\w+(?::\w+)?}", "[^/]+", route.path).replace("{", "\\{") + "$")
        for route in asked.app.app.routes  # type: ignore[attr-defined]
        if route.path not in ("/{file:path}", "/")
    ]
    for address in re.findall(r"(?<![.\w])/(?:v\d|docs|openapi)[\w/.]*", text):
        if not address.endswith(("...", "/")):
            assert any(pattern.match(address) for pattern in patterns), address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a clip of a face and a script."""
    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    picture = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (256, 256), interpolation=cv2.INTER_AREA)
    pictures = [np.roll(picture, (i % 5) - 2, axis=1) for i in range(60)]
    write_synthetic_clip(tmp_path / "talk.mp4", pictures, Fraction(25))
    (tmp_path / "talk.es.srt").write_text(SCRIPT, "utf-8")
    return tmp_path


def wait(where: str, key: dict[str, str]) -> None:
    """Wait until no job waits or is being done."""
    while jobs := httpx.get(f"{where}v1/jobs?status=queued,processing", headers=key, timeout=60).json()["data"]:
        assert jobs
        time.sleep(0.2)


@pytest.mark.slow
def test_the_examples_run(folder: Path) -> None:
    environment = {"LIPDUB_STUDIO_KEY": KEY, "LIPDUB_VOICE": "nanotts"}
    with running(folder / "studio", **environment) as (_, where, key):
        assert key["X-Api-Key"] == KEY
        for example in EXAMPLES:
            text = example.text.replace("http://localhost:8765/", where).replace("http://localhost:8765", where)
            if example.python:
                command = [sys.executable, "-c", text]
            elif text.startswith("curl "):
                command = ["bash", "-c", text.replace("curl ", "curl -sS --fail-with-body ", 1)]
            else:
                continue
            done = subprocess.run(
                command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
            wait(where, key)
        failed = httpx.get(f"{where}v1/jobs?status=failed", headers=key, timeout=60).json()["data"]
        assert failed == []
    assert (folder / "client.es.mp4").stat().st_size > 1000
    films = sorted(path.name for path in (folder / "studio").rglob("films/*.mp4"))
    assert films == ["client.es.mp4", "talk.es.mp4"]
