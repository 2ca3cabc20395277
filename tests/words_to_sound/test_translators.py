import json
import shlex
import shutil
import sys
import zipfile
from types import MappingProxyType, SimpleNamespace

import pytest

from lipdub.errors import OptionError, ServiceError, WeightsError
from lipdub.words_to_sound.http_service import RetryPolicy
from lipdub.words_to_sound.seam import TRANSLATORS, TranslationRequest
from lipdub.words_to_sound.translate import argos, command, openai
from words_to_sound.argos_package import package
from words_to_sound.conformance import TranslatorConformance, line
from words_to_sound.servers import Answer, server

QUICK = RetryPolicy(wait=0.01, timeout=0.5)


def said(text: str) -> bytes:
    """A chat server's answer."""
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def told(asked: dict) -> dict:
    """The content of the user's message."""
    return json.loads(asked["messages"][1]["content"])


def good(asked: dict) -> bytes:
    """The answer of a model that writes the language before each text."""
    read = told(asked)
    lines = [{"id": n["id"], "text": f"{read['to']}: {n['text']}"} for n in read["lines"]]
    return said("Sure!\n```json\n" + json.dumps({"lines": lines}) + "\n```")


def chat(url: str) -> openai.ChatTranslator:
    return openai.make(url).with_retry(QUICK)


def asking(*texts: str, **more) -> list[TranslationRequest]:
    return [TranslationRequest(line(text, start=3 * i), 40, **more) for i, text in enumerate(texts)]


class TestChat(TranslatorConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def translator(cls):
        with server([Answer(good)]) as served:
            yield chat(served.url + "/v1#small")


def test_the_request_holds_lines_limits_neighbours_and_glossary(monkeypatch):
    monkeypatch.setenv("LIPDUB_TRANSLATE_KEY", "secret")
    with server([Answer(good)]) as served:
        translator = chat(served.url + "#small")
        one = TranslationRequest(
            line("Hi Anna", "en", "bob"), 12, ("before it",), ("Bye",), MappingProxyType({"Anna": "Ana"}), "hola"
        )
        assert translator.translate([one, *asking("Bye")], "es") == ["es: Hi Anna", "es: Bye"]
    (asked,) = served.asked
    assert asked["model"] == "small"
    assert asked["temperature"] == 0
    assert served.keys == ["Bearer secret"]
    assert "es" in asked["messages"][0]["content"]
    assert told(asked) == {
        "to": "es",
        "from": "en",
        "glossary": {"Anna": "Ana"},
        "lines": [
            {"id": 1, "text": "Hi Anna", "limit": 12, "before": ["before it"], "speaker": "bob", "too_long": "hola"},
            {"id": 2, "text": "Bye", "limit": 40},
        ],
    }
    assert "secret" not in repr(translator)
    assert translator.card.local
    assert not openai.make("https://models.example/v1#x").card.local


@pytest.mark.parametrize(
    "nonsense",
    [
        "I cannot do that.",
        '{"lines": []}',
        '{"lines": [{"id": 1, "text": "uno"}]}',
        '{"lines": [{"id": 1, "text": "uno"}, {"id": 1, "text": "dos"}]}',
        '{"lines": [{"id": 1, "text": "uno"}, {"id": 2, "text": ""}]}',
        '{"lines": [{"id": 1, "text": "uno"}, {"id": 2, "text": 5}]}',
        '{"lines": [{"id": 1, "text": "uno"}, {"id": 2, "text": "%s"}]}' % ("x" * 900),
        '{"lines": "uno dos"}',
        "[1, 2]",
        '{"lines": [{"id": 1, "text": "uno"}, {"id": 2, "te',
    ],
)
def test_an_unusable_answer_is_requested_again(nonsense):
    with server([Answer(said(nonsense)), Answer(good)]) as served:
        assert chat(served.url).translate(asking("One", "Two"), "es") == ["es: One", "es: Two"]
    assert [a["temperature"] for a in served.asked] == [0, 0.4]


def test_after_unusable_answers_lines_are_requested_one_by_one():
    with server([*[Answer(said("no"))] * 3, Answer(good)]) as served:
        assert chat(served.url).translate(asking("One", "Two"), "es") == ["es: One", "es: Two"]
    assert [len(told(a)["lines"]) for a in served.asked] == [2, 2, 2, 1, 1]


def test_answers_before_an_unusable_one_are_not_lost():
    with server([*[Answer(said("no"))] * 3, Answer(good), Answer(said("no"))]) as served:
        flow = chat(served.url).translated(asking("One", "Two"), "es")
        assert next(flow) == (0, "es: One")
        with pytest.raises(ServiceError, match=r"no translation of 'Two', 3 times \(no JSON in it\) at 3\.000 s"):
            next(flow)


def test_many_lines_are_asked_for_in_batches():
    texts = [f"Line {i}" for i in range(30)]
    with server([Answer(good)]) as served:
        assert chat(served.url).translate(asking(*texts), "es") == [f"es: {t}" for t in texts]
    assert [len(told(a)["lines"]) for a in served.asked] == [12, 12, 6]


def test_options_that_a_server_refuses_are_left_out():
    with server([Answer(b'{"error": "temperature"}', 400), Answer(good)]) as served:
        assert chat(served.url).translate(asking("One"), "es") == ["es: One"]
    assert "temperature" not in served.asked[1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=500), "answers 500"),
        (Answer(status=401), "Check the key"),
        (Answer(b"<html>"), "does not answer as a chat server"),
        (Answer(b'{"choices": []}'), "does not answer as a chat server"),
        (Answer(good, delay=0.8), "did not answer within"),
    ],
)
def test_a_server_that_fails_is_named(answer, words):
    with server([answer]) as served, pytest.raises(ServiceError, match=words) as failed:
        openai.make(served.url).with_retry(RetryPolicy(2, 0.01, 0.2)).translate(asking("One"), "es")
    assert served.url in str(failed.value)


