import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import NoSound, NotMedia
from lipdub.media.sound_blocks import SoundFormat, sound_blocks, sound_format
from lipdub.media.sound_read import read_sound, read_sound_chunks

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, make_video, make_wav

F = Fraction


def whole(path, **options):
    return np.concatenate(list(sound_blocks(path, **options)), 1)


@pytest.mark.parametrize(("suffix", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("m4a", "aac")])
@pytest.mark.parametrize("rate", [None, 44100, 48000, 16000])
def test_blocks_are_the_sound(tmp_path, suffix, codec, rate):
    path = make_wav(tmp_path / f"tone.{suffix}", 1.3, 44100, 2, codec)
    np.testing.assert_array_equal(whole(path, rate=rate), read_sound(path, rate=rate).samples)


@pytest.mark.parametrize("start", [F(0), F(1, 2), F("0.8"), F("1.1"), F("-0.3")])
@pytest.mark.parametrize("rate", [48000, 16000])
def test_the_first_sample_is_at_the_instant_that_is_asked_for(tmp_path, start, rate):
    path = make_video(tmp_path / "late.mkv", Extra(1.0, F(4, 5), "flac"), count=30)
    decoded = read_sound(path, rate=rate)
    out = whole(path, rate=rate, start=start)
    late = round((decoded.start - start) * rate)
    expected = np.pad(decoded.samples, ((0, 0), (max(late, 0), 0)))[:, max(-late, 0) :]
    np.testing.assert_array_equal(out, expected)


def test_formats_name_their_channels(tmp_path):
    assert sound_format(make_wav(tmp_path / "a.wav", 0.1, 22050)) == SoundFormat(22050, ("FC",))
    assert sound_format(make_wav(tmp_path / "b.flac", 0.1, 48000, 2, "flac")) == SoundFormat(48000, ("FL", "FR"))
    six = sound_format(make_wav(tmp_path / "c.flac", 0.1, 96000, 6, "flac"))
    assert six == SoundFormat(96000, ("FL", "FR", "FC", "LFE", "BL", "BR"))


def test_what_has_no_sound_is_refused(tmp_path):
    silent = make_video(tmp_path / "silent.mp4")
    with pytest.raises(NoSound):
        sound_format(silent)
    with pytest.raises(NoSound):
        list(sound_blocks(silent))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(NotMedia):
        sound_format(tmp_path / "text.wav")


@pytest.mark.parametrize("mono", [True, False])
@pytest.mark.parametrize("rate", [None, 16000, 96000])
def test_pieces_one_after_the_other_are_the_sound(tmp_path, rate, mono):
    path = make_video(tmp_path / "late.mkv", Extra(1.0, F(4, 5), "flac"), count=30)
    held = read_sound(path, rate=rate, mono=mono)
    pieces = list(read_sound_chunks(path, rate=rate, mono=mono))
    np.testing.assert_array_equal(np.concatenate([p.samples for p in pieces], 1), held.samples)
    assert (pieces[0].start, pieces[0].rate) == (held.start, held.rate)
    assert all(a.span.end == b.start for a, b in pairwise(pieces))
