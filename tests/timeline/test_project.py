"""A project on disk is the project in memory; wrong files are refused in words."""

import json
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.errors import InputError, OutputError
from lipdub.timeline import project as manifest
from lipdub.timeline.project import InputFile, NamedPerson, Project

text = st.text(max_size=8)
names = st.text("abc ü/.", min_size=1, max_size=9)
finite = st.floats(allow_nan=False, allow_infinity=False)
options = st.dictionaries(text, st.none() | st.booleans() | st.integers() | finite | text, max_size=3)
people = st.lists(
    st.builds(NamedPerson, text, text, st.lists(text, max_size=3).map(tuple)),
    max_size=3,
    unique_by=(lambda person: person.id, lambda person: person.name or person.id + "?"),
).map(tuple)
projects = st.builds(
    Project,
    source=st.builds(InputFile, names.map(Path), text),
    frames=st.integers(0),
    people=people,
    consent=st.dictionaries(text, text, max_size=3),
    options=options,
    languages=st.lists(text, max_size=3, unique=True).map(tuple),
)

PLAIN = Project(
    InputFile(Path("talk.mp4"), "ab" * 32),
    250,
    consent={"clip": "talk.mp4", "when": "2025-01-01T00:00:00+00:00", "how": "stated by flag"},
)


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the type checks draw which items they look at
@settings(max_examples=40)
@given(projects)
def test_what_was_saved_is_loaded(project: Project) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "talk.lipdub.json"
        project.save(path)
        assert Project.load(path) == project
        assert os.listdir(folder) == [path.name]


def edited(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "p.json"
    PLAIN.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_fields_that_are_not_there_have_their_defaults(tmp_path: Path) -> None:
    path = edited(tmp_path)
    told = json.loads(path.read_text())
    del told["people"], told["languages"]
    path.write_text(json.dumps(told))
    assert Project.load(path) == PLAIN


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "newer lipdub"),
        ({"version": 0}, "damaged"),
        ({"version": "1"}, "damaged"),
        ({"lipdub": "something"}, "not a project of lipdub"),
        ({"source": None}, "damaged"),
        ({"frames": True}, "frames: True is not a int"),
        ({"source": {"path": 3, "sha256": "b"}}, "source.path: 3 is not"),
        ({"people": [{"id": "1"}, {"id": "1"}]}, "two people have the id '1'"),
        ({"people": [{"id": "1", "name": "Ana"}, {"id": "2", "name": "Ana"}]}, "two people have the name 'Ana'"),
        ({"people": [{"id": "1", "size": 2}]}, "a namedperson has the fields"),
        ({"languages": ["es", "es"]}, "two plans have the name 'es'"),
        ({"consent": "yes"}, "damaged"),
        ({"options": {"a": [1]}}, "options.a..0.: 1 is not"),
        ({"surprise": 1}, "damaged"),
    ],
)
def test_wrong_files_are_refused_in_words(tmp_path: Path, changes: dict, says: str) -> None:
    path = edited(tmp_path, **changes)
    with pytest.raises(InputError, match=says) as refusal:
        Project.load(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"3"])
def test_what_is_no_project(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        Project.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        Project.load(tmp_path / "absent.json")


def test_older_versions_are_brought_up_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = edited(tmp_path)
    monkeypatch.setattr(manifest, "VERSION", 3)
    monkeypatch.setitem(manifest.MIGRATIONS, 1, lambda p: {**p, "options": {"steps": 1}})
    monkeypatch.setitem(manifest.MIGRATIONS, 2, lambda p: {**p, "options": {"steps": p["options"]["steps"] + 1}})
    assert Project.load(path).options == {"steps": 2}


def test_every_older_version_has_a_migration() -> None:
    assert set(manifest.MIGRATIONS) == set(range(1, manifest.VERSION))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        PLAIN.save(tmp_path / "absent" / "p.json")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError):
        PLAIN.save(tmp_path / "taken")
    assert os.listdir(tmp_path) == ["taken"]


def test_a_person_is_named_once(tmp_path: Path) -> None:
    named = PLAIN.with_person(NamedPerson("2", "Ana")).with_person(NamedPerson("1", "Bo", ("3",)))
    assert [person.id for person in named.people] == ["1", "2"]
    assert named.with_person(NamedPerson("2", "Eva")).people[1].name == "Eva"
    with pytest.raises(ValueError, match="two people have the name 'Bo'"):
        named.with_person(NamedPerson("2", "Bo"))
    kept = replace(named, options={"voice": ("a", "b"), "seed": 3, "duck": -12.5})
    kept.save(tmp_path / "p.json")
    assert Project.load(tmp_path / "p.json") == kept
