"""Whom the user means: places, points, numbers and names, in all shots."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from synthetic_faces import RATE, motion_of, talking

from lipdub.anatomy.motion import FaceMotion
from lipdub.errors import OptionError
from lipdub.faces.active_speaker import FaceSelector, parse_face_selector
from lipdub.faces.chosen_people import chosen_people, tracks_by_position
from lipdub.timeline.clip import FrameTimes, Shot
from lipdub.timeline.people import Person

N = 50
ANA, BEN = Person("1", "Ana", (0, 2)), Person("2", "", (1, 3))


@pytest.fixture
def film(tmp_path: Path) -> list[FaceMotion]:
    """Ana left of Ben, then each alone; Ben is larger, in the last shot much."""
    shots = [Shot(0, N), Shot(N, 2 * N), Shot(2 * N, 3 * N)]
    return [
        motion_of(talking(N, x=150.0), tmp_path, 0, 0, shot=shots[0]),
        motion_of(talking(N, x=450.0, scale=85.0), tmp_path, 1, 0, shot=shots[0]),
        motion_of(talking(N, x=400.0), tmp_path, 2, N, shot=shots[1]),
        motion_of(talking(N, x=100.0, scale=140.0), tmp_path, 3, 2 * N, shot=shots[2]),
    ]


def times_of(frames: int) -> FrameTimes:
    return FrameTimes(np.arange(frames), Fraction(1, RATE), 1)


def chosen(film: list[FaceMotion], *texts: str) -> tuple[Person, ...]:
    return chosen_people([parse_face_selector(text) for text in texts], (ANA, BEN), film, times_of(3 * N))


def test_a_place_names_a_person_for_the_whole_clip(film: list[FaceMotion]) -> None:
    assert chosen(film, "left") == (ANA,)
    assert chosen(film, "right") == (BEN,)
    assert chosen(film, "largest") == (BEN,)


def test_a_point_in_one_shot_names_the_person_of_all_shots(film: list[FaceMotion]) -> None:
    assert chosen(film, "160,220@0:01") == (ANA,)
    assert chosen(film, "110,200@0:05") == (BEN,)
    assert chosen(film, "160,220@0:01", "110,200@0:05") == (ANA, BEN)


@pytest.mark.parametrize("where", ["300,30@1", "150,200@60", "150,200@3"])
def test_no_face_at_the_point(film: list[FaceMotion], where: str) -> None:
    with pytest.raises(OptionError, match="no face"):
        chosen(film, where)


def test_numbers_and_names(film: list[FaceMotion]) -> None:
    assert chosen(film, "2") == (BEN,)
    assert chosen(film, "person:ana") == (ANA,)
    with pytest.raises(OptionError, match="nobody") as caught:
        chosen(film, "person:Cid")
    assert "1 (Ana), 2" in (caught.value.remedy or "")
    with pytest.raises(OptionError, match="two people"):
        chosen_people([FaceSelector("person", person="Ana")], (ANA, Person("2", "ana", (1, 3))), film, times_of(3 * N))


def test_without_a_shot_of_several_the_left_is_who_is_seen_most(film: list[FaceMotion]) -> None:
    assert chosen_people(
        [FaceSelector("left")], (Person("1", "", (2,)), Person("2", "", (3,))), film[2:], times_of(150)
    )


def test_a_clip_without_faces_has_nobody_to_choose() -> None:
    assert chosen_people([FaceSelector("largest")], (), [], times_of(10)) == ()


def test_shot_by_shot_where_nobody_is_recognised(film: list[FaceMotion]) -> None:
    assert tracks_by_position(film, "left") == {0, 2, 3}
    assert tracks_by_position(film, "largest") == {1, 2, 3}


def test_background_faces_are_not_left_or_right(tmp_path: Path) -> None:
    motions = [motion_of(talking(N), tmp_path, 0), motion_of(talking(N, x=50.0, scale=20.0), tmp_path, 1)]
    assert tracks_by_position(motions, "left") == {0}


def test_faces_that_follow_each_other_in_a_place_are_all_meant(tmp_path: Path) -> None:
    shot = Shot(0, 200)
    motions = [
        motion_of(talking(80, x=100.0), tmp_path, 0, 0, shot=shot),
        motion_of(talking(80, x=110.0), tmp_path, 1, 110, shot=shot),
        motion_of(talking(200, x=500.0), tmp_path, 2, 0, shot=shot),
    ]
    assert tracks_by_position(motions, "left") == {0, 1}
