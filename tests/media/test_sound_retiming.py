"""Sound on the clock of a slower picture: nothing of it is lost, pauses are silent, and it stays with the picture."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.media.sound_retiming import SoundPart, retimed_blocks, sound_parts
from lipdub.timeline.retiming import ClockPoint, Retiming
from lipdub.timeline.time import Span


def stretch(block: np.ndarray, size: int) -> np.ndarray:
    """Each sample several times."""
    return block[:, np.arange(size) * block.shape[1] // max(1, size)]


@given(data=st.data())
def test_the_sound_goes_on_after_each_part(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30_000))
    sound = np.random.default_rng(size).uniform(0.1, 1, (2, size)).astype(np.float32)
    cuts = sorted(data.draw(st.sets(st.integers(0, size), max_size=6)))
    blocks = np.split(sound, cuts, axis=1)
    places = sorted(data.draw(st.sets(st.integers(0, max(0, size // 2000 - 1)), max_size=3)))
    parts, expected, at = [], [], 0
    for place in places:
        first = 2000 * place + 500
        stop = first + data.draw(st.sampled_from([0, 0, 1, 700, 1500]))
        more = data.draw(st.integers(1, 70_000))
        parts.append(SoundPart(first, stop, stop - first + more))
        if first >= size:
            break
        new = stretch(sound[:, first:stop], stop - first + more) if stop > first else np.zeros((2, more))
        expected += [sound[:, at:first], new]
        at = stop
    expected.append(sound[:, at:])
    for fade in (0, 480):
        out = np.concatenate(list(retimed_blocks(iter(blocks), parts, stretch, fade)), axis=1)
        whole = np.concatenate(expected, axis=1)
        if sum(part.stop > size for part in parts):
            continue
        assert out.shape == whole.shape
        assert (out <= 1 + 1e-6).all()
        if not fade:
            assert np.array_equal(out, whole.astype(np.float32))
    if not parts:
        assert np.array_equal(out, sound)


def test_sound_that_ends_within_a_part_is_stretched_as_far_as_it_goes() -> None:
    sound = np.arange(1000, dtype=np.float32)[None]
    (out,) = [np.concatenate(list(retimed_blocks([sound], [SoundPart(600, 1600, 3000)], stretch, 0)), axis=1)]
    assert out.shape == (1, 600 + 1200)
    assert np.array_equal(out[0, 600:], np.arange(600, 1000).repeat(3))
    for first in (1000, 2000):
        parts = [SoundPart(first, first, 500), SoundPart(first + 100, first + 200, 500)]
        assert np.array_equal(np.concatenate(list(retimed_blocks([sound], parts, stretch)), axis=1), sound)
    assert not sum(block.size for block in retimed_blocks([], [SoundPart(0, 0, 500)], stretch))


def test_the_sound_is_faded_around_a_pause() -> None:
    sound = np.ones((1, 4000), np.float32)
    out = np.concatenate(list(retimed_blocks([sound], [SoundPart(2000, 2000, 1000)], stretch)), axis=1)[0]
    assert not out[2000:3000].any()
    assert out[1519] == out[3480] == 1
    assert out[1999] == out[3000] == 0
    assert 0.4 < out[1760] < 0.6
    assert 0.4 < out[3240] < 0.6


def test_stretched_sound_begins_and_ends_as_the_sound_beside_it() -> None:
    sound = np.arange(6000, dtype=np.float32)[None]
    blocks = retimed_blocks([sound], [SoundPart(2000, 4000, 5000)], lambda block, size: np.zeros((1, size), np.float32))
    out = np.concatenate(list(blocks), axis=1)[0]
    assert out[2000] == 2000
    assert out[6999] == 3999
    assert not out[2480:6520].any()
    assert np.array_equal(out[7000:], sound[0, 4000:])


@given(data=st.data(), rate=st.sampled_from([16_000, 44_100, 48_000]))
def test_parts_end_with_their_pictures(data: st.DataObject, rate: int) -> None:
    zero = file = clip = data.draw(st.fractions(-2, 2, max_denominator=999))
    points = []
    for _ in range(data.draw(st.integers(0, 5))):
        own, more = (data.draw(st.fractions(Fraction(1, 10), 2, max_denominator=999)) for _ in range(2))
        begin = ClockPoint(file + own, clip + own)
        slow = data.draw(st.sampled_from([Fraction(0), own]))
        file, clip = begin.file + slow, begin.clip + slow + more
        points += [begin, ClockPoint(file, clip)]
    clock = Retiming.through(points)
    parts = sound_parts(clock.pieces(Span(zero, file + 1)), zero, rate)
    assert len(parts) == len(points) // 2
    later = 0
    for part, end in zip(parts, points[1::2], strict=True):
        later += part.size - (part.stop - part.first)
        assert abs(part.stop - (end.file - zero) * rate) <= Fraction(1, 2)
        assert abs(part.stop + later - (end.clip - zero) * rate) <= 1
