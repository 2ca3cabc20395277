"""The voice kokoro: with a small network that hums, and (slow) with its own model where that is on the machine."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lipdub import weights
from lipdub.errors import OptionError, WeightsError
from lipdub.studio.options import DubOptions
from lipdub.studio.plan.fitted_speech import FittedSpeech
from lipdub.studio.plan.lines import DubLines
from lipdub.studio.session import open_session
from lipdub.timeline.lines import numbered
from lipdub.timeline.time import Span
from lipdub.weights import kokoro_files
from lipdub.words_to_sound.phones import english
from lipdub.words_to_sound.phones.front_ends import front_end
from lipdub.words_to_sound.recognise.word_error_rate import word_error_rate
from lipdub.words_to_sound.voices import choose, kokoro
from lipdub.words_to_sound.voices.assign import (
    AssignedVoice,
    SpeakerPitch,
    VoiceTraits,
    assign_voices,
    voice_described,
)
from lipdub.words_to_sound.voices.kokoro_network import RATE, say
from lipdub.words_to_sound.voices.kokoro_voices import PITCHES, VOICES
from words_to_sound.conformance import VoiceConformance, line
from words_to_sound.tiny_kokoro import write_kokoro


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_kokoro(tmp_path_factory.mktemp("kokoro") / "kokoro")


@pytest.fixture
def folder(made, monkeypatch):
    """The small model takes the place of the real one."""
    present, resolve = weights.present, weights.resolve
    monkeypatch.setattr(weights, "present", lambda name, *rest: made if name == "kokoro" else present(name, *rest))
    monkeypatch.setattr(weights, "resolve", lambda name, *rest: made if name == "kokoro" else resolve(name, *rest))
    english._lexica.cache_clear()
    front_end.cache_clear()
    yield made
    english._lexica.cache_clear()
    front_end.cache_clear()


@pytest.mark.usefixtures("folder")
class TestKokoro(VoiceConformance):
    @pytest.fixture
    def voice(self):
        return kokoro.make("")

    def test_people_and_languages(self, voice):
        def speaker(which, language):
            who, tag = which._who(line("x", language))
            return who.name, tag

        assert speaker(voice, "pt") == ("pf_dora", "pt-BR")
        assert speaker(voice.member(1), "en-GB") == ("bm_george", "en-GB")
        assert speaker(voice.member(3), "fr-CA") == ("ff_siwis", "fr-FR")
        assert speaker(voice.at_pitch(110.0, "fr"), "fr") == ("im_nicola+ff_siwis", "fr-FR")
        assert speaker(kokoro.make("am_puck").member(3), "en") == ("am_puck", "en-US")
        assert assign_voices(["ann", "bob"], "kokoro")["bob"].voice == voice.member(1)

    def test_a_speaker_gets_a_voice_of_a_similar_pitch(self, voice):
        pitch = SpeakerPitch({"ann": 210.0, "bob": 105.0}, "en")
        given = assign_voices(["ann", "bob"], "kokoro", pitch=pitch)
        names = {speaker: each.voice._who(line("x", "en"))[0].name for speaker, each in given.items()}
        assert names["ann"][1] == "f"
        assert names["bob"][1] == "m"
        assert abs(PITCHES[names["bob"]] - 105) < 15
        assert kokoro.make("am_puck").at_pitch(200.0, "en").name == "am_puck"

    def test_two_people_of_nearly_one_pitch_get_two_voices(self, voice):
        pitch = SpeakerPitch({"ann": 100.0, "bob": 116.0, "cem": 134.0}, "en")
        given = assign_voices(["ann", "bob", "cem"], "kokoro", pitch=pitch)
        names = [each.voice._who(line("x", "en"))[0].name for each in given.values()]
        assert len(set(names)) == 3
        assert all(name[1] == "m" for name in names)
        assert len({each.voice.detail for each in given.values()}) == 3
        women = SpeakerPitch({"ann": 200.0, "bob": 235.0, "cem": 271.0}, "fr")
        few = assign_voices(["ann", "bob", "cem"], "kokoro", pitch=women)
        assert {each.voice._who(line("x", "fr"))[0].name for each in few.values()} == {"ff_siwis", "ff_siwis+if_sara"}

    def test_a_voice_that_resembles_a_person_is_told_and_stays_the_same(self, voice):
        people = {"ann": VoiceTraits(235.0, 1250.0), "bob": VoiceTraits(120.0, 900.0), "cem": VoiceTraits(121.0, 900.0)}
        pitch = SpeakerPitch({name: one.hertz for name, one in people.items()}, "es", people)
        given = assign_voices(list(people), "kokoro", pitch=pitch)
        told = {name: voice_described(each, "es") for name, each in given.items()}
        assert told["ann"].startswith("kokoro ef_dora+if_sara, pitch +2.")
        assert "formants +" in told["ann"]
        assert "formants -" in told["bob"]
        assert len({each.voice.detail for each in given.values()}) == 3
        assert len({each.voice.in_language("es-ES").key for each in given.values()}) == 3
        again = assign_voices(list(people), "kokoro", pitch=pitch)
        assert {name: each.voice for name, each in again.items()} == {name: each.voice for name, each in given.items()}
        plain = voice.at_pitch(202.0, "es")
        moved, unmoved = given["ann"].voice.speak(line("Hola", "es")), plain.speak(line("Hola", "es"))
        assert not np.array_equal(moved.samples[:, :200], unmoved.samples[:, :200])
        assert np.array_equal(moved.samples, again["ann"].voice.speak(line("Hola", "es")).samples)
        assert kokoro.make("am_puck").resembling(people["ann"], "en") == kokoro.make("am_puck")
        marks = {given[name].voice.fingerprint() for name in people}
        assert len(marks) == 3
        assert any("ef_dora+if_sara, pitch +2." in str(mark) for mark in marks)
        assert voice_described(AssignedVoice(kokoro.make("am_puck")), "en") == "kokoro am_puck"
        assert voice_described(AssignedVoice(kokoro.make("am_puck")), "fr") == "kokoro"

    def test_voices_differ_in_sound(self, voice):
        one, other = (kokoro.make(name).speak(line("One word")).samples for name in ("am_puck", "af_heart"))
        assert one.shape != other.shape or not np.allclose(one, other)

    def test_a_man_speaks_french_with_a_mixed_voice(self, voice):
        woman, man = (voice.at_pitch(hertz, "fr").speak(line("Bonjour", "fr")).samples for hertz in (210.0, 110.0))
        assert not np.array_equal(woman, man)

    def test_unknown_names_are_refused(self):
        with pytest.raises(OptionError, match="no voice 'xx_nobody'"):
            kokoro.make("xx_nobody")
        with pytest.raises(OptionError, match="pt-BR"):
            kokoro.make("pf_dora").speak(line("Hello", "en"))

    def test_letters_that_it_cannot_read_are_refused_with_the_line(self, voice):
        with pytest.raises(OptionError, match="cannot read the letters of 'Привет'"):
            voice.speak(line("Привет", "en", start=5))
        assert not voice.reads(line("Привет", "en"))
        assert not voice.reads(line("😀", "en"))
        assert voice.reads(line("😀 One word", "en"))

    def test_a_lexicon_changes_the_sound_and_the_fingerprint(self, tmp_path):
        path = tmp_path / "names.tsv"
        path.write_text("word\tkˈOkəɹOkˈOkəɹO\n", "utf-8")
        plain, with_names = kokoro.make("af_heart"), kokoro.make(f"af_heart,lexicon={path}")
        texts = line("One word")
        assert with_names.speak(texts).span.duration > plain.speak(texts).span.duration
        assert with_names.fingerprint() != plain.fingerprint()
        path.write_text("word\tkˈO\n", "utf-8")
        assert kokoro.make(f"af_heart,lexicon={path}").fingerprint() != with_names.fingerprint()

    def test_a_long_text_is_spoken_in_parts(self, folder):
        style = folder / "af_heart.bin"
        model = folder / kokoro_files.MODEL[0]
        part = "wˈʌn wˈɜɹd ɪz ɪt. " * 10
        short, long = (say(model, [style], text, 1.0) for text in (part, part * 6))
        assert len(long) > 5.5 * len(short)
        assert np.isfinite(long).all()
        assert len(say(model, [style], "", 1.0)) == 0


def test_a_script_is_spoken_but_for_what_cannot_be_read(folder, monkeypatch, tmp_path):
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    texts = ("Hola.", "😀🎉", "привет", "你好", "...", "Adiós 😀 Иван.")
    lines = numbered(
        [replace(line(text, "es"), span=Span(Fraction(3 * n), Fraction(3 * n + 2))) for n, text in enumerate(texts)]
    )
    with open_session(DubOptions(speech_features="light")) as session:
        fitted = FittedSpeech(DubLines(lines, "es", tmp_path), {"": AssignedVoice(kokoro.make(""))}, session)
        placed = list(fitted.placed((), Span(Fraction(0), Fraction(20))))
    assert [each.line.text for each in placed] == ["Hola.", "Adiós 😀 Иван."]
    assert all(np.abs(each.sound.samples).max() > 0 for each in placed)
    notes = " | ".join(fitted.notes)
    assert "nothing to be said" in notes
    assert "kokoro cannot read" in notes


def test_without_the_model_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))
    monkeypatch.delenv("LIPDUB_WEIGHTS", raising=False)
    monkeypatch.delenv("LIPDUB_DOWNLOAD", raising=False)
    with pytest.raises(WeightsError, match=r"Apache-2\.0.*weights fetch kokoro"):
        assign_voices(["ann"], "kokoro")


def test_broken_files_are_named(tmp_path):
    (tmp_path / "kokoro.onnx").write_bytes(b"no network")
    (tmp_path / "v.bin").write_bytes(b"1234")
    with pytest.raises(WeightsError, match="voice cannot be read"):
        say(tmp_path / "kokoro.onnx", [tmp_path / "v.bin"], "a", 1.0)
    np.zeros((510, 1, 256), "<f4").tofile(tmp_path / "w.bin")
    with pytest.raises(WeightsError, match="network cannot be read"):
        say(tmp_path / "kokoro.onnx", [tmp_path / "w.bin"], "a", 1.0)


def test_half_a_network_is_named(made, tmp_path):
    half = tmp_path / "kokoro.onnx"
    half.write_bytes((made / "kokoro.onnx").read_bytes()[:600])
    with pytest.raises(WeightsError, match="network cannot be read"):
        say(half, [made / "af_heart.bin"], "a", 1.0)


def test_every_voice_has_a_file_and_a_pitch():
    names = [name for some in VOICES.values() for name in some]
    assert sorted(names) == sorted(name for name, _ in kokoro_files.VOICES)
    assert all(60 < PITCHES[name] < 400 for name in names)


def test_the_default_is_kokoro_where_it_is_there(folder, monkeypatch):
    monkeypatch.delenv("LIPDUB_VOICE")
    lines = [line("Hola", "es"), line("Adiós", "es")]
    assert choose.default_voice(lines) == "kokoro"
    assert choose.default_voice([*lines, line("Hallo", "de")]) == "nanotts"
    assert choose.default_voice([]) == "nanotts"
    assert {v.voice.card.name for v in choose.voices_for(lines).values()} == {"kokoro"}
    monkeypatch.setenv("LIPDUB_VOICE", "nanotts")
    assert choose.default_voice(lines) == "nanotts"
    assert {v.voice.card.name for v in choose.voices_for(lines, ("nanotts",)).values()} == {"nanotts"}


def test_the_default_is_not_kokoro_where_its_model_or_a_package_is_missing(monkeypatch, folder):
    monkeypatch.delenv("LIPDUB_VOICE")
    monkeypatch.setattr(kokoro, "find_spec", lambda name: None)
    assert choose.default_voice([line("你好", "zh")]) == "nanotts"
    assert choose.default_voice([line("Hola", "es")]) == "kokoro"
    monkeypatch.setattr(weights, "present", lambda name, say=weights.log: None)
    assert choose.default_voice([line("Hola", "es")]) == "nanotts"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "language"),
    [("Please close the window before the storm arrives.", "en"), ("Prefiero quedarme en casa y leer un libro.", "es")],
)
def test_the_real_voice_is_understood(text, language):
    if weights.present("kokoro") is None or weights.present("whisper-base") is None:
        pytest.skip("the models are not on this machine")
    pytest.importorskip("faster_whisper")
    import soxr

    from lipdub.timeline.sound import ANALYSIS_RATE, Sound
    from lipdub.words_to_sound.recognise import whisper

    voice = kokoro.make("")
    sound = voice.speak(line(text, language))
    assert sound.rate == RATE
    assert np.array_equal(sound.samples, replace(voice).speak(line(text, language)).samples)
    heard = soxr.resample(sound.samples[0], RATE, ANALYSIS_RATE).astype(np.float32)
    words = whisper.make("").transcribe(Sound(heard[None], ANALYSIS_RATE), language).words
    assert word_error_rate(text, " ".join(word.text for word in words), language) <= 0.2
