"""Tables of jobs in a folder of their own, and small projects."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.studio.conftest import Talk, models, no_default_separator, portrait, talk
from tests.web.jobs.made_jobs import SetClock
from tests.web.jobs.small_projects import use_small_tools

from lipdub.web.jobs.table import JobTable

__all__ = ["models", "no_default_separator", "portrait", "talk"]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def table(tmp_path: Path, clock: SetClock) -> Iterator[JobTable]:
    made = JobTable(tmp_path / "studio.sqlite3", clock=clock)
    yield made
    made.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[JobTable]:
    """A table with the clock of the machine, which processes share."""
    made = JobTable(tmp_path / "studio.sqlite3")
    yield made
    made.close()


@pytest.fixture
def folder(
    talk: Talk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A studio's folder with one project, talk, in which nothing is planned yet; work is kept for other tests."""
    cache = tmp_path_factory.getbasetemp() / "studio-work"
    monkeypatch.setenv("LIPDUB_TEST_CACHE", str(cache))
    use_small_tools(monkeypatch.setattr, cache)
    made = tmp_path / "lipdub"
    (made / "talk").mkdir(parents=True)
    shutil.copy(talk.clip, made / "talk" / "talk.mp4")
    shutil.copy(talk.script, made / "talk" / "talk.es.srt")
    return made
