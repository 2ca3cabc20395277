"""What is heard of a track: in flat memory, as far as needed, from the right stream; its damage is remembered."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import NoSound
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.studio.dub import plan
from lipdub.studio.hearing import Hearing, Track, spooled
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.room import dub_track, own_track
from lipdub.studio.store import Store
from lipdub.timeline.clip import Clip, FrameTimes
from lipdub.timeline.samples import Samples
from lipdub.timeline.speech_features import SpeechFeatures

sys.path.insert(0, str(Path(__file__).parent.parent / "media"))
from media_files import Extra, make_video, make_wav


class Counting(SpeechAnalyser):
    """Ears that only count what they are given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def listen_to(self, samples: Samples, start: Fraction) -> SpeechFeatures:
        self.given.append(len(samples))
        assert not isinstance(samples, np.ndarray), "the samples lie in a file"
        rows = len(samples) // 320
        return SpeechFeatures(start, *(np.zeros((rows, *n), np.float32) for n in ((17,), (), (3,))))


@pytest.fixture
def hearing(tmp_path: Path) -> Hearing:
    return Hearing(Counting(), Store(tmp_path / "store"), False)


def clip_of(path: Path, seconds: int) -> Clip:
    times = FrameTimes(np.arange(25 * seconds, dtype=np.int64), Fraction(1, 25))
    return Clip(path, times, (64, 48), Fraction(25), True, sound=1)


def given(hearing: Hearing) -> list[int]:
    assert isinstance(hearing.ears, Counting)
    return hearing.ears.given


def test_a_long_dub_track_is_heard_a_little_beyond_the_clip(tmp_path: Path, hearing: Hearing) -> None:
    dub = make_wav(tmp_path / "dub.flac", 60.0, 16000, 1, "flac")
    features = hearing.hear(dub_track(dub, clip_of(tmp_path / "clip.mp4", 2)), "digest")
    assert 3 <= features.span.duration < 4
    assert given(hearing) == [len(features) * 320 + given(hearing)[0] % 320]


def test_damage_is_told_again_though_nothing_is_heard_again(tmp_path: Path, hearing: Hearing) -> None:
    dub = make_wav(tmp_path / "dub.flac", 4.0, 16000, 1, "flac")
    dub.write_bytes(dub.read_bytes()[: dub.stat().st_size // 2])
    track = Track(dub)
    assert hearing.doubts(track, "it") == ()
    hearing.hear(track, "digest")
    again = Hearing(Counting(), hearing.store, False)
    again.hear(track, "digest")
    assert given(again) == []
    assert "4.000 s" in hearing.doubts(track, "it")[0]
    assert again.doubts(track, "the dub track") == hearing.doubts(track, "the dub track")


def test_another_stream_is_another_sound(tmp_path: Path, hearing: Hearing) -> None:
    path = make_wav(tmp_path / "a.wav", 1.0)
    assert own_track(clip_of(path, 1)) == Track(path, 1)
    hearing.hear(Track(path), "digest")
    hearing.hear(Track(path, 0), "digest")
    assert given(hearing) == [16000, 16000]


def test_the_temporary_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = make_wav(tmp_path / "a.wav", 1.0)
    with spooled(Track(path)) as (samples, start):
        assert len(samples) == 16000
        assert start == 0
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_sound_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", Extra(sound_seconds=0.5))
    dub = make_wav(tmp_path / "dub.wav", 0.5)
    with pytest.raises(NoSound, match="no sound stream 2"):
        plan(clip, dub, tmp_path / "out.mp4", SpeechOptions(), DubOptions(audio_stream=2))
    assert plan(clip, dub, tmp_path / "out.mp4", SpeechOptions(), DubOptions(audio_stream=0))
