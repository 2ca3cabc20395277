import hashlib
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from lipdub.errors import LipdubError, OptionError, ServiceError
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.fake import FakeVoice
from lipdub.words_to_sound.seam import VOICES, ModelCard, VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice, assign_voices
from lipdub.words_to_sound.voices.languages import voices_for_language
from lipdub.words_to_sound.voices.nanotts import NanoVoice, make
from lipdub.words_to_sound.voices.pico import synthesise
from lipdub.words_to_sound.voices.speak import speak_line, spoken_line_key
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level
from words_to_sound.conformance import VoiceConformance, line


class TestFake(VoiceConformance):
    @pytest.fixture
    def voice(self):
        return FakeVoice()


class TestNanotts(VoiceConformance):
    @pytest.fixture
    def voice(self):
        pytest.importorskip("py_nanotts")
        return make("")

    def test_does_not_say_a_foreign_script(self, voice):
        with pytest.raises(OptionError, match="letters"):
            voice.speak(line("Привет мир"))
        assert voice.speak(line("hello 日本")).span.duration < 1

    def test_does_not_clip_however_deep_the_voice(self, voice):
        for index in range(8):
            samples = voice.member(index).speak(line("Aha! Mama, papa, oh no!")).samples
            assert 0.05 < np.abs(samples).max() < 0.95

    def test_people_differ_and_take_about_as_long(self, voice):
        text = line("This is a longer sentence, with more words in it.")
        sounds = [voice.member(index).speak(text) for index in range(3)]
        lengths = [float(s.span.duration) for s in sounds]
        assert max(lengths) < 1.25 * min(lengths)
        assert len({round(centre(s)) for s in sounds}) == 3

    def test_a_long_text_is_spoken_to_its_end(self, voice):
        text = "We go on and on, and nobody stops us. " * 18
        assert 25 < voice.speak(line(text)).span.duration < 120

    def test_mark_up_in_a_text_does_not_control_the_voice(self, voice):
        plain = voice.speak(line("hello you there"))
        marked = voice.speak(line('hello <speed level="400"> you there & </speed>'))
        assert marked.span.duration > 0.9 * plain.span.duration


def centre(sound: Sound) -> float:
    """The mean frequency, weighted by energy."""
    power = np.abs(np.fft.rfft(sound.samples[0])) ** 2
    return float((power * np.fft.rfftfreq(sound.samples.shape[1], 1 / sound.rate)).sum() / power.sum())


