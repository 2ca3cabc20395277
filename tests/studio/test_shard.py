"""Shards: each key belongs to one of them, and always to the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import OptionError
from lipdub.studio.shard import Shard


@given(keys=st.sets(st.text(max_size=12), max_size=30), of=st.integers(1, 12))
def test_every_key_belongs_to_one_shard(keys: set[str], of: int) -> None:
    shares = [{key for key in keys if Shard(number, of).holds(key)} for number in range(1, of + 1)]
    assert set().union(*shares) == keys
    assert sum(map(len, shares)) == len(keys)


@given(of=st.integers(1, 10**6), data=st.data())
def test_a_shard_is_read_as_it_is_written(of: int, data: st.DataObject) -> None:
    shard = Shard(data.draw(st.integers(1, of)), of)
    assert Shard.parse(str(shard)) == shard
    assert shard.file_name == f"{shard.number}-of-{shard.of}"


def test_shares_stay_the_same_in_every_version() -> None:
    """Written down: a batch whose shards were made by two versions would else lose jobs."""
    held = [next(n for n in range(1, 9) if Shard(n, 8).holds(key)) for key in ("", "1", "talk.es.mp4", "é")]
    assert held == [5, 2, 3, 4]


def test_shares_are_of_like_size() -> None:
    held = [sum(Shard(number, 8).holds(str(key)) for key in range(8000)) for number in range(1, 9)]
    assert min(held) > 850
    assert max(held) < 1150


@pytest.mark.parametrize("text", ["", "3", "3/", "/8", "0/8", "9/8", "0/0", "-1/8", "1/8/2", "a/b", "1.0/2", "²/8"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="shard"):
        Shard.parse(text)


def test_spaces_are_allowed() -> None:
    assert Shard.parse(" 3 / 8 ") == Shard(3, 8)
