"""Keys and passwords are sent to their servers and never shown."""

import base64
from fractions import Fraction

import pytest

from lipdub.errors import LipdubError, OptionError
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span
from lipdub.words_to_sound.http_service import RetryPolicy, api_key, parse_address, post_json, redacted
from lipdub.words_to_sound.seam import TranslationRequest
from lipdub.words_to_sound.separate import SeparationProgram
from lipdub.words_to_sound.translate import openai
from lipdub.words_to_sound.voices import command
from lipdub.words_to_sound.voices import server as voice_server
from words_to_sound.servers import Answer, server

ONCE = RetryPolicy(tries=1, wait=0.0, timeout=5.0)
LINE = Line("Hello.", Span(Fraction(0), Fraction(2)), "en")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://user:pa@ss@host:80/v1#m", "http://***@host:80/v1#m"),
        ("HTTPS://token@host", "HTTPS://***@host"),
        ("see http://h/v1?key=abc&v=2#m, please", "see http://h/v1?key=***&v=***#m, please"),
        ("http://h/v1?abc", "http://h/v1?***"),
        ("'http://a:b@h' and http://c:d@i/x", "'http://***@h' and http://***@i/x"),
        ("http://localhost:11434/v1#llama3", "http://localhost:11434/v1#llama3"),
        ("who@example.org asked http://h/@cf/m", "who@example.org asked http://h/@cf/m"),
        ("no address at all?", "no address at all?"),
    ],
)
def test_addresses_are_shown_without_secrets(text, told):
    assert redacted(text) == told
    assert redacted(told) == told


def test_a_secret_is_hidden_in_whatever_form_it_comes_back():
    assert "se cr" not in redacted('said "se cr/et", se%20cr%2Fet and se+cr%2Fet', "se cr/et")
    assert redacted("a b c", "a") == "a b c", "what is too short to be a key is left alone"


def test_user_and_password_are_sent_and_a_key_is_preferred():
    with server([Answer(b"{}")]) as served:
        url = served.url.replace("http://", "http://user:p%40ss@")
        post_json(url, {}, retry=ONCE)
        post_json(url, {}, key="the-key", retry=ONCE)
    assert served.keys == ["Basic " + base64.b64encode(b"user:p@ss").decode(), "Bearer the-key"]


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("kind", ["translator", "voice"])
def test_errors_of_a_server_that_echoes_the_request_hold_no_secrets(monkeypatch, kind, status):
    secrets = ["key-of-mine", "hush-hush", "value-of-query", base64.b64encode(b"anna:hush-hush").decode()]
    monkeypatch.setenv("LIPDUB_TRANSLATE_KEY", secrets[0])
    monkeypatch.setenv("LIPDUB_VOICE_KEY", secrets[0])
    said = f'{{"error": {{"message": "refused {" ".join(secrets)} at http://anna:hush-hush@h/?k=value-of-query"}}}}'
    with server([Answer(said.encode(), status)]) as served:
        url = served.url.replace("http://", "http://anna:hush-hush@") + "/v1?k=value-of-query#model"
        who = (openai if kind == "translator" else voice_server).make(url).with_retry(ONCE)
        with pytest.raises(LipdubError) as failed:
            who.translate([TranslationRequest(LINE, 20)], "es") if kind == "translator" else who.speak(LINE)
        assert "k=value-of-query" in served.paths[0], "the server is asked for what was named"
    for secret in secrets:
        assert secret not in f"{failed.value} {failed.value.remedy} {who!r} {who.where!r}"


def test_a_server_that_is_not_there_or_no_address_shows_no_password():
    for url in ("http://anna:hush-hush@localhost:1/v1", "http://anna:hush-hush@localhost:1/ü?k=hush-hush"):
        with pytest.raises(LipdubError) as failed:
            post_json(url, {}, retry=ONCE)
        assert "hush" not in str(failed.value)
    for wrong in ("ftp://anna:hush-hush@h", "http://anna:hu/sh-hush@h", "http://anna:hush-hush@", "http://h:x?k=hush"):
        with pytest.raises(OptionError, match="no address") as refused:
            parse_address(wrong, "voice server")
        assert "sh-hush" not in str(refused.value)
        assert "k=hush" not in str(refused.value)


def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("LIPDUB_VOICE_KEY", "secret\r\nX-Header: 1")
    with pytest.raises(OptionError, match="LIPDUB_VOICE_KEY") as refused:
        api_key("LIPDUB_VOICE_KEY")
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("LIPDUB_VOICE_KEY", " spaces-around \n")
    assert api_key("LIPDUB_VOICE_KEY") == "spaces-around"


def test_commands_are_shown_without_passwords():
    for make in (command.make, SeparationProgram.parse):
        with pytest.raises(OptionError) as refused:
            make("curl http://anna:hush-hush@h/?k=hush-hush")
        assert "hush" not in str(refused.value)
    with pytest.raises(LipdubError) as failed:
        command.make("sh -c 'echo http://anna:hush-hush@h >&2; exit 3' {out}").speak(LINE)
    assert "hush" not in str(failed.value)
    assert "http://***@h" in str(failed.value)
