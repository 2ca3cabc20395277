"""A real Chromium that drives the page. Puts this folder on ``sys.path`` for ``mock_studio``.

No test may leave an error in the browser's console, an exception in the page, or a refusal by its security policy.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from windows import Studio, ready


def chromium() -> str:
    """Debian's chromium, or the one that playwright installed. Skips the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    with sync_api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if not Path(own).exists():
        pytest.skip("there is no browser: apt-get install chromium, or playwright install chromium")
    return own


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """While it is open, an event loop runs in this thread, which tests of other modules may not find there."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, Chromium starts without its sandbox only. Shared memory is small in containers.
        options = ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]
        opened = playwright.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder with the clip and its film, and their peaks."""
    from mock_studio import write_media

    folder = tmp_path_factory.mktemp("media")
    return folder, write_media(folder)


@pytest.fixture
def studio(browser: Any, media: tuple[Path, dict[str, bytes]]) -> Iterator[Studio]:
    from mock_studio import Mock, served

    folder, peaks = media
    mock = Mock(folder, peaks, wait=0.05)
    with served(mock) as address:
        made = Studio(mock, address, browser)
        yield made
        made.close()


@pytest.fixture
def talk(studio: Studio) -> Any:
    """The project with eight lines, in a wide window, ready to be played."""
    page = studio.open("talk/es")
    ready(page)
    return page


@pytest.fixture
def shown_frames() -> Callable[[Any], list[int]]:
    """Reads the numbers of the frames that source and film show from their pixels."""
    script = """() => [...document.querySelectorAll('.stage video')].map(video => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [640, 360];
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(video, 0, 0, 640, 360);
      let number = 0;
      for (let bit = 0; bit < 10; bit++)
        if (context.getImageData(12 + bit * 12, 350, 1, 1).data[1] > 128) number |= 1 << bit;
      return number;
    })"""
    return lambda page: page.evaluate(script)
