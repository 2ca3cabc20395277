"""Messages of Protocol Buffers: what is written is read again, with its place; damage is a ``ValueError``."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.disk.protobuf import field, fields, head

VALUES = st.one_of(st.integers(0, 2**63), st.text(max_size=300), st.binary(max_size=300))


@given(st.lists(st.tuples(st.integers(1, 3000), VALUES), max_size=8))
def test_what_is_written_is_read_again(entries):
    message = b"".join(field(number, value) for number, value in entries)
    found = list(fields(message))
    assert b"".join(f.whole for f in found) == message
    for (number, value), f in zip(entries, found, strict=True):
        assert f.number == number
        assert (f.text if isinstance(value, str) else f.value) == value
        assert message[f.place : f.place + len(f.whole)] == f.whole


@given(st.binary(max_size=300), st.integers(0, 2**40))
def test_places_of_inner_fields_are_those_in_the_whole(content, number):
    whole = field(1, number) + field(7, field(2, "name") + field(9, content))
    outer = list(fields(whole))[1]
    inner = list(fields(outer))[1]
    assert whole[inner.start : inner.start + len(content)] == content
    assert head(7, len(outer.inner)) + bytes(outer.inner) == outer.whole


@pytest.mark.parametrize("damaged", [b"\x0a\x05abc", b"\x08", b"\x08" + b"\xff" * 10, b"\x0b", b"\x0d\x00"])
def test_damage_is_named(damaged):
    with pytest.raises(ValueError, match=r"field|number"):
        list(fields(damaged))


def test_a_number_has_no_text():
    with pytest.raises(ValueError, match="field 1 is a number"):
        _ = next(fields(field(1, 5))).text


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content):
    with contextlib.suppress(ValueError):
        assert b"".join(f.whole for f in fields(content)) == content
