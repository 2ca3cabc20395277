"""Whose face is meant, and who speaks."""

import contextlib
from dataclasses import replace
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
    parse_face_selectors,
)

N = 150


def known(motion: FaceMotion, agreement: float = np.nan, speaking: float = 1.0) -> SpeakingEvidence:
    n = len(motion)
    times = (motion.track.first + np.arange(n)) / RATE
    return SpeakingEvidence(times, np.full(n, agreement), np.full(n, speaking))


def cast(motions: list[FaceMotion], evidence: list[SpeakingEvidence] | None = None) -> SpeakerAssignment:
    return assign_speaker([m.track for m in motions], motions, evidence or [known(m) for m in motions])


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


def test_people_by_number_and_by_name() -> None:
    assert parse_face_selector("2") == FaceSelector("person", person="2")
    assert parse_face_selector(" Person: Ana Lopez ") == FaceSelector("person", person="Ana Lopez")
    assert parse_face_selector("person:Ana").text == "Ana"
    assert parse_face_selector("640,300@0:12.5").text == "640,300@0:00:12.500"


def test_several_faces_may_be_chosen_but_not_with_auto() -> None:
    assert parse_face_selectors(["left", "2", "left"]) == (FaceSelector("left"), FaceSelector("person", person="2"))
    assert parse_face_selectors("left") == (FaceSelector("left"),)
    assert parse_face_selectors([]) == (FaceSelector("auto"),)
    with pytest.raises(OptionError, match="auto"):
        parse_face_selectors(["left", "auto"])


@pytest.mark.parametrize("text", ["", "middle", "640@3", "1,2", "1,2@x", "a,b@3", "1,2@", "-1,2@3"])
def test_nonsense_gets_advice(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_face_selector(text)
    assert caught.value.remedy


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(OptionError):
        parse_face_selector(text)


def test_chosen_faces_speak_throughout_and_others_never(turns: list[FaceMotion]) -> None:
    tracks, evidence = [m.track for m in turns], [known(m) for m in turns]
    assert assign_speaker(tracks, turns, evidence, frozenset({0})).spans == {0: ((0, N),), 1: ()}
    assert assign_speaker(tracks, turns, evidence, frozenset()).spans == {0: (), 1: ()}
    silent = [known(m, speaking=0.0) for m in turns]
    assert assign_speaker(tracks, turns, silent, frozenset({1})).spans == {0: (), 1: ((0, N),)}


def test_of_two_chosen_faces_one_speaks_at_a_time(turns: list[FaceMotion]) -> None:
    spans = assign_speaker([m.track for m in turns], turns, [known(m) for m in turns], frozenset({0, 1})).spans
    assert len(spans[0]) == len(spans[1]) == 1
    assert abs(spans[0][0][1] - 75) <= 8
    assert spans[1] == ((spans[0][0][1], N),)


def test_what_is_known_is_stronger_than_the_mouths(turns: list[FaceMotion]) -> None:
    told = [replace(known(turns[0]), known=np.full(N, -5.0)), replace(known(turns[1]), known=np.full(N, 5.0))]
    assert cast(turns, told).spans == {0: (), 1: ((0, N),)}


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


def test_lost_faces_say_nothing(tmp_path: Path) -> None:
    landmarks = talking(N)
    landmarks[40:60] = np.nan
    motion = motion_of(landmarks, tmp_path)
    live = mouth_activity(motion, np.arange(N) / RATE)
    assert np.isnan(live[45:55]).all()
    assert np.isfinite(live[~np.isnan(landmarks[:, 0, 0])]).all()
    assert cast([motion]).spans == {0: ((0, N),)}


def test_no_face_at_all() -> None:
    assert assign_speaker([], [], []).spans == {}
