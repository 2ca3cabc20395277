"""Tables of jobs in a folder of their own, and small projects."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.studio.conftest import Talk, models, no_default_separator, portrait, talk
from tests.web.jobs.made_jobs import SetClock
from tests.web.jobs.small_projects import use_small_tools

from lipdub.web.jobs.table import JobTable
from lipdub.web.places import Places

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
    new_project(made, "talk", talk)
    return made


def new_project(folder: Path, name: str, talk: Talk) -> None:
    """A project in which nothing is planned yet, with its clip and its script beside it."""
    places = Places(folder)
    places.make()
    place = folder / name
    place.mkdir()
    clip = shutil.copy(talk.clip, place / f"{name}.mp4")
    shutil.copy(talk.script, place / f"{name}.es.srt")
    places.listed.add((place / f"{name}.lipdub").absolute(), Path(clip).absolute(), name, {}, made=True)
