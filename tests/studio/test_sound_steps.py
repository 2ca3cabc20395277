"""Each step by itself: what it reads is never what it writes."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import OptionError, OutputError
from lipdub.media.probe import probe
from lipdub.media.sound_read import read_sound
from lipdub.studio import session, sound_steps
from lipdub.studio.options import SpeakOptions, TranslatorOptions
from lipdub.studio.plan.spoken_notice import PAUSE, USUAL_NOTICES
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


def samples(path: Path) -> np.ndarray:
    return read_sound(path, rate=48_000, mono=True).samples[0]


def test_a_notice_is_said_first_and_the_speech_stays_as_it_is(files, monkeypatch):
    monkeypatch.setattr(session, "default_root", lambda: files / "cache")
    plain = sound_steps.speak(files / "talk.es.srt", files / "plain.wav")
    noticed = sound_steps.speak(files / "talk.es.srt", files / "noticed.wav", voices=SpeakOptions(notice=True))
    assert [line.text for line in noticed.lines] == [USUAL_NOTICES["es"], "Hola a todos."]
    assert any(note.startswith("a notice is spoken first") for note in noticed.notes)
    later = noticed.lines[1].span.start - plain.lines[0].span.start
    assert later >= PAUSE + noticed.lines[0].span.end - noticed.lines[0].span.start
    assert noticed.lines[0].span.end <= noticed.lines[1].span.start
    before, after = samples(files / "plain.wav"), samples(files / "noticed.wav")[round(later * 48000) :]
    assert np.abs(before).max() > 0.05
    assert np.array_equal(before[:96000], after[:96000])
    own = SpeakOptions(notice="Esto lo dice un ordenador.")
    assert sound_steps.speak(files / "talk.es.srt", files / "own.wav", voices=own).lines[0].text == own.notice


@pytest.mark.parametrize(
    ("script", "notice", "clip", "told"),
    [
        ("talk.es.srt", True, "clip.wav", "away from the picture"),
        ("talk.es.srt", " ... ", None, "nothing to say"),
        ("talk.fi.srt", True, None, "no sentence for a notice is known in 'fi'"),
    ],
)
def test_a_notice_that_cannot_be_said_is_refused(files, script, notice, clip, told):
    (files / "talk.fi.srt").write_text(SCRIPT)
    before = kept(files)
    with pytest.raises(OptionError, match=told):
        sound_steps.speak(
            files / script, files / "new.wav", None if clip is None else files / clip, SpeakOptions(notice=notice)
        )
    assert kept(files) == before


def test_speech_alone_can_be_signed(files, monkeypatch):
    pytest.importorskip("c2pa", reason="content credentials need the extra credentials (c2pa-python)")
    from lipdub.credentials.read import read_credentials

    monkeypatch.setattr(session, "default_root", lambda: files / "cache")
    monkeypatch.setenv("LIPDUB_CONFIG", str(files / "settings"))
    told = sound_steps.speak(files / "talk.es.srt", files / "said.wav", voices=SpeakOptions(credentials=True))
    assert any("key of this machine" in note for note in told.notes)
    found = read_credentials(files / "said.wav")
    assert found is not None
    assert [(one.name, one.source_type) for one in found.credentials[0].actions] == [
        ("created", "trainedAlgorithmicMedia")
    ]
    with pytest.raises(OptionError, match="without --credentials"):
        sound_steps.speak(files / "talk.es.srt", files / "new.wav", voices=SpeakOptions(sign_key=files / "talk.es.srt"))
