from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.runs import consecutive, true_runs

flag_lists = st.lists(st.booleans(), max_size=60)
increasing = st.sets(st.integers(0, 200), max_size=40).map(sorted)


@given(flag_lists)
def test_runs_cover_exactly_what_is_true_and_do_not_touch(flags: list[bool]) -> None:
    runs = true_runs(np.array(flags, bool))
    assert [i for first, stop in runs for i in range(first, stop)] == [i for i, flag in enumerate(flags) if flag]
    assert all(first < stop for first, stop in runs)
    assert all(stop < first for (_, stop), (first, _) in pairwise(runs))


@given(increasing, st.integers(1, 5))
def test_groups_keep_every_number_and_are_cut_at_wide_gaps_only(numbers: list[int], gap: int) -> None:
    groups = consecutive(np.array(numbers, np.int64), gap)
    assert [int(n) for group in groups for n in group] == numbers
    assert all(len(group) > 0 for group in groups)
    assert all(int(np.diff(group).max(initial=0)) <= gap for group in groups)
    assert all(b[0] - a[-1] > gap for a, b in pairwise(groups))


@given(flag_lists)
def test_runs_of_flags_are_groups_of_their_indices(flags: list[bool]) -> None:
    groups = consecutive(np.flatnonzero(np.array(flags, bool)))
    assert true_runs(np.array(flags, bool)) == [(int(group[0]), int(group[-1]) + 1) for group in groups]
