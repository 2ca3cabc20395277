import struct
import sys

import numpy as np
import pytest

from lipdub.errors import OptionError, ServiceError
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound import http_service
from lipdub.words_to_sound.fake import FakeVoice
from lipdub.words_to_sound.http_service import RetryPolicy, parse_address, post_json
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices import command
from lipdub.words_to_sound.voices import server as servers
from lipdub.words_to_sound.voices.assign import assign_voices
from lipdub.words_to_sound.voices.wav import read_wav, write_wav
from words_to_sound.conformance import VoiceConformance, line
from words_to_sound.servers import Answer, Refusal, server

QUICK = RetryPolicy(wait=0.01, timeout=0.3)


def hummed(asked: dict) -> bytes:
    """The answer of a server that works."""
    sound = FakeVoice().speak(line(asked["input"]), asked.get("speed", 1.0))
    return write_wav(sound.samples[0], sound.rate)


def speaking(url: str, detail: str = "") -> servers.ServerVoice:
    return servers.make(url + detail).with_retry(QUICK)


class TestServer(VoiceConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def voice(cls):
        with server([Answer(hummed)]) as served:
            yield speaking(served.url)


class TestCommand(VoiceConformance):
    paced = True

    @pytest.fixture(scope="class")
    @classmethod
    def voice(cls, tmp_path_factory):
        return command.make(f"{sys.executable} {hummer(tmp_path_factory.mktemp('say'))} {{text}} {{pace}} {{out}}")


def hummer(folder):
    """A program that writes a hum whose length depends on the text."""
    program = folder / "hum.py"
    program.write_text(
        "import math, struct, sys, wave\n"
        "text, pace, out = sys.argv[1:4]\n"
        "count = int(len(text) / 15 * 8000 / float(pace))\n"
        "with wave.open(out, 'wb') as w:\n"
        "    w.setnchannels(1); w.setsampwidth(2); w.setframerate(8000)\n"
        "    w.writeframes(b''.join(struct.pack('<h', int(9000 * math.sin(i * 0.3))) for i in range(count)))\n"
    )
    return program


def test_a_server_is_asked_for_the_line(monkeypatch):
    monkeypatch.setenv("LIPDUB_VOICE_KEY", "secret")
    with server([Answer(hummed)]) as served:
        voice = speaking(served.url, "/v1#fast-model,nova")
        voice.speak(line("Hello – you!"), 1.25)
    assert served.paths == ["/v1/audio/speech"]
    wanted = {"model": "fast-model", "voice": "nova", "input": "Hello, you!", "response_format": "wav", "speed": 1.25}
    assert served.asked == [wanted]
    assert served.keys == ["Bearer secret"]
    assert voice.card.local
    assert "secret" not in repr(voice)
    assert not servers.make("https://voices.example/v1").card.local


def test_a_key_of_another_service_is_not_sent_without_encryption(monkeypatch):
    monkeypatch.delenv("LIPDUB_VOICE_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert servers.make("http://voices.example/v1").key == ""
    assert servers.make("https://voices.example/v1").key == "secret"


def test_a_busy_server_is_asked_again():
    waits = []
    with server([Answer(status=503), Answer(status=429, headers={"Retry-After": "7"}), Answer(hummed)]) as served:
        voice = servers.make(served.url).with_retry(RetryPolicy(wait=0.5, sleep=waits.append))
        assert voice.speak(line("Hello you")).span.duration > 0.3
    assert waits == [0.5, 7.0]


def test_a_server_that_takes_no_slow_pace_is_asked_without_it():
    def never_slower(asked):
        if asked.get("speed", 1.0) < 1:
            raise Refusal(422, {"detail": [{"loc": ["body", "speed"], "msg": "greater than or equal to 1"}]})
        return hummed(asked)

    with server([Answer(never_slower)]) as served:
        voice = speaking(served.url)
        natural, slow, fast = (voice.speak(line("Hello you"), pace).span.duration for pace in (1.0, 0.87, 1.25))
    assert natural == slow > fast
    assert [asked.get("speed") for asked in served.asked] == [None, 0.87, None, 1.25]


@pytest.mark.parametrize(
    ("answer", "said", "asked"),
    [
        (Answer(b"broken", status=500), "answers 500: broken", 3),
        (Answer(b'{"error": {"message": "no such model"}}', status=404), "answers 404: no such model", 1),
        (Answer(b'{"detail": "pull it first"}', status=400), r"400: pull it first at .* can be named: server:URL#", 1),
        (Answer(b'{"detail": [{"loc": ["body", "voice"], "msg": "Too long"}]}', status=422), "422: voice: Too long", 1),
        (Answer(b'{"message": "tts failed", "Exception": "no file"}', status=403), "403: tts failed: no file", 1),
        (Answer(status=401), "answers 401.*Check the key", 1),
        (Answer(b"ID3 and so on"), "answered with mp3 where a WAV", 1),
        (Answer(b""), "not sound", 1),
        (Answer(write_wav(np.zeros(8000, np.float32), 8000)), "silence", 1),
        (Answer(hummed, delay=0.6), r"did not answer within 0\.3 s, 3 times", 3),
        (Answer(b"RIFF", cut=True), "cannot be reached", 3),
    ],
)
def test_a_server_that_fails_is_named_with_the_line(answer, said, asked):
    with server([answer]) as served, pytest.raises(ServiceError, match=said) as failed:
        speaking(served.url).speak(line("Hello you", start=6))
    assert "'Hello you' was not spoken" in str(failed.value)
    assert "at 6.000 s" in str(failed.value)
    assert served.url in str(failed.value) or "voice answered" in str(failed.value)
    assert len(served.asked) == asked


def test_a_server_that_does_not_answer_is_named():
    with server([Answer()]) as served:
        url = served.url
    with pytest.raises(ServiceError, match="Is the server running"):
        speaking(url).speak(line("Hello"))


@pytest.mark.parametrize("wrong", ["", "localhost:80", "ftp://a/b", "http://", "http://a:x/"])
def test_invalid_addresses_are_refused(wrong):
    with pytest.raises(OptionError, match="no address of a voice server"):
        servers.make(wrong)


def test_addresses():
    for url in ("http://h/v1/audio/speech", "http://h/v1/", "http://h", "http://h/v1/audio"):
        assert parse_address(url, "").under("/v1/audio/speech") == "http://h/v1/audio/speech"
    assert parse_address("http://h/a/v1?x=1", "").under("/v1/chat") == "http://h/a/v1/chat?x=1"
    assert parse_address("http://h/api", "").under("/v1/chat") == "http://h/api/v1/chat"
    assert all(parse_address(url, "").local for url in ("http://localhost:1", "http://127.0.0.1", "http://[::1]:5"))
    assert not parse_address("http://localhost.example", "").local
    assert http_service._retry_after("nonsense", 2.0) == 2.0
    assert http_service._retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 2.0) == 0.0


def test_a_key_does_not_follow_to_another_server():
    with server([Answer(b"{}")]) as other:
        redirect = Answer(status=302, headers={"Location": other.url + "/x"})
        with server([redirect]) as served, pytest.raises(ServiceError, match="501"):
            post_json(served.url, {}, "secret", QUICK)
    assert other.keys == []


def wav(code, bits, raw, claimed=None, extensible=False):
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else code, 1, 8000, 8000 * bits // 8, bits // 8, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 4, code) + b"\0" * 14
    body = b"WAVE" + b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(form)) + form
    return b"RIFF\xff\xff\xff\xff" + body + b"data" + struct.pack("<I", len(raw) if claimed is None else claimed) + raw


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("claimed", [None, 0, 0xFFFFFFFF, 1 << 20])
def test_wav_files_of_all_kinds_are_read(extensible, claimed):
    values = np.array([0.0, 0.5, -0.5, 0.25])
    kinds = {
        (1, 8): (values * 128 + 128).astype("u1").tobytes(),
        (1, 16): (values * 2**15).astype("<i2").tobytes(),
        (1, 24): b"".join(int(v * 2**23).to_bytes(3, "little", signed=True) for v in values),
        (1, 32): (values * 2**31).astype("<i4").tobytes(),
        (3, 32): values.astype("<f4").tobytes(),
        (3, 64): values.astype("<f8").tobytes(),
    }
    for (code, bits), raw in kinds.items():
        samples, rate = read_wav(wav(code, bits, raw, claimed, extensible), "it")
        assert rate == 8000
        assert np.allclose(samples, values, atol=0.01)


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"RIFF0000WAVE", b"RIFF0000WAVEfmt ", wav(7, 8, b"a"), wav(1, 12, b"a")]
)
def test_data_that_is_not_wav_is_refused(data):
    with pytest.raises(ServiceError, match="it answered with"):
        read_wav(data, "it")