def test_translators_are_found_by_name(monkeypatch):
    assert {"openai", "argos"} <= set(TRANSLATORS.names())
    assert TRANSLATORS.factory("openai") is openai.make
    with pytest.raises(OptionError, match="no address of a translation server"):
        openai.make("gpt")
    monkeypatch.delenv("LIPDUB_TRANSLATE_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert openai.make("http://models.example").key == ""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("argos")
    for seed, (source, target) in enumerate((("en", "es"), ("en", "fr"), ("de", "en"))):
        package(folder, source, target, seed)
    return folder


class TestArgos(TranslatorConformance):
    @pytest.fixture
    def translator(self, home):
        return argos.make(str(home))

    def test_knows_its_packages(self, translator):
        assert translator.card.languages == ("en", "es", "fr")
        assert translator.card.local

    def test_goes_through_english(self, translator):
        (text,) = translator.translate([TranslationRequest(line("guten morgen", "de-AT"), 40)], "fr-CA")
        assert text

    def test_a_pair_without_packages_is_named(self, translator):
        with pytest.raises(WeightsError, match=r"from 'en' to 'ja' \(installed: de to en, en to es, en to fr\)"):
            translator.translate(self.requests(), "ja")
        with pytest.raises(OptionError, match="has no language"):
            translator.translate([TranslationRequest(line("hi", ""), 9)], "es")

    def test_a_text_that_was_too_long_gets_the_shortest_translation(self, translator, monkeypatch):
        class Model:
            def translate_batch(self, _, num_hypotheses, **options):
                ways = [["muchas", "palabras", "largas"], ["pocas", "palabras"], ["otras", "pocas", "palabras"]]
                return [SimpleNamespace(hypotheses=ways[:num_hypotheses])]

        pieces = SimpleNamespace(encode=lambda text, out_type: text.split(), decode_pieces=" ".join)
        monkeypatch.setattr(argos, "_loaded", lambda folder: (Model(), pieces))
        usual, shorter = (TranslationRequest(line("many words", "en"), 9, too_long=before) for before in ("", "x"))
        assert translator.translate([usual, shorter], "es") == ["muchas palabras largas", "pocas palabras"]


def test_argos_gets_one_sentence_at_a_time(home, monkeypatch):
    asked = []

    class Model:
        def translate_batch(self, batch, **options):
            asked.extend(" ".join(tokens) for tokens in batch)
            return [SimpleNamespace(hypotheses=[["Hola."]])]

    pieces = SimpleNamespace(encode=lambda text, out_type: text.split(), decode_pieces=" ".join)
    monkeypatch.setattr(argos, "_loaded", lambda folder: (Model(), pieces))
    text = "Good morning, Mr. Smith. How are you? See you at 3.30!"
    assert argos.make(str(home)).translate([TranslationRequest(line(text, "en"), 90)], "es") == ["Hola. Hola. Hola."]
    assert asked == ["Good morning, Mr. Smith.", "How are you?", "See you at 3.30!"]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("pt", "pt"), ("pt-BR", "pb"), ("pt-PT", "pt"), ("zh-TW", "zt"), ("zh-Hant", "zt"), ("zh", "zh")],
)
def test_codes_of_argos_are_understood(tmp_path, wanted, code):
    for name in ("zt", "pt", "zh", "pb"):
        folder = tmp_path / f"translate-en_{name}"
        (folder / "model").mkdir(parents=True)
        (folder / "sentencepiece.model").touch()
        (folder / "metadata.json").write_text(json.dumps({"from_code": "en", "to_code": name}))
    (used,) = argos.make(str(tmp_path))._route("en", wanted)
    assert used.folder.name == f"translate-en_{code}"
    if wanted == "pt-BR":
        shutil.rmtree(tmp_path / "translate-en_pb")
        assert argos.make(str(tmp_path))._route("en", wanted)[0].folder.name == "translate-en_pt"


