"""Whom the names of a script mean, from mouths that were seen to speak or not; no media."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.pose import Poses
from lipdub.faces.active_speaker import SpeakerAssignment, SpeakingEvidence
from lipdub.sound_to_mouth.sync import Sync
from lipdub.studio.plan.speaker_names import NamesFound, SeenSpeaking, find_names, with_known_lines
from lipdub.studio.plan.speakers import SpeakersFound, _people_of_lines, person_of_line
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.lines import Line
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span

RATE = 25


@dataclass(frozen=True)
class Shown:
    """Somebody in the picture from second ``start`` to ``end``, whose mouth speaks or not."""

    person: str
    start: int
    end: int
    speaks: bool


def seen(shown: Sequence[Shown], folder: Path) -> SeenSpeaking:
    motions, evidence = [], []
    for number, each in enumerate(shown):
        count = (each.end - each.start) * RATE
        times = each.start + np.arange(count) / RATE
        one = np.ones(count, np.float32)
        spools = (
            Spool(folder / f"{number}.l", (478, 3), np.float32),
            Spool(folder / f"{number}.t", (32, 40, 3), np.uint8),
        )
        first = each.start * RATE
        track = FaceTrack(number, Shot(first, first + count), first, *spools, one, one)
        shapes = np.zeros((count, 6))
        shapes[:, 0] = 0.08 + (0.08 * np.sin(times * 20) if each.speaks else 0)
        poses = Poses(np.full(count, 80.0), np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)))
        motions.append(FaceMotion(track, np.ones(count, bool), poses, shapes, np.zeros((478, 3))))
        evidence.append(SpeakingEvidence(times, np.full(count, 0.6 if each.speaks else 0.0), np.ones(count)))

    def score(pieces: Sequence[tuple[int, int, int]]) -> float:
        return float(np.mean([0.5 if shown[i].speaks else 0.0 for i, _, _ in pieces]))

    return SeenSpeaking(motions, evidence, [each.person for each in shown], score)


def line(name: str, start: int, end: int, number: int = 0) -> Line:
    return Line("some words", Span(Fraction(start), Fraction(end)), "es", name, id=f"{name}{start}{number or ''}")


def names(
    shown: Sequence[Shown], lines: Sequence[Line], folder: Path, given: Mapping[str, str] | None = None
) -> NamesFound:
    return find_names(seen(shown, folder), lines, given or {})


DIALOGUE = [
    Shown("1", 0, 4, True),
    Shown("2", 4, 8, True),
    Shown("2", 8, 11, False),
    Shown("1", 11, 14, True),
    Shown("1", 14, 18, False),
]
LINES = [line("Ana", 0, 4), line("Ben", 4, 8), line("Ana", 8, 14), line("Narrator", 14, 18)]


def test_a_name_is_the_person_whose_mouth_fits_all_its_lines(tmp_path: Path) -> None:
    found = names(DIALOGUE, LINES, tmp_path)
    assert found.people == {"Ana": "1", "Ben": "2", "Narrator": ""}
    (note,) = found.notes
    assert "'Narrator' is nobody in the picture" in note
    assert "0:00:14.000: 'some words'" in note


def test_a_name_without_anybody_in_the_picture_is_off_screen(tmp_path: Path) -> None:
    assert names(DIALOGUE, [line("Voice", 30, 34)], tmp_path).people == {"Voice": ""}
    assert names([], [line("Voice", 30, 34)], tmp_path).people == {"Voice": ""}


def test_two_mouths_that_fit_alike_are_unsure_and_that_is_told(tmp_path: Path) -> None:
    both = [Shown("1", 0, 4, True), Shown("2", 0, 4, True)]
    found = names(both, [line("Ana", 0, 4)], tmp_path)
    assert found.people == {}
    assert "who in the picture is 'Ana' is unsure" in found.notes[0]
    settled = names(both, [line("Ana", 0, 4)], tmp_path, {"Ana": "2"})
    assert settled.people == {"Ana": "2"}
    assert settled.notes == ()


def test_what_is_given_stands_against_the_mouths(tmp_path: Path) -> None:
    assert names(DIALOGUE, LINES, tmp_path, {"Ana": "", "Cid": "1"}).people == {
        "Ana": "",
        "Cid": "1",
        "Ben": "2",
        "Narrator": "",
    }


def test_a_short_glimpse_decides_nothing(tmp_path: Path) -> None:
    found = names([Shown("1", 0, 1, True)], [line("Ana", 0, 20)], tmp_path)
    assert found.people.get("Ana") != "1"


def test_known_lines_speak_for_their_person_and_against_all_others(tmp_path: Path) -> None:
    both = seen([Shown("1", 0, 4, True), Shown("2", 0, 4, True), Shown("2", 4, 8, True)], tmp_path)
    lines = [line("Ana", 0, 2), line("Ben", 1, 3), line("Cid", 3, 4)]
    one, two, later = with_known_lines(both, lines, {"Ana": "1", "Ben": "2"})
    assert one.known is not None
    assert two.known is not None
    assert later is both.evidence[2]
    seconds = [0, 25, 50, 75]
    assert np.sign(one.known[seconds]).tolist() == [1, 1, -1, 0]
    assert np.sign(two.known[seconds]).tolist() == [-1, 1, 1, 0]


@pytest.mark.parametrize(("span", "person"), [((0, 50), "1"), ((0, 10), ""), ((0, 30), None), ((100, 100), "")])
def test_lines_without_a_name_belong_to_who_speaks_in_them(
    span: tuple[int, int], person: str | None, tmp_path: Path
) -> None:
    both = seen([Shown("1", 0, 4, True), Shown("2", 4, 8, True)], tmp_path)
    spoken = SpeakerAssignment({7: (span,), 8: ()})
    unnamed = line("", 0, 3)
    of_lines = _people_of_lines(both, [7, 8], spoken, [unnamed])
    found = SpeakersFound(spoken, Sync.unknown(), {"Ana": "2", "Voice": ""}, of_lines)
    assert person_of_line(unnamed, found) == person
    assert person_of_line(line("Ana", 0, 3), found) == "2"
    assert person_of_line(line("Voice", 0, 3), found) == ""
    assert person_of_line(line("Nobody knows", 0, 3), found) is None
