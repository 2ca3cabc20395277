"""Whatever happens to what is kept: it is noticed, thrown away with a word, and made again."""

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.disk import manifest
from lipdub.disk.manifest import MANIFEST_NAME, find_damage, write_manifest
from lipdub.errors import OutputError, WeightsError
from lipdub.media.probe import open_clip
from lipdub.studio.analyse.faces import faces_name, find_faces, read_faces
from lipdub.studio.options import DubOptions
from lipdub.studio.session import open_session
from lipdub.studio.store import Store
from lipdub.studio.tools import Tools

FRAMES = 8


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real study of a short clip, as it is kept."""
    try:
        for name in ("face-landmarks", "face-detector"):
            weights.resolve(name)
    except WeightsError as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("entry")
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    face = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (320, 320), interpolation=cv2.INTER_AREA)
    write_synthetic_clip(folder / "clip.mp4", [np.roll(face, (i % 5) - 2, axis=1) for i in range(FRAMES)], Fraction(25))
    clip = open_clip(folder / "clip.mp4")
    with open_session() as session:
        made = Store(folder / "store").folder("study", lambda f: find_faces(clip, session, f), grows=True)
        assert len(read_faces(clip, session.tools.engine, made)[1]) == 1
    assert len([path for path in made.rglob("*") if path.is_file()]) > 8
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def flipped(file: Path) -> None:
    """One bit in the middle, with the times as they were."""
    state, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(bytes(data))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def missing(file: Path) -> None:
    file.unlink()


def folder_in_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


def link_in_place(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/null")


DAMAGES = (truncated, emptied, zeroed, flipped, longer, missing, folder_in_place, link_in_place)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_every_file_of_a_study_is_healed_of(entry: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    fresh = contents(entry)
    assert MANIFEST_NAME in fresh
    for name in fresh:
        shutil.rmtree(tmp_path / "study", ignore_errors=True)
        shutil.copytree(entry, tmp_path / "study")
        before = (tmp_path / "study" / name).stat().st_size
        if not before and damage not in (longer, missing, folder_in_place, link_in_place):
            continue  # nothing to lose
        damage(tmp_path / "study" / name)
        check_healed(tmp_path, entry, fresh, name)


def check_healed(root: Path, entry: Path, fresh: dict[str, bytes], name: str) -> None:
    """A new run notices that ``root / study`` is damaged, says so once, and gives what a fresh one would be."""
    said: list[str] = []
    store = Store(root, say=said.append)

    def make(folder: Path) -> None:
        shutil.copytree(entry, folder, dirs_exist_ok=True)
        (folder / MANIFEST_NAME).unlink()

    healed = store.folder("study", make, grows=True)
    assert contents(healed) == fresh, name
    assert len(said) == 1, name
    assert "is damaged and is made again" in said[0]
    assert store.notes == said
    assert store.folder("study", make, grows=True) == healed
    store.close()
    assert sorted(path.name for path in root.iterdir()) == [".lock", "study"]


def test_whatever_takes_the_place_of_the_whole_folder(entry: Path, tmp_path: Path) -> None:
    fresh, place = contents(entry), tmp_path / "study"
    place.write_text("a file")
    check_healed(tmp_path, entry, fresh, "file")
    shutil.rmtree(place)
    place.mkdir()
    check_healed(tmp_path, entry, fresh, "empty folder")
    shutil.rmtree(place)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    place.symlink_to(tmp_path / "elsewhere")
    said: list[str] = []
    Store(tmp_path, say=said.append).folder("study", lambda f: (f / "x").write_text("y") and None)
    assert said
    assert (tmp_path / "elsewhere" / "mine").read_text() == "mine"


def test_folders_of_earlier_versions_without_a_list_are_made_again(entry: Path, tmp_path: Path) -> None:
    shutil.copytree(entry, tmp_path / "study")
    (tmp_path / "study" / MANIFEST_NAME).unlink()
    check_healed(tmp_path, entry, contents(entry), "no list")


def test_files_that_may_not_be_read(entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(entry, tmp_path / "study")
    real = manifest.content_digest

    def denied(path: Path) -> str:
        if path.name == "index.json":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(manifest, "content_digest", denied)
    assert find_damage(tmp_path / "study", grows=True) == "it cannot be read (Permission denied)"
    said: list[str] = []
    store = Store(tmp_path, say=said.append)
    monkeypatch.undo()
    (tmp_path / "study").chmod(0)
    (tmp_path / "study" / "shot-00000000").chmod(0) if os.getuid() == 0 else None
    monkeypatch.setattr(manifest, "_list_contents", blocked(manifest._list_contents, tmp_path / "study"))
    healed = store.folder("study", lambda f: (f / "x").write_text("new") and None)
    assert (healed / "x").read_text() == "new"
    assert "Permission denied" in said[0]
    assert not list(tmp_path.glob(".gone-*"))


def blocked(real: Callable, place: Path) -> Callable:
    """As for a user who is not root: a folder with no permissions cannot be listed."""

    def listed(folder: Path):
        if folder == place and not folder.stat().st_mode & 0o400:
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    return listed


def test_what_cannot_be_thrown_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study").mkdir()

    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OutputError, match=r"study: .*permission is denied.*LIPDUB_CACHE"):
        Store(tmp_path, say=lambda line: None).folder("study", lambda folder: None)


def test_another_file_does_not_belong_there_unless_the_folder_grows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "one").write_text("1")
    write_manifest(tmp_path)
    assert find_damage(tmp_path) == ""
    (tmp_path / "a" / "two").write_text("2")
    assert find_damage(tmp_path) == "a/two does not belong there"
    assert find_damage(tmp_path, grows=True) == ""
    (tmp_path / "a" / "two").unlink()
    (tmp_path / "a").rmdir()
    assert find_damage(tmp_path, grows=True) == "the folder a is missing"


def test_a_damaged_entry_that_another_run_has_healed_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    """Two runs notice the damage at once; the slower one must not throw away what the faster one made."""
    Store(tmp_path).folder("a", lambda f: (f / "x").write_text("1") and None)
    (tmp_path / "a" / "x").write_text("2")
    slow, fast = Store(tmp_path, say=lambda line: None), Store(tmp_path, say=lambda line: None)
    throw_away = slow._throw_away

    def late(done: Path, seen: object) -> None:
        fast.folder("a", lambda f: (f / "x").write_text("1") and None)
        throw_away(done, seen)

    slow._throw_away = late  # type: ignore[method-assign]
    inode: list[int] = []

    def make(folder: Path) -> None:
        inode.append((tmp_path / "a").stat().st_ino)
        (folder / "x").write_text("3")

    healed = slow.folder(
        "a", lambda f: inode.append((tmp_path / "a").stat().st_ino) or ((f / "x").write_text("3") and None)
    )
    assert (healed / "x").read_text() == "1"
    assert inode == [healed.stat().st_ino]


def test_the_name_of_a_study_holds_all_it_depends_on(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_clip(entry.parents[1] / "clip.mp4")
    tools = Tools(DubOptions())
    names = {faces_name(clip, "a" * 64, tools), faces_name(clip, "b" * 64, tools)}
    monkeypatch.setattr("lipdub.studio.analyse.faces.VERSION", 99)
    names.add(faces_name(clip, "a" * 64, tools))
    monkeypatch.setattr("lipdub.engines.exemplar.engine.VERSION", 99)
    names.add(faces_name(clip, "a" * 64, tools))
    monkeypatch.setattr("lipdub.weights.identity", lambda name: ("other",))
    names.add(faces_name(clip, "a" * 64, tools))
    assert len(names) == 5
