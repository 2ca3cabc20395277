"""Which faces are one person, what is told about it, and where their pictures are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.anatomy.motion import measure_motion
from lipdub.engines.seam import StudyFacts
from lipdub.errors import OptionError
from lipdub.faces.best_views import FaceAppearance
from lipdub.faces.visibility import Visibility
from lipdub.studio.analyse.looks import LookFiles, read_looks, write_looks
from lipdub.studio.analyse.people import find_people
from lipdub.studio.analysis import Analysis, FaceAnalysis, FaceLook
from lipdub.studio.project.people import as_heads, as_settled, with_parted
from lipdub.timeline.clip import Clip, FrameTimes, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.patch import FaceView
from lipdub.timeline.people import FaceSample
from lipdub.timeline.picture import Window
from lipdub.timeline.project import InputFile, NamedPerson, Project
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span

PLACES = np.random.default_rng(0).normal(0, 0.088, (8, 128)).astype(np.float32)


@dataclass(frozen=True)
class Seen:
    """One face of the tests: frames ``[first, stop)``, whose it is (None: it cannot be known), and for how many frames
    it is lost at its end."""

    first: int
    stop: int
    person: int | None
    value: float = 0.5
    lost: int = 0


def faces_of(seen: Sequence[Seen], folder: Path) -> tuple[FaceAnalysis, ...]:
    return tuple(_face(i, each, folder) for i, each in enumerate(seen))


def _face(number: int, seen: Seen, folder: Path) -> FaceAnalysis:
    count = seen.stop - seen.first
    spools = Spool(folder / f"{number}.l", (478, 3), np.float32), Spool(folder / f"{number}.t", (32, 40, 3), np.uint8)
    nothing, shot = np.zeros(count, np.float32), Shot(seen.first, seen.stop)
    presence = (np.arange(count) < count - seen.lost).astype(np.float32)
    track = FaceTrack(number, shot, seen.first, *spools, nothing, presence)
    motion = measure_motion(track_without_face(track, count))
    own = None if seen.person is None else PLACES[seen.person] + np.float32(0.002 * number)
    sample = FaceSample(number, seen.first, Window(0, 0, 10, 10))
    why = "" if own is not None else "the face is too small"
    look = FaceLook(own, why, sample, folder / f"{number}.jpg", seen.value)
    seen_at = Visibility(nothing, np.zeros(count, bool), ())
    return FaceAnalysis(track, motion, seen_at, folder, StudyFacts(0.0), np.zeros(count, bool), look)


def track_without_face(track: FaceTrack, count: int) -> FaceTrack:
    for _ in range(count):
        track.landmarks.append(np.full((478, 3), np.nan, np.float32))
    track.landmarks.close()
    return track


def test_a_person_is_found_in_all_shots_and_numbered_by_first_appearance(tmp_path: Path) -> None:
    seen = [Seen(0, 50, 3), Seen(50, 99, 1), Seen(99, 150, 3, 0.9), Seen(100, 150, 2), Seen(150, 200, 1)]
    people = find_people(faces_of(seen, tmp_path)).people
    assert [(person.id, person.tracks) for person in people] == [("1", (0, 2)), ("2", (1, 4)), ("3", (3,))]
    assert people[0].sample == FaceSample(2, 99, Window(0, 0, 10, 10))


def test_two_faces_seen_at_once_are_two_people(tmp_path: Path) -> None:
    seen = [Seen(0, 50, 3), Seen(20, 50, 3), Seen(50, 90, 4), Seen(88, 120, 4)]
    people = find_people(faces_of(seen, tmp_path)).people
    assert [person.tracks for person in people] == [(0,), (1,), (2, 3)]


def test_a_face_that_is_lost_is_not_seen_at_once_with_the_next(tmp_path: Path) -> None:
    seen = [Seen(0, 50, 3, lost=14), Seen(38, 90, 3)]
    assert [person.tracks for person in find_people(faces_of(seen, tmp_path)).people] == [(0, 1)]


def test_what_is_unsure_is_told_and_what_settles_it(tmp_path: Path) -> None:
    faces = list(faces_of([Seen(0, 50, 3), Seen(50, 90, 3), Seen(90, 120, None)], tmp_path))
    look = faces[1].look
    assert look is not None
    assert look.embedding is not None
    look.embedding[0] += 0.5
    found = find_people(faces)
    assert len(found.people) == 3
    assert "people 1 and 2 may be the same person (similarity 0.50): lipdub people FILM --same 1,2" in found.notes[0]
    assert "person 3 may be one of the others: the face says too little (the face is too small)" in found.notes[1]


def test_without_the_model_everybody_stays_apart_and_that_is_told(tmp_path: Path) -> None:
    faces = faces_of([Seen(0, 50, None), Seen(50, 90, None)], tmp_path)
    found = find_people(faces, "the network is forbidden")
    assert [person.tracks for person in found.people] == [(0,), (1,)]
    assert found.notes == ("every face of every shot counts as a person of its own: the network is forbidden",)
    assert find_people(faces[:1], "the network is forbidden").notes == ()


def test_the_analysis_finds_people_faces_and_portraits(tmp_path: Path) -> None:
    faces = faces_of([Seen(0, 50, 3), Seen(50, 90, 1), Seen(90, 120, 3, 0.9)], tmp_path)
    people = find_people(faces).people
    analysis = Analysis((Shot(0, 50), Shot(50, 90), Shot(90, 120), Shot(120, 130)), faces, people, None)
    assert analysis.person_of(2) is people[0]
    assert analysis.faces_of(people[0]) == (faces[0], faces[2])
    assert analysis.in_shot(Shot(50, 90)) == (faces[1],)
    assert analysis.in_shot(Shot(120, 130)) == ()
    assert analysis.portrait_of(people[0]) is None
    (tmp_path / "2.jpg").write_bytes(b"jpeg")
    assert analysis.portrait_of(people[0]) == tmp_path / "2.jpg"


def test_looks_are_read_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.full((40, 30, 3), (200, 30, 30), np.uint8)
    known = FaceAppearance(PLACES[0], 0.1, 12, Window(1, 2, 31, 42), picture, 0.7)
    unknown = FaceAppearance(None, 0.0, 3, Window(0, 0, 5, 5), picture, 0.1, "the face is too small")
    files = LookFiles(tmp_path / "shot", None)
    found = {0: [(4, unknown)], 1: [(5, known), (6, known)]}
    monkeypatch.setattr(files._best, "see", lambda seen: found[len(seen)])
    monkeypatch.setattr(files._best, "finish", lambda: [(9, known)])
    files.see([])
    files.see([(0, FaceView(0, (8, 8), None, lambda window: picture))])
    write_looks(tmp_path, files.finish([4, 5, 9]))
    looks = read_looks(tmp_path)
    assert sorted(looks) == [4, 5, 9]
    assert looks[4].embedding is None
    assert looks[4].why == "the face is too small"
    assert looks[5].embedding is not None
    assert np.array_equal(looks[5].embedding, PLACES[0])
    assert looks[5].sample == FaceSample(5, 12, Window(1, 2, 31, 42))
    shown = cv2.imread(str(looks[5].portrait))
    assert shown.shape == (40, 30, 3)
    assert [face.name for face in sorted((tmp_path / "shot").iterdir())] == [
        f"portrait-{face}.jpg" for face in (4, 5, 9)
    ]


RATE = Fraction(25)
CLIP = Clip(Path("film.mp4"), FrameTimes(np.arange(250), Fraction(1, 25), 1), (64, 64), RATE, False)
PROJECT = Project(InputFile(Path("film.mp4"), ""), 250)


def film(tmp_path: Path) -> Analysis:
    """Person 1 in tracks 0, 2 and 4, person 2 in 1, person 3 in 3; a track each 50 frames."""
    who = [3, 1, 3, 2, 3]
    faces = faces_of([Seen(50 * i, 50 * i + 50, person, 0.1 * i) for i, person in enumerate(who)], tmp_path)
    return Analysis(tuple(Shot(50 * i, 50 * i + 50) for i in range(5)), faces, find_people(faces).people, None)


def parted(project: Project, analysis: Analysis, person: str, *instants: int) -> tuple[Project, str]:
    return with_parted(project, CLIP, analysis, person, [Fraction(instant) for instant in instants])


def who_is(analysis: Analysis, project: Project) -> dict[str, tuple[int, ...]]:
    return {person.id: person.tracks for person in as_settled(analysis, project).people}


def test_somebody_who_was_joined_wrongly_is_parted_and_joined_again(tmp_path: Path) -> None:
    analysis = film(tmp_path)
    project, part = parted(PROJECT, analysis, "1", 9)
    assert part == "1b"
    assert who_is(analysis, project) == {"1": (0, 2), "1b": (4,), "2": (1,), "3": (3,)}
    assert [p.sample.track for p in as_settled(analysis, project).people if p.sample is not None] == [2, 4, 1, 3]
    project, other = parted(project, analysis, "1", 0)
    assert who_is(analysis, project) == {"1": (2,), "1b": (4,), "1c": (0,), "2": (1,), "3": (3,)}
    path = tmp_path / "project.json"
    project.save(path)
    assert Project.load(path) == project
    assert who_is(analysis, project.with_joined("1b", other))["1b"] == (0, 4)
    assert project.with_joined("1", "1b").with_joined("1", "1c") == PROJECT
    assert project.with_joined("1b", "1").with_joined("1c", "1") == PROJECT


def test_several_instants_part_one_person(tmp_path: Path) -> None:
    analysis = film(tmp_path)
    assert who_is(analysis, parted(PROJECT, analysis, "1", 9, 5)[0])["1b"] == (2, 4)


def test_joined_people_are_parted_under_their_old_id(tmp_path: Path) -> None:
    analysis = film(tmp_path)
    joined = PROJECT.with_joined("1", "2").with_joined("1", "3")
    assert who_is(analysis, joined) == {"1": (0, 1, 2, 3, 4)}
    project, part = parted(joined, analysis, "1", 3)
    assert (part, who_is(analysis, project)) == ("2", {"1": (0, 2, 3, 4), "2": (1,)})
    project, part = parted(joined, analysis, "1", 3, 5)
    assert who_is(analysis, project) == {"1": (0, 3, 4), "1b": (1, 2)}
    chain = PROJECT.with_joined("2", "3").with_joined("1", "2")
    assert who_is(analysis, chain) == {"1": (0, 1, 2, 3, 4)}


def test_a_name_goes_with_the_person(tmp_path: Path) -> None:
    named = PROJECT.with_person(NamedPerson("2", "Ana"))
    assert named.with_joined("1", "2").people == (NamedPerson("1", "Ana", ("2",)),)
    project, part = parted(PROJECT, film(tmp_path), "1", 9)
    project = project.with_person(replace(project.settled(part), name="Bea"))
    assert as_settled(film(tmp_path), project).person_of(4).name == "Bea"
    assert project.with_joined("1", part).people == (NamedPerson("1", "Bea"),)


def test_who_cannot_be_parted_is_told(tmp_path: Path) -> None:
    analysis = film(tmp_path)
    with pytest.raises(OptionError, match=r"person 1 is not seen at 3\.000 s\. See when"):
        parted(PROJECT, analysis, "1", 3)
    with pytest.raises(OptionError, match="person 1 is not seen"):
        parted(PROJECT, analysis, "1", 900)
    with pytest.raises(OptionError, match="person 2 is seen nowhere else"):
        parted(PROJECT, analysis, "2", 3)
    with pytest.raises(ValueError, match="person 2 is given twice"):
        PROJECT.with_joined("2", "2")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 9)), max_size=12))
def test_every_track_is_somebodys_whatever_is_settled(actions: list[tuple[bool, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        analysis, project = film(Path(folder)), PROJECT
        for joins, number, instant in actions:
            ids = list(who_is(analysis, project))
            person = ids[number % len(ids)]
            before = who_is(analysis, project)
            if joins:
                other = ids[instant % len(ids)]
                if other != person:
                    project = project.with_joined(person, other)
                    both = {*before[person], *before[other]}
                    assert both in [set(tracks) for tracks in who_is(analysis, project).values()]
            elif instant // 2 in before[person] and len(before[person]) > 1:
                project, part = parted(project, analysis, person, instant)
                assert who_is(analysis, project)[part] == (instant // 2,)
            found = who_is(analysis, project)
            assert sorted(track for tracks in found.values() for track in tracks) == list(range(5))


def test_lines_of_joined_people_are_the_others() -> None:
    line = Line("words", Span(Fraction(0), Fraction(1)), "es", id="7")
    lines = (PlannedLine(line, "2"), PlannedLine(replace(line, id="8"), ""), PlannedLine(replace(line, id="9"), "1b"))
    moved = as_heads(LanguagePlan("es", lines), PROJECT.with_joined("1", "2"))
    assert [planned.person for planned in moved.lines] == ["1", "", "1b"]
