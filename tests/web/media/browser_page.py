"""A page in Chromium that plays files of a folder and reads from the pixels which frame is shown."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

PAGE = """<!doctype html><meta charset="utf-8"><title>frames</title><video id="v" muted preload="auto"></video>
<script type="module">
import * as frames from "/frames.js";
const video = document.getElementById("v"), canvas = document.createElement("canvas");
// The number that the picture carries: 8 dark and bright blocks along its top, block b is bit b.
function numberShown(of = video) {
  const [w, h] = [of.videoWidth, of.videoHeight];
  Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(of, 0, 0, w, h);
  let number = 0;
  for (let bit = 0; bit < 8; bit += 1) {
    const at = context.getImageData(Math.round((bit + 0.5) * w / 8) - 2, Math.round(h / 8) - 2, 4, 4).data;
    let sum = 0;
    for (let i = 0; i < at.length; i += 4) sum += at[i + 1];
    if (sum / 16 > 125) number |= 1 << bit;
  }
  return number;
}
async function open(url, told) {
  window.table = frames.tableOf(told);
  video.src = url;
  await new Promise((go, fail) => {
    Object.assign(video, { oncanplay: go, onerror: () => fail(new Error(video.error.message)) });
  });
  return [video.videoWidth, video.videoHeight, video.duration];
}
// [frame that was asked for, frame that seekTo told, frame read from the picture, ms] of each seek.
async function seeks(wanted) {
  const out = [];
  for (const frame of wanted) {
    const begun = performance.now(), told = await frames.seekTo(video, window.table, frame);
    const took = performance.now() - begun;
    out.push([frame, told, numberShown(), took]);
  }
  return out;
}
// As `seeks`, by one seek to a place in the frame (0..1) and no check.
async function plainSeeks(wanted, part) {
  const out = [];
  for (const frame of wanted) {
    const [a, b] = [window.table.pts[frame], window.table.pts[frame + 1]];
    const done = new Promise(go => video.addEventListener("seeked", go, { once: true }));
    video.currentTime = a + part * (b - a);
    await done;
    await new Promise(go => setTimeout(go, 60));
    out.push([frame, -1, numberShown(), 0]);
  }
  return out;
}
// [frame by the table for the mediaTime, frame in the picture, mediaTime] of each frame while playing.
async function play(seconds) {
  const out = [];
  await frames.seekTo(video, window.table, 0);
  const one = (now, picture) => {
    out.push([frames.frameAt(window.table, picture.mediaTime), numberShown(), picture.mediaTime]);
    video.requestVideoFrameCallback(one);
  };
  video.requestVideoFrameCallback(one);
  await video.play();
  await new Promise(go => setTimeout(go, 1000 * seconds));
  video.pause();
  return out;
}
// The picture as it is shown, 16 x 16 pixels, RGB row by row.
function small() {
  Object.assign(canvas, { width: 16, height: 16 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(video, 0, 0, 16, 16);
  return Array.from(context.getImageData(0, 0, 16, 16).data).filter((_, i) => i % 4 < 3);
}
Object.assign(window, { frames, open, seeks, plainSeeks, play, numberShown, small, ready: true });
</script>"""


@dataclass(frozen=True)
class BrowserPage:
    """A page of Chromium on the files of ``folder``; ``errors`` are what its console told."""

    page: Any
    folder: Path
    address: str
    errors: list[str]

    def open(self, file: Path, told: dict[str, Any]) -> list[float]:
        """Play ``file`` of the folder, with the table ``told``; width, height and seconds. Raises if it is not
        playable."""
        return self.page.evaluate("([url, told]) => window.open(url, told)", [f"/files/{file.name}", told])

    def seeks(self, wanted: list[int]) -> list[list[float]]:
        """Seek to every frame: [wanted, told, shown, ms]."""
        return self.page.evaluate("wanted => window.seeks(wanted)", wanted)

    def plain_seeks(self, wanted: list[int], part: float) -> list[list[float]]:
        """Seek to a place in every frame, without ``seekTo``: [wanted, -1, shown, 0]."""
        return self.page.evaluate("([wanted, part]) => window.plainSeeks(wanted, part)", [wanted, part])

    def small(self) -> list[int]:
        """The picture as it is shown, 16 x 16 pixels, RGB row by row."""
        return self.page.evaluate("window.small()")

    def play(self, seconds: float) -> list[list[float]]:
        """Play from the start: [frame by the table, frame in the picture, mediaTime] of each."""
        return self.page.evaluate("seconds => window.play(seconds)", seconds)


def chromium() -> str:
    """The program of Chromium; skips the test, with the reason, where it or playwright is missing."""
    pytest.importorskip("playwright", reason="playwright is not installed: pip install 'lipdub[dev]'")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            own = playwright.chromium.executable_path
        if not Path(own).is_file():
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        return own
    return program


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address at which ``app`` (ASGI) is served from a thread until the block ends."""
    import uvicorn

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    program = chromium()
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags)
        try:
            yield started
        finally:
            started.close()


@contextmanager
def browser_page(folder: Path) -> Iterator[BrowserPage]:
    """A page that can play the files of ``folder``."""
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    script = (files("lipdub.review") / "frames.js").read_text("utf-8")
    routes = [
        Route("/", lambda request: HTMLResponse(PAGE)),
        Route("/frames.js", lambda request: Response(script, media_type="text/javascript")),
        Mount("/files", StaticFiles(directory=folder)),
    ]
    with served(Starlette(routes=routes)) as address, browser() as started:
        errors: list[str] = []
        page = started.new_context().new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_function("window.ready")
        yield BrowserPage(page, folder, address, errors)