def test_nanotts_gives_the_same_sound_whatever_happened_before():
    pytest.importorskip("py_nanotts")
    here = synthesise("Is it the same?", "en-GB")
    code = (
        "import hashlib; from lipdub.words_to_sound.voices.pico import synthesise\n"
        "junk = [bytes([i]) * 2400000 for i in range(9)]; del junk\n"
        "print(hashlib.sha256(synthesise('Is it the same?', 'en-GB').tobytes()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_nanotts_is_described_by_words():
    assert make("es-ES,pitch=0.8") == NanoVoice("es-ES", 0.8)
    assert make("en") == NanoVoice("en-US")
    assert make("es-ES,pitch=0.8").detail == "es-ES,pitch=0.8"
    assert make(NanoVoice().member(1).detail) == NanoVoice().member(1)
    assert NanoVoice().member(0).detail == ""
    for wrong in ("pt-BR", "pitch=9", "pitch=x", "colour=red"):
        with pytest.raises(OptionError):
            make(wrong)


def test_an_unsupported_language_names_other_voices():
    with pytest.raises(OptionError, match=r"not 'pt'.*kokoro.*bring the dub track"):
        make("").speak(line("Bom dia", "pt"))
    with pytest.raises(OptionError, match="has no language"):
        make("").speak(line("Good day", ""))
    with pytest.raises(OptionError, match="speaks en-GB, not 'es'"):
        make("en-GB").speak(line("Buenos días", "es"))
    assert voices_for_language("de-AT") == ("nanotts",)


def test_each_speaker_gets_one_voice():
    pytest.importorskip("py_nanotts")
    voices = assign_voices(["ann", "bob", "ann", "eve"], "nanotts:en-GB", {"eve": "nanotts:pitch=1.4"})
    assert list(voices) == ["ann", "bob", "eve"]
    assert voices["ann"].voice == NanoVoice("en-GB")
    assert voices["bob"].voice == NanoVoice("en-GB").member(1)
    assert voices["eve"].voice == NanoVoice(pitch=1.4)
    assert assign_voices([], "nobody") == {}
    with pytest.raises(OptionError, match=r"no voice called 'nobody'.*nanotts"):
        assign_voices(["ann"], "nobody")
    assert {"nanotts", "kokoro", "server", "command"} <= set(VOICES.names())


class CountingCache:
    """A cache of folders, which counts how often one was filled."""

    def __init__(self, root):
        self.root, self.made = root, 0

    def __call__(self, name, make):
        folder = self.root / name
        if not folder.is_dir():
            self.made += 1
            folder.mkdir()
            make(folder)
        return folder


def test_lines_are_spoken_once(tmp_path):
    cache = CountingCache(tmp_path)
    voices = {"ann": AssignedVoice(FakeVoice(), "fake"), "bob": AssignedVoice(FakeVoice().member(1), "fake 1")}
    lines = [line("Hello there", speaker="ann"), line("Hello there", speaker="bob")]
    first = [speak_line(one, voices[one.speaker], cache=cache) for one in lines]
    assert [s.line for s in first] == lines
    assert cache.made == 2
    again = [speak_line(one, voices[one.speaker], cache=cache) for one in lines]
    assert cache.made == 2
    assert all(np.array_equal(a.sound.samples, b.sound.samples) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].sound.samples, first[1].sound.samples)
    faster = speak_line(lines[0], voices["ann"], 1.25, cache)
    assert cache.made == 3
    assert faster.sound.span.duration < first[0].sound.span.duration
    assert np.array_equal(speak_line(lines[0], voices["ann"]).sound.samples, first[0].sound.samples)


def test_what_changes_a_sound_changes_its_key():
    speaker, here = AssignedVoice(FakeVoice(), "fake"), line("Hello", "en", "ann")
    noise = np.ones((1, 9), np.float32)
    keys = {
        spoken_line_key(here, speaker),
        spoken_line_key(line("Hello!", "en", "ann"), speaker),
        spoken_line_key(line("Hello", "fr", "ann"), speaker),
        spoken_line_key(here, speaker, 1.1),
        spoken_line_key(here, AssignedVoice(FakeVoice(), "other")),
        spoken_line_key(here, AssignedVoice(FakeVoice(), "fake", VoiceReference(Sound(noise, 8000)))),
        spoken_line_key(here, AssignedVoice(FakeVoice(), "fake", VoiceReference(Sound(noise, 8000), "words"))),
        spoken_line_key(here, AssignedVoice(FakeVoice(card=ModelCard("else", "MIT")), "fake")),
    }
    assert len(keys) == 8
    assert spoken_line_key(line("Hello", "en", "bob", 9), speaker) == spoken_line_key(here, speaker)


def test_a_line_that_cannot_be_spoken_is_named():
    class Silent(FakeVoice):
        def speak(self, line, pace=1.0, reference=None):
            return trim_and_level(np.zeros(16000, np.float32), 16000)

    with pytest.raises(ServiceError, match=r"silence at 6\.000 s"):
        speak_line(line("Hello", start=6), AssignedVoice(Silent()))


def test_sound_is_trimmed_levelled_and_faded():
    rate = 8000
    tone = np.sin(np.arange(rate) * 0.3)
    for gain in (0.05, 0.1, 1.0):
        sound = trim_and_level(np.concatenate([np.zeros(rate), tone * gain, np.zeros(rate)]), rate)
        assert abs(sound.span.duration - 1) < Fraction(3, 100)
        assert 0.1 < float(np.sqrt((sound.samples**2).mean())) < 0.14
        assert abs(sound.samples[0, 0]) < 0.01
    with pytest.raises(LipdubError):
        trim_and_level(np.full(rate, np.nan), rate)
