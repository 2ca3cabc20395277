"""Voices that can sound like somebody are given that person's own speech."""

import shlex
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import MissingExtra, OptionError, WeightsError
from lipdub.media.probe import open_clip
from lipdub.studio import sound_steps
from lipdub.studio.options import DubOptions, SpeakOptions
from lipdub.studio.plan.voice_reference import clearest_span, recognised_sample, with_references
from lipdub.studio.session import open_session
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeRecogniser, FakeVoice
from lipdub.words_to_sound.seam import Transcript
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.command import make
from lipdub.words_to_sound.voices.wav import read_wav, write_wav


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


def test_words_of_the_sample_are_read_for_voices_that_want_them(clip: Clip) -> None:
    likes = {name: AssignedVoice(make(f"clone {place} {{out}}")) for name, place in WANTED.items()}
    spans: list[Span] = []

    def read(read_clip: Clip, span: Span) -> Line:
        assert read_clip is clip
        spans.append(span)
        return Line("Hello there.", span, "en")

    lines = [line(0, int(clip.span.duration), name) for name in likes]
    made = with_references({"words": likes["words"]}, lines[:1], clip, speech((1, 6)), read)
    made |= with_references({"sound": likes["sound"]}, lines[1:], clip, speech((1, 6)), read)
    told = {name: (voice.reference.text, voice.reference.language) for name, voice in made.items() if voice.reference}
    assert told == {"words": ("Hello there.", "en"), "sound": ("", "")}
    assert len(spans) == 1


WANTED = {"words": "{reference} {reference_text}", "sound": "{reference}"}


def test_what_is_read_in_a_sample_is_kept(clip: Clip, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    heard: list[Sound] = []

    class Hears(FakeRecogniser):
        def transcribe(self, sound: Sound, language: str = "") -> Transcript:
            heard.append(sound)
            return super().transcribe(sound, language)

    span = Span(Fraction(1), Fraction(4))
    who = Hears(
        (Word("Bonjour", Span(Fraction(3, 2), Fraction(2))), Word("Anna.", Span(Fraction(2), Fraction(3)))), "fr"
    )
    with open_session(DubOptions()) as session:
        monkeypatch.setattr(session.tools, "recogniser", lambda name: who)
        read = recognised_sample("fake", session)
        first, second = read(clip, span), read(clip, span)
        assert first is not None
        assert (first.text, first.language) == ("Bonjour Anna.", "fr")
        assert second == first
        assert read(clip, Span(Fraction(4), Fraction(7))) is None, "no words"
    assert [(sound.rate, sound.span.start) for sound in heard] == [(16000, 1), (16000, 4)]


def test_without_a_recogniser_nothing_is_read(clip: Clip) -> None:
    def missing(name: str) -> None:
        raise MissingExtra("whisper is not installed")

    with open_session(DubOptions()) as session:
        session.tools.recogniser = missing  # type: ignore[method-assign]
        assert recognised_sample("whisper", session)(clip, Span(Fraction(1), Fraction(4))) is None


def test_people_are_asked_before_they_are_imitated(clip: Clip, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "consent"))
    (tmp_path / "talk.es.srt").write_text("1\n00:00:00,000 --> 00:00:07,900\nHola a todos.\n")

    def refuse(name: str) -> None:
        raise OptionError("the consent was not stated", file=name)

    caller = sound_steps.StepCaller(ask_people=refuse, overwrite=True)
    program = f"command:{sys.executable} -c {shlex.quote(COPY.format(kept=str(tmp_path / 'kept.wav')))}"
    other = clip.path.with_suffix(".wav")
    plain, like = (f"{program} {what} {{out}}" for what in (shlex.quote(str(other)), "{reference}"))
    speak = partial(sound_steps.speak, tmp_path / "talk.es.srt", tmp_path / "out.wav", clip.path)
    write_sample(other)
    speak(SpeakOptions(voice=(plain,)), caller)
    with pytest.raises(OptionError, match="consent was not stated"):
        speak(SpeakOptions(voice=(like,)), caller)
    speak(SpeakOptions(voice=(like,), consent=True), caller)
    speak(SpeakOptions(voice=(like,)), caller)


def write_sample(path: Path) -> None:
    path.write_bytes(write_wav(FakeVoice().speak(line(0, 3, "")).samples[0], 16000))


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
