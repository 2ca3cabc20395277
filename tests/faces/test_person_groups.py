"""Groups of tracks by their embeddings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.faces.person_groups import SAME, SURE_OTHER, group_tracks

PLACES = np.random.default_rng(0).normal(0, 1, (12, 128)).astype(np.float32)
PLACES /= np.linalg.norm(PLACES, axis=1, keepdims=True)  # about 1.4 from each other


def near(person: int, seed: int, away: float = 0.2) -> np.ndarray:
    step = np.random.default_rng(1000 + seed).normal(0, 1, 128).astype(np.float32)
    return PLACES[person] + away * step / np.linalg.norm(step)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_tracks_of_one_person_come_together(people: list[int]) -> None:
    found = group_tracks([near(person, i) for i, person in enumerate(people)], [])
    assert sorted(i for group in found.groups for i in group.members) == list(range(len(people)))
    assert {frozenset(group.members) for group in found.groups} == {
        frozenset(i for i, other in enumerate(people) if other == person) for person in people
    }
    assert [group.members[0] for group in found.groups] == sorted(group.members[0] for group in found.groups)
    assert found.unsure == ()


@given(st.permutations(range(12)))
def test_the_groups_do_not_depend_on_the_order_of_tracks(order: list[int]) -> None:
    people = [i % 4 for i in range(12)]
    found = group_tracks([near(people[i], i) for i in order], [])
    assert {frozenset(order[i] for i in group.members) for group in found.groups} == {
        frozenset(range(person, 12, 4)) for person in range(4)
    }


def test_two_faces_in_one_picture_are_two_people_and_so_are_their_groups() -> None:
    twins = [near(0, i, 0.05) for i in range(4)]
    found = group_tracks(twins, [(0, 1), (2, 3)])
    assert len(found.groups) == 2
    assert all(len(group.members) == 2 for group in found.groups)
    for pair in ({0, 1}, {2, 3}):
        assert all(len(pair & set(group.members)) == 1 for group in found.groups)
    assert found.unsure == ()


def test_unknown_faces_stay_alone() -> None:
    found = group_tracks([None, near(0, 0), None, near(0, 1)], [(0, 1), (0, 2)])
    assert [group.members for group in found.groups] == [(0,), (1, 3), (2,)]
    assert group_tracks([None], []).groups[0].members == (0,)
    assert group_tracks([], []).groups == ()


def test_pairs_near_the_threshold_are_told_with_their_similarity() -> None:
    apart = (SAME + SURE_OTHER) / 2
    other = PLACES[0].copy()
    other[0] += np.float32(apart)
    found = group_tracks([PLACES[0], other, PLACES[5]], [])
    (pair,) = found.unsure
    assert (pair.one, pair.other) == (0, 1)
    assert abs(pair.similarity - (1 - apart)) < 0.01
    joined = other.copy()
    joined[0] = PLACES[0][0] + np.float32(SAME - 0.01)
    (group,) = group_tracks([PLACES[0], joined], []).groups
    assert abs(group.loosest - (1 - SAME + 0.01)) < 0.01
