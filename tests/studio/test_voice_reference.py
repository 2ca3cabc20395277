"""Voices that can sound like somebody are given that person's own speech."""

import shlex
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import OptionError, WeightsError
from lipdub.media.probe import open_clip
from lipdub.studio import sound_steps
from lipdub.studio.options import SpeakOptions
from lipdub.studio.plan.voice_reference import clearest_span, with_references
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.command import make
from lipdub.words_to_sound.voices.wav import read_wav


def line(start: int, end: int, speaker: str) -> Line:
    return Line("x", Span(Fraction(start), Fraction(end)), "es", speaker)


def speech(*spans: tuple[int, int]) -> SpeechFeatures:
    voiced = np.zeros(50 * 30, np.float32)
    for start, end in spans:
        voiced[start * 50 : end * 50] = 0.95
    phones, energy = (np.zeros((len(voiced), n), np.float32) for n in (17, 3))
    return SpeechFeatures(
        start=Fraction(0), phone_posteriors=phones, voice_activity=voiced, energy=energy, encoder_features=None
    )


def test_the_stretch_is_the_speakers_own() -> None:
    features = speech((1, 6), (8, 16), (18, 26))
    lines = [line(0, 7, "A"), line(8, 16, "B"), line(12, 20, "A"), line(20, 27, "B")]
    mine, theirs = clearest_span("A", lines, features), clearest_span("B", lines, features)
    assert mine is not None
    assert theirs is not None
    assert 0 <= mine.start < mine.end <= 7
    assert 20 <= theirs.start < theirs.end <= 27
    assert clearest_span("C", lines, features) is None


def test_only_voices_that_ask_for_it_are_given_one() -> None:
    plain, like = make("say {out} {text}"), make("clone {reference} {out}")
    assert (plain.needs_reference, like.needs_reference) == (False, True)
    assert with_references({"": AssignedVoice(plain)}, [line(0, 9, "")], None, None)[""].reference is None
    with pytest.raises(OptionError, match="no clip with sound"):
        with_references({"": AssignedVoice(like)}, [line(0, 9, "")], None, None)


COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2]); shutil.copy(sys.argv[1], {kept!r})"


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    try:
        weights.resolve("voice-activity")
    except WeightsError as missing:
        pytest.skip(str(missing))
    voice = load_speech("en").sound
    frames = [np.full((48, 64, 3), 90, np.uint8)] * int(voice.span.duration * 25)
    write_synthetic_clip(tmp_path / "talk.mp4", frames, Fraction(25), voice)
    return open_clip(tmp_path / "talk.mp4")


def test_a_program_gets_a_file_of_how_the_speaker_sounds(clip: Clip, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    script, kept = tmp_path / "talk.es.srt", tmp_path / "kept.wav"
    script.write_text("1\n00:00:00,000 --> 00:00:07,900\nHola a todos.\n")
    program = f"{sys.executable} -c {shlex.quote(COPY.format(kept=str(kept)))} {{reference}} {{out}}"
    voices = SpeakOptions(voice=(f"command:{program}",))
    sound_steps.speak(script, tmp_path / "out.wav", clip.path, voices)
    samples, rate = read_wav(kept.read_bytes(), "kept")
    assert 3 <= len(samples) / rate <= 10.3
    assert np.sqrt((samples**2).mean()) > 0.01
    with pytest.raises(OptionError, match="no clip with sound"):
        sound_steps.speak(script, tmp_path / "out2.wav", None, voices)
