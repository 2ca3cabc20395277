"""Files of our own folders appear complete; what is removed vanishes at once."""

from pathlib import Path

import pytest

from lipdub.disk.atomic import remove_at_once, written_beside


def test_a_file_appears_when_it_is_complete_and_replaces_the_former_one(tmp_path: Path) -> None:
    target = tmp_path / "study.npz"
    for text in ("first", "second"):
        with written_beside(target) as partial:
            assert partial.suffix == ".npz"
            partial.write_text(text)
            assert not target.exists() or target.read_text() == "first"
        assert target.read_text() == text
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_a_file_that_could_not_be_written_leaves_the_former_one(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "study.npz"
    target.write_text("first")

    def work() -> None:
        with written_beside(target) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(type(error)):
        work()
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_folders_files_links_and_nothing_are_removed(tmp_path: Path) -> None:
    folder, file, link = tmp_path / "folder", tmp_path / "file", tmp_path / "link"
    (folder / "inner").mkdir(parents=True)
    file.write_text("x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link.symlink_to(elsewhere)
    for path in (folder, file, link, tmp_path / "absent"):
        remove_at_once(path, ".removed-")
    assert list(tmp_path.iterdir()) == [elsewhere]
