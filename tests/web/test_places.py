"""Which projects a studio sees, and under which ids."""

import os
from pathlib import Path

import pytest

from lipdub.errors import InputError
from lipdub.web.places import Places
from lipdub.web.project_list import slug


def project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "project.json").write_text("{}")
    return folder


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(tmp_path / "studio", (tmp_path / "given",))
    made.make()
    return made


def test_projects_are_found_in_the_folder_and_where_they_were_given(places: Places, tmp_path: Path) -> None:
    one = project(tmp_path / "given" / "Señal Dos.lipdub")
    two = project(tmp_path / "studio" / "talk" / "talk.lipdub")
    three = project(tmp_path / "studio" / "x.lipdub")
    project(tmp_path / "elsewhere" / "secret.lipdub")
    (tmp_path / "studio" / "link.lipdub").symlink_to(tmp_path / "elsewhere" / "secret.lipdub")
    assert places.projects() == {"senal-dos": one, "talk": two, "x": three}


def test_an_id_stays_with_its_folder(places: Places, tmp_path: Path) -> None:
    second = project(tmp_path / "studio" / "b" / "talk.lipdub")
    assert places.projects() == {"talk": second}
    first = project(tmp_path / "studio" / "a" / "talk.lipdub")
    assert places.projects() == {"talk": second, "talk-2": first}
    os.rename(second, second.with_name("moved.lipdub"))
    assert places.projects() == {"moved": second.with_name("moved.lipdub"), "talk-2": first}
    with pytest.raises(InputError, match="no project 'talk'"):
        places.project("talk")


def test_a_project_of_another_start_is_not_reached(places: Places, tmp_path: Path) -> None:
    given = project(tmp_path / "given" / "one.lipdub")
    assert places.project("one") == given
    with pytest.raises(InputError, match="no project 'one'"):
        Places(places.folder).project("one")


def test_a_project_without_manifest_is_listed(places: Places, tmp_path: Path) -> None:
    source = places.folder / "new" / "new.mp4"
    row = places.listed.add(places.folder.absolute() / "new" / "new.lipdub", source, "Ñew", {"how": "page"}, made=True)
    assert places.rows() == (), "its folder was moved, or removed"
    source.parent.mkdir()
    assert places.rows() == (row,)
    assert (row.id, row.shown_name, row.consent, row.made) == ("new", "Ñew", {"how": "page"}, True)
    places.listed.remove("new")
    assert places.projects() == {}


def test_only_files_beside_projects_are_held(places: Places, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    inside, outside, state = tmp_path / "given" / "a.mp4", tmp_path / "b.mp4", places.state / "key"
    for file in (inside, outside, state):
        file.write_text("x")
    (tmp_path / "given" / "link.mp4").symlink_to(outside)
    assert places.holds(inside)
    assert not places.holds(outside)
    assert not places.holds(state)
    assert not places.holds(tmp_path / "given" / "link.mp4")
    assert not places.holds(tmp_path / "given" / ".." / "b.mp4")
    assert not places.holds(Path("a\0b"))


@pytest.mark.parametrize(
    ("name", "id"),
    [("Talk", "talk"), ("../etc", "etc"), ("日本", "project"), ("a" * 300, "a" * 60), ("", "project"), ("-x-", "x")],
)
def test_ids_are_plain(name: str, id: str) -> None:
    assert slug(name) == id
