"""Files that processes hold, blocks that exclude each other, and temporary folders on full disks."""

import errno
import os
import threading
from pathlib import Path

import pytest

from lipdub.disk import lock_file
from lipdub.disk.lock_file import create_locked, exclusive, held_alone, is_locked, remove_if_unlocked
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import OutputError


def test_only_unlocked_files_are_removed(tmp_path: Path) -> None:
    held = create_locked(tmp_path, ".run-")
    assert not remove_if_unlocked(held.path)
    assert is_locked(held.path)
    held.release()
    assert remove_if_unlocked(held.path)
    assert not held.path.exists()
    assert remove_if_unlocked(held.path), "it is gone already"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert not remove_if_unlocked(tmp_path / "link")


def test_a_file_that_is_removed_between_its_creation_and_its_locking_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, removed = lock_file._try_lock, []

    def tidied(descriptor: int) -> bool | None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        return real(descriptor)

    monkeypatch.setattr(lock_file, "_try_lock", tidied)
    held = create_locked(tmp_path, ".run-")
    assert held.path.exists()
    assert held.path != removed[0]
    held.release()


def test_whoever_waits_too_long_is_told_and_the_file_is_gone_afterwards(tmp_path: Path) -> None:
    inside, most, told = [], [], []

    def work() -> None:
        for _ in range(20):
            with held_alone(tmp_path / ".lock") as held:
                told.append(held)
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True] * 60
    assert max(most) == 1
    assert list(tmp_path.iterdir()) == []
    with held_alone(tmp_path / ".lock"):
        with held_alone(tmp_path / ".lock", patience=0.01) as held:
            assert not held
        assert (tmp_path / ".lock").exists(), "the other one still has it"
    assert list(tmp_path.iterdir()) == []


def test_blocks_of_one_name_exclude_each_other(tmp_path: Path) -> None:
    inside, most, done = [], [], []

    def work() -> None:
        for _ in range(20):
            with exclusive(tmp_path / ".lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert max(most) == 1


def test_a_block_does_not_wait_for_ever_nor_where_nothing_can_be_locked(tmp_path: Path) -> None:
    with exclusive(tmp_path / ".lock"), exclusive(tmp_path / ".lock", patience=0.01):
        pass
    with exclusive(tmp_path / "absent" / ".lock"):
        pass
    assert os.listdir(tmp_path) == [".lock"]


@pytest.mark.parametrize("kind", ["no name", "inside", "not written"])
def test_a_full_temporary_folder_names_tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def work() -> None:
        with temporary_folder("test") as folder:
            if kind == "no name":
                raise OSError(errno.ENOSPC, "No space left on device")
            if kind == "inside":
                raise OSError(errno.EDQUOT, "Disk quota exceeded", str(folder / "a"))
            raise OutputError("cannot be written: the disk is full", file=folder / "mix.flac")

    with pytest.raises(OutputError, match=r"temporary files cannot be kept there: .*TMPDIR") as told:
        work()
    assert told.value.file == tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "gone", "/elsewhere"), OutputError("no", file="/elsewhere"), ValueError("x")]
)
def test_other_errors_pass_a_temporary_folder_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as told, temporary_folder("test"):
        raise error
    assert told.value is error
