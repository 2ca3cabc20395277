"""A file that changes while a run reads it is noticed: nothing is kept or published that was made from it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lipdub.errors import InputError
from lipdub.studio.inputs import Inputs
from lipdub.studio.store import Store

CHANGED = r"clip\.mp4: was changed while it was being read"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that has lain there for a while."""
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"first " * 100)
    os.utime(file, (1, 1))
    return file


def other_content(clip: Path) -> None:
    """Another content of the same size."""
    clip.write_bytes(b"other " * 100)


def times_set_back(clip: Path) -> None:
    """As copying in place with kept times does."""
    state = clip.stat()
    other_content(clip)
    os.utime(clip, ns=(state.st_atime_ns, state.st_mtime_ns))


def another_file(clip: Path) -> None:
    new = clip.with_name("new")
    new.write_bytes(b"other " * 100)
    os.utime(new, (1, 1))
    new.replace(clip)


def longer(clip: Path) -> None:
    with clip.open("ab") as file:
        file.write(b"more")


CHANGES = (other_content, times_set_back, another_file, longer)


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_a_change_is_noticed(clip: Path, change: Callable[[Path], None]) -> None:
    inputs = Inputs()
    inputs.watch([None, clip, clip.with_name("absent")])
    inputs.begin()
    inputs.check_unchanged()
    change(clip)
    with pytest.raises(InputError, match=CHANGED):
        inputs.check_unchanged()


def test_a_change_between_opening_and_reading_is_noticed(clip: Path) -> None:
    inputs = Inputs()
    inputs.watch([clip])
    longer(clip)
    with pytest.raises(InputError, match=CHANGED):
        inputs.digest(clip)


def test_a_change_within_the_grain_of_time_stamps_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On disks with coarse times a file just written may be written again under the same time: it is read again."""
    from lipdub.disk.identity import Identity

    file = tmp_path / "clip.mp4"
    file.write_bytes(b"first ")
    frozen = Identity.of(file)
    monkeypatch.setattr(Identity, "of", classmethod(lambda cls, path: frozen))
    inputs = Inputs()
    inputs.digest(file)
    inputs.check_unchanged()
    file.write_bytes(b"other ")
    with pytest.raises(InputError, match=CHANGED):
        inputs.check_unchanged()


def test_a_file_is_read_again_once_and_not_for_every_entry(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lipdub.studio import inputs as module

    reads, real = [], module.content_digest
    monkeypatch.setattr(module, "content_digest", lambda path: reads.append(path) or real(path))
    inputs = Inputs()
    for _ in range(3):
        inputs.digest(clip)
        inputs.check_unchanged()
    assert len(reads) == 1
    now = time.time() - 10
    os.utime(clip, (now, now))
    for _ in range(3):
        inputs.check_unchanged()
    assert len(reads) == 2, "its times changed and its content did not"


def test_a_file_that_goes_away_is_named(clip: Path) -> None:
    inputs = Inputs()
    inputs.digest(clip)
    clip.unlink()
    with pytest.raises(InputError, match=r"clip\.mp4: cannot be read: the file or its folder is not there"):
        inputs.check_unchanged()
    with pytest.raises(InputError, match="not there"):
        Inputs().digest(clip)


def test_nothing_is_kept_that_was_made_from_a_clip_that_changed(clip: Path, tmp_path: Path) -> None:
    inputs = Inputs()
    inputs.digest(clip)
    store = Store(tmp_path / "store", inputs=inputs)

    def make(folder: Path) -> None:
        (folder / "made").write_bytes(clip.read_bytes())
        other_content(clip)

    with pytest.raises(InputError, match=CHANGED):
        store.folder("study", make)
    store.close()
    assert [path.name for path in (tmp_path / "store").iterdir()] == [".lock"]


def test_a_record_of_what_was_made_before_a_change_stays(clip: Path, tmp_path: Path) -> None:
    inputs = Inputs()
    inputs.digest(clip)
    store = Store(tmp_path / "store", inputs=inputs)
    store.folder("study", lambda folder: (folder / "made").write_bytes(clip.read_bytes()) and None)
    other_content(clip)
    assert (store.folder("study", lambda folder: None) / "made").read_bytes().startswith(b"first")
