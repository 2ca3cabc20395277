"""How soon the studio's page shows a project of many lines, how soon an edit is saved, and what scrolling costs.

    python benchmarks/studio_page.py [LINES]

It serves the page with the small studio of its tests, which keeps everything in memory: the page alone is measured;
benchmarks/studio.py measures the server. Needs chromium and playwright.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "web" / "browser"))

from mock_dub import Dub
from mock_studio import Mock, Project, served
from playwright.sync_api import Page, sync_playwright

from conftest import chromium

RUNS = 5
PAINTED = "document.querySelector('.row') && document.querySelector('.block') !== null"


def first_paint(page: Page, address: str) -> float:
    """Milliseconds from the beginning of the navigation to lines in the list and on the time line."""
    page.goto("about:blank")
    page.goto(f"{address}/#/many/es", wait_until="commit")
    while not page.evaluate(PAINTED):
        time.sleep(0.005)
    return page.evaluate("performance.now()")


def edit_time(page: Page) -> float:
    """Milliseconds from a key to the studio's answer."""
    begun = time.perf_counter()
    with page.expect_response(lambda response: response.url.endswith("/edits")):
        page.keyboard.press(".")
    return 1000 * (time.perf_counter() - begun)


def scroll_frames(page: Page) -> list[float]:
    """Milliseconds between pictures while the list is scrolled from end to end."""
    return page.evaluate(
        """() => new Promise(done => {
      const list = document.querySelector('.list'), times = [];
      let last = performance.now(), n = 0;
      const step = now => {
        times.push(now - last);
        last = now;
        list.scrollTop = list.scrollHeight * ++n / 60;
        n < 60 ? requestAnimationFrame(step) : done(times.slice(1));
      };
      requestAnimationFrame(step);
    })"""
    )


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        mock = Mock(Path(folder))
        mock.projects["many"] = Project("many", "Many lines", 2 * lines, {"es": Dub("es", lines, 2 * lines)})
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        with served(mock) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            cold = first_paint(page, address)
            warm = [first_paint(page, address) for _ in range(RUNS)]
            page.click(".row")
            edits = [edit_time(page) for _ in range(20)]
            frames = scroll_frames(page)
            elements = page.evaluate("document.querySelectorAll('*').length")
        browser.close()
    later = statistics.median(warm)
    print(f"{lines} lines: first paint {cold:.0f} ms the first time, then {later:.0f} ms (median of {RUNS})")
    print(f"edit answered after {statistics.median(edits):.0f} ms (median of 20), {max(edits):.0f} ms at most")
    print(f"scrolling: {statistics.median(frames):.1f} ms a picture, {max(frames):.0f} ms at most; {elements} elements")


if __name__ == "__main__":
    main()
