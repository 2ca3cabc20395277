"""Servers that imitate a person, as small fakes that refuse what the real ones refuse."""

import base64
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import OptionError, ServiceError
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.fake import FakeVoice
from lipdub.words_to_sound.http_service import RetryPolicy
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices import cloning_servers as clones
from lipdub.words_to_sound.voices.wav import read_wav, write_wav
from words_to_sound.conformance import VoiceConformance, line
from words_to_sound.servers import Answer, Refusal, server

QUICK = RetryPolicy(wait=0.01, timeout=2.0)


def sample(seconds=4.0, text="What she said.", language="en"):
    hum = 0.2 * np.sin(np.arange(int(seconds * 48000)) * 0.02)
    return VoiceReference(Sound(hum.astype(np.float32)[None], 48000), text, language)


def hummed(text, pace=1.0):
    sound = FakeVoice().speak(line(text), pace)
    return write_wav(sound.samples[0], sound.rate)


@contextmanager
def fake(answer):
    """A server that answers each request with ``answer(path, asked)``."""
    with server([Answer(lambda asked: answer(served.paths[-1], asked))]) as served:
        yield served


def vllm(path, asked):
    assert path == "/v1/audio/speech"
    if not asked["ref_audio"].startswith("data:audio/wav;base64,"):
        raise Refusal(400, {"error": {"message": "ref_audio must be a URL"}})
    if not asked.get("ref_text") and not asked.get("x_vector_only_mode"):
        raise Refusal(400, {"error": {"message": "Base task requires non-empty 'ref_text'"}})
    read_wav(base64.b64decode(asked["ref_audio"].partition(",")[2]), "reference")
    return hummed(asked["input"])


class Chatterbox:
    """Keeps references by name, as the real one does."""

    def __init__(self):
        self.files = {}

    def __call__(self, path, asked):
        if path == "/upload_reference":
            head, _, rest = asked["form"].partition(b"\r\n\r\n")
            assert b'name="files"; filename="lipdub-' in head
            self.files[head.split(b'filename="')[1].split(b'"')[0].decode()] = rest.rpartition(b"\r\n--")[0]
            return b'{"errors": []}'
        assert (path, asked["voice_mode"], asked["output_format"]) == ("/tts", "clone", "wav")
        if asked["reference_audio_filename"] not in self.files:
            raise Refusal(404, {"detail": "Reference audio file not found."})
        read_wav(self.files[asked["reference_audio_filename"]], "reference")
        return hummed(asked["text"])


def sovits(path, asked):
    assert path == "/tts"
    samples, rate = read_wav(Path(asked["ref_audio_path"]).read_bytes(), "reference")
    if not 3 <= len(samples) / rate <= 10:
        raise Refusal(400, {"message": "tts failed", "Exception": "outside of 3 to 10 s"})
    for language in (asked["text_lang"], asked["prompt_lang"]):
        if language not in ("auto", "en", "ja", "ko", "yue", "zh"):
            raise Refusal(400, {"message": f"{language} is not supported"})
    return hummed(asked["text"], asked["speed_factor"])


MAKE = {"vllm-omni": clones.vllm_omni, "chatterbox": clones.chatterbox, "gpt-sovits": clones.gpt_sovits}
KINDS = {"vllm-omni": lambda: vllm, "chatterbox": Chatterbox, "gpt-sovits": lambda: sovits}


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind(VoiceConformance):
    @pytest.fixture
    def voice(self, kind):
        class WithSample:
            """The voice, always with a reference: the suite gives none."""

            def __init__(self, made):
                self.card, self.speak = made.card, lambda line, pace=1.0: made.speak(line, pace, sample())

        with fake(KINDS[kind]()) as served:
            yield WithSample(MAKE[kind](served.url).with_retry(QUICK))

    @pytest.fixture(autouse=True)
    def paced_or_not(self, kind):
        type(self).paced = clones.PROTOCOLS[kind].paced


def asked_by(kind, reference, text="Hello you.", **changes):
    """The JSON that a voice of ``kind`` sends."""
    with fake(KINDS[kind]()) as served:
        made = MAKE[kind](served.url + changes.pop("model", "")).with_retry(QUICK)
        made.speak(replace(line(text), **changes), 1.25, reference)
    return served


def test_vllm_omni_is_sent_the_sample_and_its_words():
    (asked,) = asked_by("vllm-omni", sample(), model="/v1#Qwen/Qwen3-TTS").asked
    assert (asked["model"], asked["input"], asked["ref_text"]) == ("Qwen/Qwen3-TTS", "Hello you.", "What she said.")
    assert "speed" not in asked
    (asked,) = asked_by("vllm-omni", sample(text="")).asked
    assert asked["x_vector_only_mode"]
    assert not {"ref_text", "model"} & asked.keys()


def test_chatterbox_is_sent_a_sample_once():
    known = Chatterbox()
    with fake(known) as served:
        made = MAKE["chatterbox"](served.url).with_retry(QUICK)
        for text in ("One.", "Two."):
            made.speak(replace(line(text), language="pt-BR"), 1.0, sample())
        made.speak(line("Three."), 1.0, sample(5))
    assert served.paths == ["/tts", "/upload_reference", "/tts", "/tts", "/tts", "/upload_reference", "/tts"]
    assert served.asked[0]["language"] == "pt"
    assert len(known.files) == 2


def test_gpt_sovits_gets_no_more_than_ten_seconds_and_words_of_its_languages():
    (asked,) = asked_by("gpt-sovits", sample(10.2)).asked
    assert (asked["prompt_text"], asked["prompt_lang"], asked["text_lang"]) == ("What she said.", "en", "en")
    assert asked["speed_factor"] == 1.25
    (asked,) = asked_by("gpt-sovits", sample(3, "Was sie sagte.", "de"), language="zh-TW", text="你好").asked
    assert (asked["prompt_text"], asked["prompt_lang"], asked["text_lang"]) == ("", "auto", "zh")


def test_what_a_server_refuses_is_said_with_the_line():
    with fake(sovits) as served, pytest.raises(ServiceError, match=r"'Hello'.* 400: tts failed: outside of 3 to 10 s"):
        MAKE["gpt-sovits"](served.url).speak(line("Hello"), 1.0, sample(2))


def test_a_missing_server_address_or_sample_is_refused():
    for kind in KINDS:
        with pytest.raises(OptionError, match=f"{kind} server"):
            MAKE[kind]("somewhere")
        with pytest.raises(OptionError, match="no sound of the speaker"):
            MAKE[kind]("http://127.0.0.1:1").speak(line("Hello"))


def test_gpt_sovits_elsewhere_or_in_another_language_is_refused():
    with pytest.raises(OptionError, match="must be here"):
        clones.gpt_sovits("http://192.0.2.1:9880").check_ready()
    with pytest.raises(OptionError, match="does not speak 'es'"):
        MAKE["gpt-sovits"]("http://127.0.0.1:1").speak(replace(line("Hola"), language="es"), 1.0, sample())


def test_keys_and_passwords_are_not_shown(monkeypatch):
    monkeypatch.setenv("LIPDUB_VOICE_KEY", "verysecret")
    made = MAKE["chatterbox"]("http://me:password@192.0.2.1:8004")
    assert "verysecret" not in repr(made)
    assert "password" not in repr(made)
    assert not made.card.local