def test_a_program_gets_the_values_of_its_placeholders(tmp_path):
    program = tmp_path / "say.py"
    program.write_text(
        "import shutil, sys\nopen(sys.argv[3], 'w').write(sys.argv[2] + '|' + sys.stdin.read())\n"
        "shutil.copy(sys.argv[1], sys.argv[4])\n"
    )
    told = tmp_path / "told"
    voice = command.make(f"{sys.executable} {program} {{reference}} '{{language}} {{reference_text}}' {told} {{out}}")
    reference = VoiceReference(Sound(FakeVoice().speak(line("I sound so")).samples, 16000), "I {text} so")
    sound = voice.speak(line("$(rm -rf) {out}; `x`", "pt-BR"), 1.0, reference)
    assert told.read_text() == "pt-BR I {text} so|$(rm -rf) out; 'x'"
    assert voice.needs_reference
    assert voice.wants_reference_text
    assert sound.rate == 16000
    with pytest.raises(OptionError, match="no sound of the speaker"):
        voice.speak(line("Hello"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no such voice')", "failed for 'Hello' .exit 1.: no such voice"),
        ("pass", "wrote no sound"),
        ("import sys; open(sys.argv[1], 'w').write('oops')", "data that is not sound where a WAV file"),
    ],
)
def test_a_program_that_fails_is_named(code, said):
    with pytest.raises(ServiceError, match=said):
        command.make(f'{sys.executable} -c "{code}" {{out}}').speak(line("Hello"))


def test_a_program_that_takes_too_long_is_stopped():
    voice = command.CommandVoice((sys.executable, "-c", "import time; time.sleep(9)", "{out}"), timeout=0.2)
    with pytest.raises(ServiceError, match=r"did not finish within 0\.2 s"):
        voice.speak(line("Hello"))


@pytest.mark.parametrize("wrong", ["", "say {text}", "say '{out}", "say {out} {colour}"])
def test_a_command_that_cannot_work_is_refused(wrong):
    with pytest.raises(OptionError):
        command.make(wrong)


def test_a_program_that_is_not_installed_is_refused():
    with pytest.raises(OptionError, match="cannot be run"):
        command.make("no-such-program-here {out}").speak(line("Hello"))
    with pytest.raises(OptionError, match="'no-such-program-here' is not installed"):
        assign_voices(["ann"], "command:no-such-program-here {out}")
