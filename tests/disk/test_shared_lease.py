"""Leases on a shared disk: one run at a time has a name, whichever machine it runs on."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from lipdub.disk import shared_lease
from lipdub.disk.shared_lease import PATIENCE, SharedLease, holder, holders
from lipdub.errors import OutputError


def test_one_has_it_and_gives_it_back(tmp_path: Path) -> None:
    first = SharedLease.take(tmp_path / "leases", "plan")
    assert first is not None
    assert SharedLease.take(tmp_path / "leases", "plan") is None
    assert SharedLease.take(tmp_path / "leases", "other") is not None
    found = holder(tmp_path / "leases", "plan")
    assert found is not None
    assert found.owner == first.owner
    assert "last sign of life" in str(found)
    assert list(holders(tmp_path / "leases")) == ["other", "plan"]
    with first:
        pass
    assert holder(tmp_path / "leases", "plan") is None
    second = SharedLease.take(tmp_path / "leases", "plan")
    assert second is not None
    second.check()
    assert len(list((tmp_path / "leases").glob("plan.*"))) == 1


def test_one_that_gives_no_sign_of_life_loses_it(tmp_path: Path) -> None:
    first = SharedLease.take(tmp_path, "plan")
    assert first is not None
    os.utime(first.path, (time.time() - PATIENCE + 30,) * 2)
    assert SharedLease.take(tmp_path, "plan") is None
    os.utime(first.path, (time.time() - PATIENCE - 1,) * 2)
    second = SharedLease.take(tmp_path, "plan")
    assert second is not None
    with pytest.raises(OutputError, match="another run took over 'plan'"):
        first.check()
    first.end()
    second.check()
    assert holder(tmp_path, "plan") is not None


def test_a_beat_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_lease, "BEAT", 0.01)
    lease = SharedLease.take(tmp_path, "plan")
    assert lease is not None
    os.utime(lease.path, (1.0, 1.0))
    until = time.monotonic() + 20
    while lease.path.stat().st_mtime < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert holder(tmp_path, "plan") is not None


def refuse_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_of_many_who_want_a_lease_that_was_left_one_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Sixteen at once, again and again; each second round the one before them was ended."""
    if not links:
        monkeypatch.setattr("os.link", refuse_links)
    with ThreadPoolExecutor(16) as threads:
        for _ in range(12):
            barrier = Barrier(16)

            def want(at_once: Callable[[], object] = barrier.wait) -> SharedLease | None:
                at_once()
                return SharedLease.take(tmp_path, "plan")

            took = [lease for lease in threads.map(lambda _, want=want: want(), range(16)) if lease is not None]
            assert len(took) == 1
            took[0].check()
            took[0].end()
            os.utime(took[0].path, (1.0, 1.0))
    assert list(tmp_path.glob(".new-*")) == []


def test_a_file_that_cannot_be_read_holds_as_long_as_it_is_touched(tmp_path: Path) -> None:
    (tmp_path / "plan.4.lease").write_bytes(b"\x00{")
    assert SharedLease.take(tmp_path, "plan") is None
    os.utime(tmp_path / "plan.4.lease", (1.0, 1.0))
    lease = SharedLease.take(tmp_path, "plan")
    assert lease is not None
    assert lease.generation == 5


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_is_missed_after_the_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lipdub.disk.shared_lease import SharedLease\n"
        "assert SharedLease.take(Path(sys.argv[1]), 'plan'); print('taken', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        assert SharedLease.take(tmp_path, "plan") is None
        other.kill()
    assert SharedLease.take(tmp_path, "plan") is None, "it is not known yet that it is gone"
    monkeypatch.setattr(shared_lease, "PATIENCE", -1.0)
    assert SharedLease.take(tmp_path, "plan") is not None
