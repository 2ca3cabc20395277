"""A project on disk is the project in memory; wrong files are refused in words."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.errors import InputError, OutputError
from lipdub.timeline import project as manifest
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.people import Person
from lipdub.timeline.project import Consent, Project, Source
from lipdub.timeline.take import Take
from lipdub.timeline.time import Span

text = st.text(max_size=8)


def several(kind: st.SearchStrategy) -> st.SearchStrategy:
    """Some of ``kind``, no two of one id."""
    return st.lists(kind, max_size=3, unique_by=lambda each: each.id).map(tuple)


finite = st.floats(allow_nan=False, allow_infinity=False)
spans = st.builds(
    lambda a, b: Span(min(a, b), max(a, b)),
    st.fractions(-100, 10**6, max_denominator=90_000),
    st.fractions(-100, 10**6, max_denominator=90_000),
)
words = st.builds(Word, text, spans, finite)
lines = st.builds(Line, text, spans, text, text, st.lists(words, max_size=2).map(tuple), text)
cues = st.builds(Cue, spans, st.integers(0, 9), st.none() | lines, text, text)
options = st.dictionaries(text, st.none() | st.booleans() | st.integers() | finite | text, max_size=3)
names = st.text("abc ü/.", min_size=1, max_size=9)
passthrough = st.lists(st.builds(PassthroughSpan, spans, text, st.none() | st.integers(0, 9)), max_size=2).map(tuple)
takes = st.builds(
    Take,
    id=st.integers(1, 99).map(str),
    cues=st.lists(text, max_size=2).map(tuple),
    face=st.integers(0, 9),
    engine=text,
    seed=st.integers(),
    reel=st.none() | names.map(Path),
    frames=st.integers(0),
    passthrough=passthrough,
    metrics=st.dictionaries(text, finite, max_size=3),
    seconds=finite,
)
people = st.builds(Person, text, text, st.lists(st.integers(0, 9), max_size=3).map(tuple))
projects = st.builds(
    Project,
    source=st.builds(Source, names.map(Path), text, st.integers(0)),
    people=several(people),
    lines=several(lines),
    cues=several(cues),
    passthrough=passthrough,
    takes=several(takes),
    consent=st.none() | st.builds(Consent, text, text, text),
    options=options,
)

PLAIN = Project(
    Source(Path("talk.mp4"), "ab" * 32, 250),
    cues=(Cue(Span(Fraction(1001, 30000), Fraction(2)), 0),),
    consent=Consent("Ada", "2025-01-01T00:00:00+00:00", "they agreed"),
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


def test_time_is_written_exactly(tmp_path: Path) -> None:
    PLAIN.save(tmp_path / "p.json")
    packed = json.loads((tmp_path / "p.json").read_text())
    assert packed["version"] == 1
    assert packed["cues"][0]["span"] == {"start": "1001/30000", "end": "2/1"}


def edited(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "p.json"
    PLAIN.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_cues_that_were_written_without_ids_are_read(tmp_path: Path) -> None:
    path = edited(tmp_path, cues=[{"span": {"start": "1/2", "end": "2/1"}, "face": 0, "line": None}])
    (cue,) = Project.load(path).cues
    assert (cue.face, cue.id, cue.person) == (0, "", "")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "newer lipdub"),
        ({"version": 0}, "damaged"),
        ({"version": "1"}, "damaged"),
        ({"lipdub": "something"}, "not a lipdub project"),
        (
            {"cues": [{"span": {"start": "1/0", "end": "2/1"}, "face": 0, "line": None, "id": "", "person": ""}]},
            "damaged",
        ),
        (
            {"cues": [{"span": {"start": "3/1", "end": "2/1"}, "face": 0, "line": None, "id": "", "person": ""}]},
            "before it starts",
        ),
        (
            {"cues": [{"span": {"start": 0.5, "end": "2/1"}, "face": 0, "line": None, "id": "", "person": ""}]},
            "damaged",
        ),
        ({"cues": [{"face": 0}]}, "a cue has the fields"),
        ({"source": None}, "damaged"),
        ({"source": {"path": "a", "sha256": "b", "frames": True}}, "damaged"),
        ({"consent": "yes"}, "damaged"),
        ({"options": {"a": [1]}}, "damaged"),
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


def test_one_take_of_a_cue_is_chosen() -> None:
    cues = tuple(Cue(Span(Fraction(a), Fraction(a + 1)), 0, id=f"c{a}") for a in (0, 5))
    takes = (Take("1", ("c0",), 0, "exemplar", 0), Take("2", ("c0", "c5"), 0, "exemplar", 1))
    project = replace(PLAIN, cues=cues, takes=takes)
    assert project.with_chosen("1").chosen == {"c0": "1"}
    assert project.with_chosen("1").with_chosen("2").chosen == {"c0": "2", "c5": "2"}
    with pytest.raises(KeyError):
        project.with_chosen("9")


def test_ids_are_of_one_thing_each() -> None:
    with pytest.raises(ValueError, match="two people"):
        replace(PLAIN, people=(Person("1"), Person("1", "Ana")))
    with pytest.raises(ValueError, match="two lines"):
        replace(PLAIN, lines=(Line("Hola", PLAIN.cues[0].span, id="1"), Line("Adiós", PLAIN.cues[0].span, id="1")))
    with pytest.raises(ValueError, match="not made for its cue"):
        replace(PLAIN, chosen={"c1": "1"})
