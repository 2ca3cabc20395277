"""Nobody is on both sides of the split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.train.person_split import PersonOfPair, split_by_person

RNG = np.random.default_rng(5)
FACES = [(v / np.linalg.norm(v)).astype(np.float32) for v in RNG.standard_normal((8, 128))]
"""Directions in 128 dimensions are nearly at right angles: 1.4 apart, far beyond one person."""


def pairs(people: list[int], unknown: tuple[int, ...] = ()) -> list[PersonOfPair]:
    noise = np.random.default_rng(1).standard_normal((len(people), 128)) * 0.005
    return [
        PersonOfPair(f"p{i}", None if i in unknown else (FACES[who] + noise[i]).astype(np.float32))
        for i, who in enumerate(people)
    ]


@given(st.lists(st.integers(0, 7), min_size=1, max_size=24), st.floats(0, 0.5), st.randoms(use_true_random=False))
def test_no_person_is_on_both_sides_whatever_the_order(people, share, random):
    given_ = pairs(people)
    split = split_by_person(given_, share, {})
    for who in set(people):
        assert len({split.sides[f"p{i}"] for i, other in enumerate(people) if other == who}) == 1
    assert "train" in split.sides.values()
    if share > 0 and len(set(people)) > 1:
        assert "validation" in split.sides.values()
    shuffled = list(given_)
    random.shuffle(shuffled)
    assert split_by_person(shuffled, share, {}).sides == split.sides
    assert len(set(split.people.values())) == len(set(people))


def test_who_was_trained_on_stays_there_when_footage_is_added():
    before = split_by_person(pairs([0, 1, 2]), 0.34, {}).sides
    after = split_by_person(pairs([0, 1, 2, 0, 1, 2, 3]), 0.34, before).sides
    assert all(after[pair] == side for pair, side in before.items())
    back = split_by_person(pairs([0, 1, 2]), 0.34, dict.fromkeys(before, "train")).sides
    assert set(back.values()) == {"train"}


def test_pairs_of_one_clip_and_person_stay_together_without_a_face():
    given_ = pairs([0, 1, 0], unknown=(2,))
    named = [PersonOfPair(p.pair, p.embedding, "clip:1" if p.pair in ("p0", "p2") else "") for p in given_]
    split = split_by_person(named, 0.5, {})
    assert split.sides["p0"] == split.sides["p2"] != split.sides["p1"]


def test_a_pair_that_may_show_anybody_is_left_out_beside_a_validation():
    split = split_by_person(pairs([0, 1, 2], unknown=(2,)), 0.5, {})
    assert split.left_out == ("p2",)
    alone = split_by_person(pairs([0, 1], unknown=(1,)), 0.5, {})
    assert alone.sides == {"p0": "train", "p1": "train"}
    assert "none is kept for validation" in alone.notes[0]
    nobody = split_by_person(pairs([0, 1], unknown=(0, 1)), 0.5, {})
    assert set(nobody.sides.values()) == {"train"}
    assert "could not be known" in nobody.notes[0]


def test_faces_that_are_unsure_to_be_two_people_count_as_one():
    half = FACES[0] + 0.5 * FACES[1]
    near = PersonOfPair("b", (half / np.linalg.norm(half)).astype(np.float32))
    split = split_by_person([PersonOfPair("a", FACES[0]), near, PersonOfPair("c", FACES[2])], 0.4, {})
    assert np.linalg.norm(near.embedding - FACES[0]) == pytest.approx(0.46, abs=0.06)
    assert split.sides["a"] == split.sides["b"] != split.sides["c"]