def translating(code: str, *words: str) -> str:
    return " ".join([shlex.quote(sys.executable), "-c", shlex.quote(code), *words])


UPPER = "import sys; print(sys.stdin.read().upper())"


class TestCommand(TranslatorConformance):
    @pytest.fixture
    def translator(self):
        return command.make(translating(UPPER))


def test_a_program_gets_languages_and_text_without_a_shell():
    plain = TranslationRequest(line("$(rm) {source}\nГо", "en-GB"), 9)
    told = command.make(translating("import sys; print(sys.argv[1:], sys.stdin.read())", "{source}-{target}", "{text}"))
    assert told.translate([plain], "pt-BR") == ["['en-pt', '$(rm) {source} Го']"]
    assert command.make(translating(UPPER)).translate([plain], "pt-BR") == ["$(RM) {SOURCE} ГО"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('Error: no such pair\\n  list of pairs')", r"exit 1.: Error: no such pair at 4\.000 s"),
        ("pass", r"did not translate 'Hello' .exit 0. at 4\.000 s"),
    ],
)
def test_a_program_that_does_not_translate_is_named(code, said):
    with pytest.raises(ServiceError, match=said):
        command.make(translating(code)).translate([TranslationRequest(line("Hello", "en", start=4), 9)], "es")


@pytest.mark.parametrize("wrong", ["", "'", "no-such-program-here", "cat {words}"])
def test_a_translation_command_that_cannot_work_is_refused(wrong):
    with pytest.raises(OptionError):
        command.make(wrong)


def test_packages_are_unpacked_and_damaged_ones_named(home, tmp_path, monkeypatch):
    monkeypatch.setenv("LIPDUB_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("ARGOS_PACKAGES_DIR", raising=False)
    (tmp_path / "argos").mkdir()
    whole = home / "translate-en_es-1_0"
    shutil.make_archive(str(tmp_path / "argos" / "en_es"), "zip", home, whole.name)
    (tmp_path / "argos" / "en_es.zip").rename(tmp_path / "argos" / "en_es.argosmodel")
    assert argos.make("").card.languages == ("es",)
    assert argos.make("").translate(asking("good morning"), "es") == argos.make(str(home)).translate(
        asking("good morning"), "es"
    )
    (tmp_path / "argos" / "broken.argosmodel").write_bytes(b"PK")
    with pytest.raises(WeightsError, match="cannot be unpacked"):
        argos.make("").translate(asking("good morning"), "es")
    with zipfile.ZipFile(tmp_path / "argos" / "broken.argosmodel", "w") as file:
        file.writestr("../evil", "x")
    with pytest.raises(WeightsError, match="damaged"):
        argos.make("").translate(asking("good morning"), "es")
    with pytest.raises(OptionError, match="no such folder"):
        argos.make(str(tmp_path / "nowhere"))


def test_a_model_that_cannot_be_loaded_is_named(home, tmp_path):
    broken = tmp_path / "translate-en_es-1_0"
    shutil.copytree(home / broken.name, broken)
    (broken / "model" / "model.bin").write_bytes(b"oops")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        argos.make(str(tmp_path)).translate([TranslationRequest(line("good", "en"), 9)], "es")
