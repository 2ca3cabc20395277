import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lipdub.errors import OptionError, OutputError
from lipdub.media.sound_blocks import SoundFormat, sound_blocks, sound_format
from lipdub.media.sound_write import write_sound

NAMES = {1: ("FC",), 2: ("FL", "FR"), 6: ("FL", "FR", "FC", "LFE", "BL", "BR")}
NAMES[8] = (*NAMES[6], "SL", "SR")


def written(path, samples, rate=48000, size=5000):
    shape = SoundFormat(rate, NAMES[len(samples)])
    count = write_sound(path, (samples[:, i : i + size] for i in range(0, samples.shape[1], size)), shape)
    assert count == samples.shape[1]
    assert sound_format(path) == shape
    return np.concatenate([np.zeros((len(samples), 0), np.float32), *sound_blocks(path)], 1)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["wav", "flac"]), st.sampled_from([1, 2, 6, 8]), st.integers(1, 20_000), st.integers(1, 9000),
    st.sampled_from([11025, 44100, 48000, 96000]),
)  # fmt: skip
def test_24_bits_come_back_bit_for_bit(tmp_path, suffix, channels, count, size, rate):
    rng = np.random.default_rng(count)
    samples = (rng.integers(-(2**23), 2**23, (channels, count)) / 2**23).astype(np.float32)
    np.testing.assert_array_equal(written(tmp_path / f"out.{suffix}", samples, rate, size), samples)


def test_what_is_too_loud_is_clipped(tmp_path):
    samples = np.array([[0.0, 1.5, -1.5, 0.25]], np.float32)
    out = written(tmp_path / "loud.wav", samples)
    np.testing.assert_allclose(out, [[0, 1, -1, 0.25]], atol=2e-7)


def test_the_same_twice(tmp_path):
    samples = np.random.default_rng(0).uniform(-1, 1, (2, 9999)).astype(np.float32)
    for suffix in ("wav", "flac"):
        one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
        written(one, samples)
        written(two, samples, size=100)
        assert one.read_bytes() == two.read_bytes()


def test_nothing_is_left_of_what_failed(tmp_path):
    def broken():
        yield np.zeros((1, 5000), np.float32)
        raise RuntimeError("the mix failed")

    with pytest.raises(RuntimeError):
        write_sound(tmp_path / "out.wav", broken(), SoundFormat(48000, ("FC",)))
    assert not list(tmp_path.iterdir())


def test_refusals_are_reported(tmp_path):
    nothing = iter(())
    with pytest.raises(OptionError, match="not a file type"):
        write_sound(tmp_path / "out.mp3", nothing, SoundFormat(48000, ("FC",)))
    with pytest.raises(OutputError):
        write_sound(tmp_path / "missing" / "out.wav", nothing, SoundFormat(48000, ("FC",)))
