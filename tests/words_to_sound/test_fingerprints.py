"""Fingerprints of recognisers, translators and voices, which are part of the keys of cached results."""

import os
import sys
from pathlib import Path

import pytest

from lipdub.plugins import Fingerprinted, fingerprint_of, package_version
from lipdub.studio.store import key
from lipdub.words_to_sound.fake import FakeTranslator, FakeVoice
from lipdub.words_to_sound.seam import (
    RECOGNISERS,
    TRANSLATORS,
    VOICES,
    TranslationRequest,
    Translator,
    Voice,
)
from lipdub.words_to_sound.translate.translate import _AnswerCache
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.speak import spoken_line_key
from words_to_sound.conformance import line


@pytest.mark.parametrize(
    ("kind", "given", "other"),
    [
        (VOICES, "nanotts", "nanotts:es-ES,pitch=0.8"),
        (VOICES, "server:http://localhost:1#a,b", "server:http://localhost:1#a,c"),
        (VOICES, "command:say {out}", "command:say -v {out}"),
        (TRANSLATORS, "openai:http://localhost:1#a", "openai:http://localhost:1#b"),
    ],
    ids=str,
)
def test_fingerprints_change_with_the_details(kind, given, other):
    wanted = Voice if kind is VOICES else Translator
    one, same, third = (kind.create_named(text, wanted) for text in (given, given, other))
    assert isinstance(one, Fingerprinted)
    assert key(fingerprint_of(one)) == key(fingerprint_of(same)) != key(fingerprint_of(third))


def test_a_replaced_program_changes_the_fingerprint(tmp_path: Path):
    script = tmp_path / "speak.py"
    script.write_text("print(1)")
    command = f"command:{sys.executable} {script} {{out}}"
    before = VOICES.create_named(command, Voice)
    first = spoken_line_key(line("Hello"), AssignedVoice(before, command))
    assert spoken_line_key(line("Hello"), AssignedVoice(VOICES.create_named(command, Voice), command)) == first
    script.write_text("print(2)")
    os.utime(script, (5, 5))
    assert spoken_line_key(line("Hello"), AssignedVoice(VOICES.create_named(command, Voice), command)) != first


def test_a_replaced_model_changes_the_fingerprint(tmp_path: Path):
    package = tmp_path / "translate-en_es"
    (package / "model").mkdir(parents=True)
    (package / "metadata.json").write_text('{"from_code": "en", "to_code": "es"}')
    (package / "sentencepiece.model").write_bytes(b"1")
    (package / "model" / "model.bin").write_bytes(b"1")
    translator = TRANSLATORS.create_named(f"argos:{tmp_path}", Translator)
    request = TranslationRequest(line("Hello"), 10)
    first = _AnswerCache(translator, "es", None)._key(request)
    assert _AnswerCache(translator, "es", None)._key(request) == first
    os.utime(package / "model" / "model.bin", (5, 5))
    assert _AnswerCache(translator, "es", None)._key(request) != first


def test_a_recogniser_depends_on_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("faster_whisper")
    from lipdub.weights import resolve
    from lipdub.words_to_sound.recognise import whisper

    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(whisper, "_model_folder", lambda model, options: Path(model))
    who = RECOGNISERS.factory("whisper")
    assert who is whisper.make
    one = whisper.WhisperRecogniser(str(tmp_path), resolve("voice-activity"))
    first = key(fingerprint_of(one))
    assert key(fingerprint_of(one)) == first
    os.utime(tmp_path / "model.bin", (5, 5))
    assert key(fingerprint_of(one)) != first


def test_without_a_fingerprint_the_version_of_the_package_counts():
    assert fingerprint_of(FakeVoice()) == (
        "lipdub.words_to_sound.fake.FakeVoice",
        f"lipdub {package_version('lipdub')}",
    )
    assert fingerprint_of(FakeVoice()) != fingerprint_of(FakeTranslator())
    assert package_version("no-such-package") == ""
