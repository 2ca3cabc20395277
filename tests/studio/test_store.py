"""Work is done once, and only complete work is kept."""

from pathlib import Path

import pytest

from lipdub.errors import OutputError
from lipdub.studio.store import Store, content_digest, key


def test_work_is_done_once(tmp_path: Path) -> None:
    store, runs = Store(tmp_path), []

    def make(folder: Path) -> None:
        runs.append(1)
        (folder / "result").write_text("done")

    first, second = store.folder("a", make), store.folder("a", make)
    assert first == second
    assert (first / "result").read_text() == "done"
    assert len(runs) == 1


def test_failed_work_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def make(folder: Path) -> None:
        (folder / "half").write_text("...")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        store.folder("a", make)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_a_users_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot be kept"):
        Store(blocked / "below").folder("a", lambda folder: None)


def test_old_work_beyond_the_limit_goes(tmp_path: Path) -> None:
    import os

    store = Store(tmp_path, limit=10)
    old = store.folder("old", lambda f: (f / "x").write_bytes(b"0" * 100) and None)
    os.utime(old, (1, 1))
    new = store.folder("new", lambda f: (f / "x").write_bytes(b"0" * 100) and None)
    assert new.exists()
    assert not old.exists()


def test_keys_depend_on_every_part(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert content_digest(file).startswith("ba7816bf")
    assert key(1, "a") != key(1, "b") != key(2, "b")
    assert key(1, "a") == key(1, "a")


def test_thousands_of_folders_are_not_looked_at_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, looks = Store(tmp_path), []
    monkeypatch.setattr(Store, "_prune", lambda self, keep: looks.append(keep))
    for number in range(50):
        store.folder(f"{number}", lambda folder: (folder / "x").write_text("y") and None)
        store.folder(f"{number}", lambda folder: None)
    assert len(looks) == 1


def test_two_runs_may_do_the_same_work(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def quick(folder: Path) -> None:
        (folder / "result").write_text("done")

    def slow(folder: Path) -> None:
        store.folder("a", quick)
        (folder / "result").write_text("done later")

    assert (store.folder("a", slow) / "result").read_text() == "done"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
