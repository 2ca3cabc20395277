"""Tables of jobs in a folder of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web.jobs.made_jobs import SetClock

from lipdub.web.jobs.table import JobTable


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def table(tmp_path: Path, clock: SetClock) -> Iterator[JobTable]:
    made = JobTable(tmp_path / "studio.sqlite3", clock=clock)
    yield made
    made.close()
