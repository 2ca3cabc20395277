"""Speech features of a track: in flat memory, as far as needed, from the right stream; its damage is remembered."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import NoSound
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.preflight.dry_run import dry_run
from lipdub.studio.session import Session, open_session
from lipdub.studio.tools import ChosenAnalyser
from lipdub.studio.track_features import SoundTrack, dub_features, own_track, spooled, track_features
from lipdub.timeline.clip import Clip, FrameTimes
from lipdub.timeline.samples import Samples
from lipdub.timeline.speech_features import SpeechFeatures

sys.path.insert(0, str(Path(__file__).parent.parent / "media"))
from media_files import Extra, make_video, make_wav


class Counting(SpeechAnalyser):
    """An analyser that only counts the samples that it is given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def analyse_samples(self, samples: Samples, start: Fraction) -> SpeechFeatures:
        self.given.append(len(samples))
        assert not isinstance(samples, np.ndarray), "the samples lie in a file"
        rows = len(samples) // 320
        return SpeechFeatures(start, *(np.zeros((rows, *n), np.float32) for n in ((17,), (), (3,))))


@contextmanager
def counting_session() -> Iterator[tuple[Session, list[int]]]:
    """A session whose analyser counts, and what it was given."""
    with open_session() as session:
        counting = Counting()
        session.tools.__dict__["analyser"] = ChosenAnalyser(counting, False)
        yield session, counting.given


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "store")
    return tmp_path / "store"


def clip_of(path: Path, seconds: int) -> Clip:
    times = FrameTimes(np.arange(25 * seconds, dtype=np.int64), Fraction(1, 25))
    return Clip(path, times, (64, 48), Fraction(25), True, sound=1)


def test_a_long_dub_track_is_analysed_a_little_beyond_the_clip(tmp_path: Path) -> None:
    dub = make_wav(tmp_path / "dub.flac", 60.0, 16000, 1, "flac")
    with counting_session() as (session, given):
        features = dub_features(dub, clip_of(tmp_path / "clip.mp4", 2), session).features
    assert 3 <= features.span.duration < 4
    assert given == [len(features) * 320 + given[0] % 320]


def test_damage_is_told_again_though_nothing_is_analysed_again(tmp_path: Path) -> None:
    dub = make_wav(tmp_path / "dub.flac", 4.0, 16000, 1, "flac")
    dub.write_bytes(dub.read_bytes()[: dub.stat().st_size // 2])
    with counting_session() as (session, given):
        first = track_features(SoundTrack(dub), session)
        assert len(given) == 1
    with counting_session() as (session, given):
        again = track_features(SoundTrack(dub), session)
        assert given == []
    assert "4.000 s" in first.damage.warnings_about("it")[0]
    assert again.damage.warnings_about("the dub track") == first.damage.warnings_about("the dub track")


def test_another_stream_is_another_sound(tmp_path: Path) -> None:
    path = make_wav(tmp_path / "a.wav", 1.0)
    assert own_track(clip_of(path, 1)) == SoundTrack(path, 1)
    with counting_session() as (session, given):
        track_features(SoundTrack(path), session)
        track_features(SoundTrack(path, 0), session)
    assert given == [16000, 16000]


def test_the_temporary_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = make_wav(tmp_path / "a.wav", 1.0)
    with spooled(SoundTrack(path)) as (samples, start):
        assert len(samples) == 16000
        assert start == 0
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_sound_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", Extra(sound_seconds=0.5))
    dub = make_wav(tmp_path / "dub.wav", 0.5)
    with pytest.raises(NoSound, match="no sound stream 2"):
        dry_run(DubRequest(clip, tmp_path / "out.mp4", dub, SpeechOptions(), DubOptions(audio_stream=2)))
    assert dry_run(DubRequest(clip, tmp_path / "out.mp4", dub, SpeechOptions(), DubOptions(audio_stream=0)))
