"""kill -9 of server and workers at random, while people edit and films are made: nothing that was answered is lost."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.web.jobs.small_projects import small_kinds

import lipdub
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import Worker
from lipdub.web.places import Places

STUDIO = Path(__file__).with_name("small_studio.py")
SMALL = {"speech_features": "light", "engine": "fake", "asr_check": False, "face": ["largest"]}
KILLS = 5
LANGUAGE = "/v1/projects/talk/languages/es"


class Studio:
    """A studio that is killed and started again; ``client`` asks whichever runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.Lock()
        self.begin()

    def begin(self) -> None:
        command = [sys.executable, str(STUDIO), str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        parts = urlsplit(self.process.stdout.readline().strip())
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.headers = {"X-Api-Key": parse_qs(parts.query)["key"][0]}

    def kill(self) -> None:
        with self.lock:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the studio that runs; None if there was none, which says nothing about what it did."""
        with self.lock:
            url, headers = self.url, self.headers
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.request(method, f"{url}{path}", json=body, headers=headers, timeout=60)
            assert answer.status_code < 400 or answer.status_code == 409, answer.text
            return answer.json()
        return None

    def workers(self) -> list[int]:
        """The processes that it started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            return [int(text) for text in children.read_text().split()]
        return []


@pytest.fixture
def planned(folder: Path) -> Iterator[Studio]:
    places = Places(folder)
    table = JobTable(places.database)
    table.add("plan", "talk", "es", {"script": str(folder / "talk" / "talk.es.srt"), "options": SMALL})
    assert Worker(table, "one", small_kinds(table, folder).run).work_once()
    table.close()
    studio = Studio(folder)
    yield studio
    studio.kill()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc and signals of POSIX")
def test_no_edit_and_no_job_is_lost(planned: Studio, folder: Path) -> None:
    chance, ended = random.Random(3), threading.Event()
    answered: dict[str, list[str]] = {line: [] for line in "123456"}
    asked: dict[str, list[str]] = {line: [] for line in "123456"}
    wrong: list[BaseException] = []

    def edit(line: str) -> None:
        """Changes a line again and again; notes what was asked, and what was answered."""
        try:
            for number in range(10**6):
                if ended.is_set():
                    return
                text = f"Palabra {number} de {line}."
                asked[line].append(text)
                if planned.ask("PATCH", f"{LANGUAGE}/segments/{line}", {"text": text}) is not None:
                    answered[line].append(text)
                time.sleep(0.05)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=edit, args=(line,)) for line in "123"]
    for thread in threads:
        thread.start()
    try:
        for turn in range(KILLS):
            planned.ask("POST", f"{LANGUAGE}/redo", {"segments": ["4", "5"], "film": True})
            time.sleep(chance.uniform(0.5, 3.0))
            for worker in planned.workers():
                if turn % 2 and chance.random() < 0.7:
                    os.kill(worker, signal.SIGKILL)
            if turn % 2 == 0:
                planned.kill()
                planned.begin()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    plan = lipdub.open_project(folder / "talk" / "talk.lipdub").language_plan("es")
    for line in "123":
        found = plan.planned(line)
        assert found is not None
        assert answered[line], "no edit was answered"
        possible = asked[line][asked[line].index(answered[line][-1]) :]
        assert found.line.text in possible  # the last that was answered, or one whose answer got lost on the way
    until_done(planned)
    done = planned.ask("GET", "/v1/jobs?project=talk")["data"]
    assert {job["status"] for job in done} <= {"completed", "failed"}
    assert all("times" in job["error"]["detail"] for job in done if job["status"] == "failed")
    planned.ask("POST", f"{LANGUAGE}/render", {})
    until_done(planned)
    last = planned.ask("GET", "/v1/jobs?project=talk&page_size=1")["data"][0]
    assert last["status"] == "completed", last
    assert planned.ask("GET", f"{LANGUAGE}/stale")["lines"] == []


def until_done(studio: Studio) -> None:
    end = time.monotonic() + 400
    while any(studio.ask("GET", "/v1/status")["jobs"].values()):
        assert time.monotonic() < end, "jobs do not end"
        time.sleep(0.2)
