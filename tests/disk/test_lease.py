"""Leases: what a living process holds is seen by all others, with locks and without."""

import errno
import os
import time
from pathlib import Path

import pytest

from lipdub.disk import lease as module
from lipdub.disk import lock_file
from lipdub.disk.lease import PATIENCE, Lease, held_in, leased, remove_dead_leases
from lipdub.disk.lock_file import lock_state

RUN = ".run-"


def names(root: Path) -> set[str]:
    return set(held_in(root, RUN).names)


def test_all_leases_together_are_what_is_held(tmp_path: Path) -> None:
    with leased(tmp_path, RUN) as one, leased(tmp_path, RUN) as two:
        one.hold(["a", "b"])
        two.hold(["b", "ü \udcff"])
        two.hold(["b"])
        assert names(tmp_path) == {"a", "b", "ü \udcff"}
        assert "a" in held_in(tmp_path, RUN)
        assert "c" not in held_in(tmp_path, RUN)
        assert held_in(tmp_path, RUN).leases == {one.path.name, two.path.name}
        one.end()
        assert names(tmp_path) == {"b", "ü \udcff"}
        one.hold(["d"])
        one.end()
    assert list(tmp_path.iterdir()) == []


def dead(root: Path, held: tuple[str, ...] = ("a",)) -> Path:
    """The file of a lease whose process is gone."""
    lease = Lease.begin(root, RUN, held)
    file = lease.path
    told = file.read_bytes()
    lease.end()
    file.write_bytes(told)
    return file


def test_a_lease_without_its_lock_is_free(tmp_path: Path) -> None:
    file = dead(tmp_path)
    assert names(tmp_path) == set()
    remove_dead_leases(tmp_path, RUN)
    assert not file.exists()


def test_a_lease_of_another_machine_lives_as_long_as_its_time_stamp_is_set(tmp_path: Path) -> None:
    """Some network disks show locks on one machine only."""
    file = dead(tmp_path)
    _, *held = file.read_text().splitlines()
    file.write_text("\n".join(["another machine", *held]) + "\n")
    assert names(tmp_path) == {"a"}
    remove_dead_leases(tmp_path, RUN)
    assert file.exists()
    old = time.time() - PATIENCE - 10
    os.utime(file, (old, old))
    assert names(tmp_path) == set()
    remove_dead_leases(tmp_path, RUN)
    assert not file.exists()


def test_a_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_file, "_try_lock", lambda descriptor: None)
    lease = Lease.begin(tmp_path, RUN, ["a"])
    assert lock_state(lease.path) is None
    assert names(tmp_path) == {"a"}
    remove_dead_leases(tmp_path, RUN)
    assert lease.path.exists()
    old = time.time() - PATIENCE - 10
    os.utime(lease.path, (old, old))
    assert names(tmp_path) == set()
    remove_dead_leases(tmp_path, RUN)
    assert not lease.path.exists()
    lease.end()


def test_the_time_stamp_is_set_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    with leased(tmp_path, RUN) as lease:
        os.utime(lease.path, (1, 1))
        until = time.monotonic() + 30
        while lease.path.stat().st_mtime < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert lease.path.stat().st_mtime > 2


def test_a_lease_that_the_disk_does_not_take_holds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with leased(tmp_path, RUN) as lease:
        lease.hold(["a"])

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        lease.hold(["b"])
        monkeypatch.undo()
        lease.hold(["c"])
        held = held_in(tmp_path, RUN)
        assert held.everything
        assert "anything" in held
        remove_dead_leases(tmp_path, RUN)
        assert lease.path.exists()
    assert not held_in(tmp_path, RUN).everything


def test_a_lease_of_an_earlier_version_holds_everything(tmp_path: Path) -> None:
    """Its file is locked and empty."""
    held = lock_file.create_locked(tmp_path, RUN)
    assert held_in(tmp_path, RUN).everything
    held.release()
    assert not held_in(tmp_path, RUN).everything
    remove_dead_leases(tmp_path, RUN)
    assert list(tmp_path.iterdir()) == []
