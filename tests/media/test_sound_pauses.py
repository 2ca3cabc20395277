"""Sound that waits: nothing of it is lost, and pauses are silent."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.media.sound_pauses import with_pauses


@given(data=st.data())
def test_the_sound_goes_on_after_each_pause(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30_000))
    sound = np.random.default_rng(size).uniform(0.1, 1, (2, size)).astype(np.float32)
    cuts = sorted(data.draw(st.sets(st.integers(0, size), max_size=6)))
    blocks = np.split(sound, cuts, axis=1)
    places = sorted(data.draw(st.sets(st.integers(0, max(0, size // 2000 - 1)), max_size=3)))
    lengths = [data.draw(st.integers(1, 70_000)) for _ in places]
    pauses, later = [], 0
    for place, length in zip(places, lengths, strict=True):
        first = 2000 * place + 500 + later
        pauses.append((first, first + length))
        later += length
    out = np.concatenate(list(with_pauses(iter(blocks), pauses)), axis=1)
    inside = [(first, stop) for first, stop in pauses if stop - first and first < out.shape[1]]
    heard = np.ones(out.shape[1], bool)
    for first, stop in inside:
        assert not out[:, first:stop].any()
        heard[first:stop] = False
    kept = out[:, heard]
    assert kept.shape == sound.shape
    assert (kept <= sound + 1e-6).all()
    if not pauses:
        assert np.array_equal(kept, sound)


def test_the_sound_is_faded_around_a_pause() -> None:
    sound = np.ones((1, 4000), np.float32)
    out = np.concatenate(list(with_pauses([sound], [(2000, 3000)])), axis=1)[0]
    assert out[1519] == out[3480] == 1
    assert out[1999] == out[3000] == 0
    assert 0.4 < out[1760] < 0.6
    assert 0.4 < out[3240] < 0.6
