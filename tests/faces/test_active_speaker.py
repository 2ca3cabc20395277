"""Whose face is meant, and who speaks."""

import contextlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_faces import RATE, motion_of, talking

from lipdub.anatomy.motion import FaceMotion
from lipdub.errors import OptionError
from lipdub.faces.active_speaker import (
    FaceSelector,
    SpeakerAssignment,
    SpeakingEvidence,
    assign_speaker,
    mouth_activity,
    parse_face_selector,
)
from lipdub.timeline.clip import Shot

N = 150


def known(motion: FaceMotion, agreement: float = np.nan, speaking: float = 1.0) -> SpeakingEvidence:
    n = len(motion)
    times = (motion.track.first + np.arange(n)) / RATE
    return SpeakingEvidence(times, np.full(n, agreement), np.full(n, speaking))


def cast(
    motions: list[FaceMotion], face: str = "auto", evidence: list[SpeakingEvidence] | None = None
) -> SpeakerAssignment:
    return assign_speaker(
        [m.track for m in motions], motions, parse_face_selector(face), evidence or [known(m) for m in motions]
    )


@pytest.fixture
def turns(tmp_path: Path) -> list[FaceMotion]:
    """Left speaks in the first half, right in the second; right is larger."""
    left = motion_of(talking(N, 0, 75, x=150.0), tmp_path, 0)
    right = motion_of(talking(N, 75, N, x=450.0, scale=110.0), tmp_path, 1)
    return [left, right]


@pytest.mark.parametrize("word", ["left", "right", "largest", "auto", " Left "])
def test_selectors_are_parsed(word: str) -> None:
    assert parse_face_selector(word) == FaceSelector(word.strip().lower())


def test_a_point_in_time() -> None:
    assert parse_face_selector("640,300@0:12.5") == FaceSelector("at", (640.0, 300.0), Fraction(25, 2))
    assert parse_face_selector("640.5, 300 @ 7").point == (640.5, 300)


@pytest.mark.parametrize("text", ["", "middle", "640@3", "1,2", "1,2@x", "a,b@3", "1,2@", "-1,2@3"])
def test_nonsense_gets_advice(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_face_selector(text)
    assert caught.value.remedy


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(OptionError):
        parse_face_selector(text)


def test_the_user_s_choice(turns: list[FaceMotion]) -> None:
    left, right = {0: ((0, N),), 1: ()}, {0: (), 1: ((0, N),)}
    assert cast(turns, "left").spans == left
    assert cast(turns, "right").spans == cast(turns, "largest").spans == right
    assert cast(turns, "160,220@1").spans == left
    assert cast(turns, "450,200@5.9").spans == right


@pytest.mark.parametrize("where", ["300,30@1", "150,200@60"])
def test_no_face_at_the_point(turns: list[FaceMotion], where: str) -> None:
    with pytest.raises(OptionError, match="no face"):
        cast(turns, where)


def test_background_faces_are_not_left_or_right(tmp_path: Path) -> None:
    motions = [motion_of(talking(N), tmp_path, 0), motion_of(talking(N, x=50.0, scale=20.0), tmp_path, 1)]
    assert cast(motions, "left").spans == {0: ((0, N),), 1: ()}


def test_faces_that_follow_each_other_in_a_place_are_all_meant(tmp_path: Path) -> None:
    shot = Shot(0, 200)
    motions = [
        motion_of(talking(80, x=100.0), tmp_path, 0, 0, shot=shot),
        motion_of(talking(80, x=110.0), tmp_path, 1, 110, shot=shot),
        motion_of(talking(200, x=500.0), tmp_path, 2, 0, shot=shot),
    ]
    assert cast(motions, "left").spans == {0: ((0, 80),), 1: ((0, 80),), 2: ()}


def test_lips_tell_who_speaks(turns: list[FaceMotion]) -> None:
    spans = cast(turns).spans
    ((first, change),), ((begin, last),) = spans[0], spans[1]
    assert (first, last) == (0, N)
    assert change == begin
    assert abs(change - 75) <= 8


def test_one_face_speaks_unless_it_does_not(tmp_path: Path) -> None:
    speaker, listener = (motion_of(talking(N, *span), tmp_path, i) for i, span in enumerate([(0, N), (0, 0)]))
    assert cast([speaker]).spans == {0: ((0, N),)}
    assert cast([listener]).spans == {1: ()}
    assert cast([listener], evidence=[known(listener, speaking=0.0)]).spans == {1: ((0, N),)}


def test_a_pause_does_not_change_the_speaker(tmp_path: Path) -> None:
    motion = motion_of(talking(N, 0, 60), tmp_path)
    evidence = known(motion)
    evidence.speaking[60:] = 0
    assert cast([motion], evidence=[evidence]).spans == {0: ((0, N),)}


def test_agreement_decides_between_two_moving_mouths(tmp_path: Path) -> None:
    motions = [motion_of(talking(N, x=150.0), tmp_path, 0), motion_of(talking(N, x=450.0), tmp_path, 1)]
    spans = cast(motions, evidence=[known(motions[0], 0.0), known(motions[1], 0.6)]).spans
    assert spans == {0: (), 1: ((0, N),)}


def test_every_shot_is_assigned_by_itself(tmp_path: Path) -> None:
    motions = [
        motion_of(talking(N), tmp_path, 0, 0),
        motion_of(talking(N, x=100.0), tmp_path, 1, N),
        motion_of(talking(N, 0, 0, x=500.0), tmp_path, 2, N),
    ]
    assert cast(motions).spans == {0: ((0, N),), 1: ((0, N),), 2: ()}
    assert cast(motions, "right").spans == {0: ((0, N),), 1: (), 2: ((0, N),)}


def test_lost_faces_say_nothing(tmp_path: Path) -> None:
    landmarks = talking(N)
    landmarks[40:60] = np.nan
    motion = motion_of(landmarks, tmp_path)
    live = mouth_activity(motion, np.arange(N) / RATE)
    assert np.isnan(live[45:55]).all()
    assert np.isfinite(live[~np.isnan(landmarks[:, 0, 0])]).all()
    assert cast([motion]).spans == {0: ((0, N),)}


def test_no_face_at_all() -> None:
    assert assign_speaker([], [], parse_face_selector("auto"), []).spans == {}
