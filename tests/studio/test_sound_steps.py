"""Each step by itself: what it reads is never what it writes."""

import os
import wave
from pathlib import Path

import pytest

from lipdub.errors import OptionError, OutputError
from lipdub.media.probe import probe
from lipdub.studio import session, sound_steps
from lipdub.studio.options import SpeakOptions, TranslatorOptions
from lipdub.studio.sound_steps import StepCaller

SCRIPT = "1\n00:00:00,000 --> 00:00:02,000\nHola a todos.\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "clip.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 16000)
    for name in ("talk.es.srt", "terms.srt"):
        (tmp_path / name).write_text(SCRIPT)
    os.symlink(tmp_path / "clip.wav", tmp_path / "link.wav")
    os.link(tmp_path / "talk.es.srt", tmp_path / "same.srt")
    return tmp_path


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "step",
    [
        lambda f, caller: sound_steps.speak(f / "talk.es.srt", f / "clip.wav", f / "clip.wav", caller=caller),
        lambda f, caller: sound_steps.speak(f / "talk.es.srt", f / "link.wav", f / "clip.wav", caller=caller),
        lambda f, caller: sound_steps.translate(
            f / "talk.es.srt", f / "talk.es.srt", "fr", TranslatorOptions(translator="argos"), caller=caller
        ),
        lambda f, caller: sound_steps.translate(
            f / "talk.es.srt", f / "same.srt", "fr", TranslatorOptions(translator="argos"), caller=caller
        ),
        lambda f, caller: sound_steps.translate(
            f / "talk.es.srt",
            f / "terms.srt",
            "fr",
            TranslatorOptions(translator="argos", glossary=f / "terms.srt"),
            caller=caller,
        ),
        lambda f, caller: sound_steps.transcribe(f / "talk.es.srt", f / "talk.es.srt", caller=caller),
    ],
    ids=["the clip", "a link to the clip", "the script", "the script's other name", "the glossary", "what is heard"],
)
def test_no_input_is_written_over_even_if_asked(files, step):
    before = kept(files)
    with pytest.raises(OutputError, match="one of the inputs"):
        step(files, StepCaller(overwrite=True))
    assert kept(files) == before


def test_what_exists_stays_unless_asked(files):
    before = kept(files)
    with pytest.raises(OutputError, match="exists already"):
        sound_steps.speak(files / "talk.es.srt", files / "link.wav", caller=StepCaller())
    assert kept(files) == before


def test_a_script_is_spoken_and_only_the_sound_appears(files, monkeypatch):
    # The models stay where they are.
    monkeypatch.setattr(session, "default_root", lambda: files / "cache")
    sound_steps.speak(files / "talk.es.srt", files / "said.wav")
    assert probe(files / "said.wav").has_sound
    assert {path.name for path in files.iterdir()} == {
        *("clip.wav", "talk.es.srt", "terms.srt", "link.wav", "same.srt", "said.wav", "cache")
    }


@pytest.mark.parametrize("to", ["es", "es-MX"])
def test_nothing_to_translate_is_told(files, to):
    with pytest.raises(OptionError, match="nothing to translate"):
        sound_steps.translate(
            files / "talk.es.srt", files / "new.srt", to, TranslatorOptions(translator="openai:http://localhost:1")
        )
    assert not (files / "new.srt").exists()


def test_the_language_of_a_script_can_be_given(files: Path) -> None:
    (files / "talk.srt").write_bytes((files / "talk.es.srt").read_bytes())
    with pytest.raises(OptionError, match="language is not known"):
        sound_steps.speak(files / "talk.srt", files / "said.wav")
    with pytest.raises(OptionError, match="in 'es', not in 'fr'"):
        sound_steps.speak(files / "talk.es.srt", files / "said.wav", voices=SpeakOptions(to="fr"))
    with pytest.raises(OptionError, match="no translator"):
        sound_steps.translate(files / "talk.srt", files / "new.srt", "fr", TranslatorOptions())
    named = TranslatorOptions(translator="openai:http://localhost:1", source_language="es")
    with pytest.raises(OptionError, match="in 'es' already"):
        sound_steps.translate(files / "talk.srt", files / "new.srt", "es", named)
    assert sound_steps.speak(files / "talk.srt", files / "said.wav", voices=SpeakOptions(to="es")).language == "es"
