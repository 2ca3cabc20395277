"""Speech features of a dialogue: windows cover it, depend on sound nearby only, and are made once."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sound
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.studio.dialogue_features import CONTEXT, WINDOW, dialogue_features, sound_windows
from lipdub.studio.session import open_session
from lipdub.studio.tools import ChosenAnalyser
from lipdub.timeline.clip import Clip, FrameTimes
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures

RATE, HOP = 48_000, 960


class Levels(SpeechAnalyser):
    """An analyser whose voice activity is the level of each row over that of the loudest."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def analyse_samples(self, samples: Samples, start: Fraction) -> SpeechFeatures:
        self.given.append(len(samples))
        rows = np.abs(samples[0 : len(samples)]).reshape(-1, 320).max(1)
        level = (rows / max(rows.max(), 1e-9)).astype(np.float32)
        n = len(rows)
        return SpeechFeatures(start, np.zeros((n, 17), np.float32), level, np.zeros((n, 3), np.float32))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, (3 * WINDOW + CONTEXT) * 2 + 1),
    st.lists(st.integers(1, 1500), min_size=1, max_size=5),
)
def test_windows_cover_every_row_once(length: int, sizes: list[int]) -> None:
    sound = np.arange(1, length + 1, dtype=np.float32)
    pieces, at = [], 0
    while at < length:
        pieces.append(sound[at : at + sizes[len(pieces) % len(sizes)]])
        at += len(pieces[-1])
    used = [w.samples[2 * w.used.start : 2 * w.used.stop] for w in sound_windows(iter(pieces), 2)]
    together = np.concatenate([np.zeros(0, np.float32), *used])
    assert np.array_equal(together, np.pad(sound, (0, length % 2)))
    for number, window in enumerate(sound_windows(iter(pieces), 2)):
        assert window.used.start == (CONTEXT if number else 0)
        assert len(window.samples) <= 2 * (WINDOW + 2 * CONTEXT)


def write(path: Path, sound: np.ndarray) -> Path:
    write_sound(path, [sound[None].astype(np.float32)], SoundFormat(RATE, ("FC",)))
    return path


def test_a_changed_word_costs_its_own_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "store")
    seconds = 60
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, seconds * RATE + 17)
    sound[20 * RATE : 40 * RATE] = 0
    times = FrameTimes(np.arange(25 * seconds, dtype=np.int64), Fraction(1, 25))
    clip = Clip(tmp_path / "clip.mp4", times, (64, 48), Fraction(25), True, sound=1, start=Fraction(1, 2))
    changed = sound.copy()
    changed[50 * RATE : 51 * RATE] *= 0.1

    def features(path: Path) -> tuple[SpeechFeatures, int]:
        with open_session() as session:
            levels = Levels()
            session.tools.__dict__["analyser"] = ChosenAnalyser(levels, False)
            found = dialogue_features(path, clip, session).features
            return found, sum(given > ANALYSIS_RATE // 50 for given in levels.given)

    first, made = features(write(tmp_path / "a.flac", sound))
    assert made == 7  # of eight windows of 8 s, that from 24 s to 32 s is silent, with a second around it
    assert len(first) == 50 * seconds + 1
    assert first.start == Fraction(1, 2)
    assert first.voice_activity[21 * 50 : 39 * 50].max() < 0.01 < first.voice_activity[: 19 * 50].min()
    again, made = features(write(tmp_path / "b.flac", changed))
    assert made == 1
    same = np.flatnonzero(again.voice_activity == first.voice_activity)
    assert set(range(48 * 50)) | set(range(56 * 50, 60 * 50)) <= set(same.tolist())
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "other")
    alone, made = features(tmp_path / "b.flac")
    assert made == 7
    assert np.array_equal(alone.voice_activity, again.voice_activity)


def test_silence_and_nothing_have_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "store")
    times = FrameTimes(np.arange(50, dtype=np.int64), Fraction(1, 25))
    clip = Clip(tmp_path / "clip.mp4", times, (64, 48), Fraction(25), True, sound=1)
    with open_session() as session:
        session.tools.__dict__["analyser"] = ChosenAnalyser(Levels(), False)
        quiet = dialogue_features(write(tmp_path / "quiet.flac", np.zeros(2 * RATE)), clip, session).features
    assert len(quiet) == 100
    assert not quiet.voice_activity.any()
