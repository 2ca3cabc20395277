"""The page against the real studio: its server, its jobs, a project on disk. Only engine and voice are small ones."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from driving import until
from windows import Studio

pytest.importorskip("starlette", reason="the studio needs the extra 'studio'")

from tests.web.jobs.conftest import folder, models, no_default_separator, portrait, talk

__all__ = ["folder", "models", "no_default_separator", "portrait", "talk"]

pytestmark = pytest.mark.browser

KEY = "test-key-of-the-studio-0123456789"


@pytest.fixture
def real(folder: Path, browser: Any) -> Iterator[Studio]:
    """A studio over ``folder`` with one worker; the project "talk" in it is not planned yet."""
    import uvicorn

    from lipdub.web.app import Access, make_app
    from lipdub.web.guard import Hosts
    from lipdub.web.keys import Key
    from lipdub.web.limits import Limits
    from lipdub.web.places import Places
    from lipdub.web.server import listening_socket
    from lipdub.web.work import begin_work

    places = Places(folder)
    with ExitStack() as stack:
        listening = stack.enter_context(listening_socket("127.0.0.1", 0))
        port = listening.getsockname()[1]
        work = stack.enter_context(begin_work(places, Limits(), 0))
        app = make_app(work.studio, Access(Key(KEY, port), Hosts()), work.routes)
        server = uvicorn.Server(
            uvicorn.Config(app, http="h11", ws="none", log_level="error", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        stack.callback(thread.join, 20)
        stack.callback(setattr, server, "should_exit", True)
        script = Path(__file__).parent / "quick_worker.py"
        command = [sys.executable, str(script), str(places.database), str(folder)]
        worker = stack.enter_context(subprocess.Popen(command, env=os.environ, stdin=subprocess.PIPE))
        stack.callback(worker.terminate)
        while not server.started:
            time.sleep(0.02)
        studio = Studio(None, f"http://127.0.0.1:{port}", browser)
        yield studio
        studio.close()


def texts(page: Any) -> list[str]:
    return page.locator(".row .of-dub").all_inner_texts()


def test_a_film_is_planned_made_heard_mended_and_exported(real: Studio, folder: Path) -> None:
    page = real.open()
    page.get_by_text("key").first.wait_for()  # without a key there is nothing to see
    real.bad.clear()
    page.goto(f"{real.address}/?key={KEY}")
    page.locator(".card").click()
    page.get_by_role("button", name="Add a language").last.click()
    dialog = page.get_by_role("dialog", name="Add a language")
    dialog.locator("input[type=file]").set_input_files(folder / "talk" / "talk.es.srt")
    dialog.get_by_role("button", name="Add a language").click()
    until(page, "document.querySelectorAll('.row').length === 6", 120)
    said = texts(page)
    assert said[:2] == ["Buenos días.", "Hablamos de pan."]
    until(page, "document.querySelector('video.source').readyState > 1", 60)

    page.get_by_role("button", name="Redo 6 lines").click()
    page.get_by_role("button", name="Make 6 lines again").click()
    page.locator(".all-made").wait_for(timeout=180_000)
    until(
        page,
        "document.querySelector('video.film').readyState > 1 && document.querySelector('.tc').textContent !== ''",
        60,
    )
    page.keyboard.press("Shift+ArrowRight")
    until(page, "document.querySelector('.readout .fr').textContent === '10'")

    page.locator(".row[data-line='2']").click()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("Hablamos de harina.")
    page.keyboard.press("Tab")
    page.locator(".row.is-stale[data-line='2']").wait_for()
    page.locator(".row[data-line='2']").click()
    page.keyboard.press("Control+z")
    until(page, "document.querySelector('.row[data-line=\"2\"] .of-dub').textContent === 'Hablamos de pan.'")
    page.keyboard.press("Control+Shift+Z")
    until(page, "document.querySelector('.row[data-line=\"2\"] .of-dub').textContent === 'Hablamos de harina.'")

    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("s")
    until(page, "document.querySelectorAll('.row').length === 7")
    page.keyboard.press("Control+z")
    until(page, "document.querySelectorAll('.row').length === 6")

    page.keyboard.press("h")
    until(
        page,
        "document.querySelector('video.film').currentTime > 1.3 && !document.querySelector('video.film').paused",
        60,
    )
    page.keyboard.press("Space")
    page.keyboard.press("r")
    page.locator(".take").nth(1).wait_for(timeout=120_000)
    page.locator(".all-made").wait_for(timeout=120_000)
    page.get_by_role("button", name="Use take 1").click()
    page.locator(".take.chosen:first-child").wait_for()
    page.locator(".row[data-line='3']").click()
    page.keyboard.press("y")
    page.locator(".row.is-accepted[data-line='3']").wait_for()
    page.get_by_role("button", name="Export").click()
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("button", name="Subtitles, SubRip").click()
    assert "Mucha paciencia." in Path(download.value.path()).read_text("utf-8")
    page.reload()
    page.locator(".row.is-accepted[data-line='3']").wait_for()
