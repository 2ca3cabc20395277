"""Mouths that seem covered in a short shot are judged by the person's other shots."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.motion import measure_motion
from lipdub.engines.seam import EngineLimits, StudyFacts
from lipdub.faces.visibility import COVERED, Visibility, visibility
from lipdub.studio.analyse.covered_mouths import LONG, MOST, judged_by_person, mouths_of
from lipdub.studio.analysis import FaceAnalysis
from lipdub.timeline.clip import Clip, FrameTimes, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.people import Person
from lipdub.timeline.spool import Spool

CLIP = Clip(Path("film.mp4"), FrameTimes(np.arange(2000), Fraction(1, 25), 1), (400, 400), Fraction(25), False)
RARE = slice(40, 50)


def face(number: int, first: int, count: int, folder: Path) -> FaceAnalysis:
    """A still face whose lips are hardly redder than its skin; in the rows ``RARE`` its mouth looks quite different."""
    mesh = np.concatenate([canonical_face(), canonical_face()[:10]]) * 80 + [200, 200, 0]
    spools = Spool(folder / f"{number}.l", (478, 3), np.float32), Spool(folder / f"{number}.t", (32, 40, 3), np.uint8)
    for row in range(count):
        grain = np.random.default_rng(row)
        spools[0].append(mesh + grain.normal(0, 0.2, mesh.shape))
        thumb = np.full((32, 40, 3), 150, np.uint8) + grain.integers(0, 6, (32, 40, 1), np.uint8)
        if RARE.start <= row < RARE.stop:
            thumb[5:14, 9:31] //= 2
        spools[1].append(thumb)
    ones = np.ones(count, np.float32)
    track = FaceTrack(number, Shot(first, first + count), first, *spools, ones, ones)
    motion = measure_motion(track)
    seen = visibility(track, motion, CLIP.times.seconds()[first : first + count])
    return FaceAnalysis(track, motion, seen, folder, StudyFacts(1.0), motion.ok)


def reasons(faces: tuple[FaceAnalysis, ...]) -> list[list[str]]:
    return [[why for _, _, why in one.visibility.reasons] for one in faces]


def seen_throughout(one: FaceAnalysis) -> FaceAnalysis:
    everywhere = Visibility(np.ones(len(one.track), np.float32), np.ones(len(one.track), bool), ())
    return FaceAnalysis(one.track, one.motion, everywhere, one.study, one.facts, one.learnable)


@pytest.mark.parametrize(("tracks", "left"), [(((0, 1),), []), (((0,), (1,)), [COVERED])])
def test_the_person_s_other_shots_are_looked_at(
    tracks: tuple[tuple[int, ...], ...], left: list[str], tmp_path: Path
) -> None:
    faces = face(0, 0, 100, tmp_path), seen_throughout(face(1, 100, 100, tmp_path))
    assert reasons(faces) == [[COVERED], []]
    people = [Person(str(i), tracks=some) for i, some in enumerate(tracks)]
    judged = judged_by_person(faces, people, CLIP, EngineLimits(smallest_face=20.0))
    assert reasons(judged) == [left, []]
    assert [one.id for one in judged] == [0, 1]


def test_a_long_shot_is_judged_by_itself(tmp_path: Path) -> None:
    long = face(0, 0, LONG * 25, tmp_path)
    faces = long, seen_throughout(face(1, 1000, 100, tmp_path))
    assert reasons(faces)[0] == [COVERED]
    judged = judged_by_person(faces, [Person("1", tracks=(0, 1))], CLIP, EngineLimits())
    assert judged[0] is long


def test_mouths_are_chosen_evenly_and_only_where_they_are_seen(tmp_path: Path) -> None:
    one, other = face(0, 0, 300, tmp_path), seen_throughout(face(1, 300, 300, tmp_path))
    thumbs = mouths_of([one, other])
    assert len(thumbs) == MOST
    assert mouths_of([one]).min() > 100
    np.testing.assert_array_equal(mouths_of([other])[0], other.track.thumbs.read(0, 1)[0])
    np.testing.assert_array_equal(mouths_of([other])[-1], other.track.thumbs.read(299, 300)[0])
    assert len(mouths_of([])) == 0
