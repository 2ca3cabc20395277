from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError, ServiceError
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeTranslator
from lipdub.words_to_sound.seam import ModelCard, TranslationRequest
from lipdub.words_to_sound.translate.glossary import missed_terms, read_glossary, relevant_terms
from lipdub.words_to_sound.translate.length_budget import (
    characters_per_second,
    duration_of,
    excess_ratio,
    length_budget,
    syllables,
)
from lipdub.words_to_sound.translate.translate import TranslateOptions, translate_lines, translate_request
from words_to_sound.conformance import TranslatorConformance, line


class TestFake(TranslatorConformance):
    @pytest.fixture
    def translator(self):
        return FakeTranslator()


@dataclass(frozen=True)
class FixedTranslator(FakeTranslator):
    """Answers each request with ``text``."""

    text: str = ""

    def translate(self, requests, language):
        return [self.text for _ in requests]


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("Good morning, my name is Anna", "en", 8),
        ("washed wanted little table houses makes people", "en", 12),
        ("Buenos días, me llamo Ana", "es", 9),
        ("guerra queso país leer río", "es", 10),
        ("Elle a trois frères et deux sœurs", "fr", 7),
        ("Guten Morgen ich heiße Anna", "de", 9),
        ("Buongiorno mi chiamo Anna", "it", 8),
        ("你好，世界", "zh", 4),
        ("안녕하세요", "ko", 5),
        ("Доброе утро", "ru", 4),
        ("hmm psst", "en", 2),
        ("...", "en", 0),
    ],
)
def test_syllables(text, language, count):
    assert abs(syllables(text, language) - count) <= 1 * (language in ("ru",))


def test_duration_is_that_of_the_voices():
    said = {
        "en": ("The results of the study were published last week.", 2.99),
        "es": ("Los resultados del estudio se publicaron la semana pasada.", 3.5),
        "fr": ("Les résultats de l'étude ont été publiés la semaine dernière.", 3.45),
        "de": ("Die Ergebnisse der Studie wurden letzte Woche veröffentlicht.", 4.0),
        "it": ("I risultati dello studio sono stati pubblicati la settimana scorsa.", 5.0),
    }
    for language, (text, seconds) in said.items():
        assert duration_of(text, language) == pytest.approx(seconds, rel=0.3)
    assert duration_of("", "en") == duration_of("...", "en") == 0


@given(st.text("abc deéñ,.!?字あ한д 19", max_size=60), st.sampled_from(["en", "es", "fr", "de", "it", "ja", "ru", ""]))
def test_more_text_is_never_shorter(text, language):
    assert 0 <= duration_of(text, language) <= duration_of(text + " banana", language)


def test_budgets_grow_with_time_and_pace():
    three, six = (length_budget(Span(Fraction(1), Fraction(1 + n)), "es") for n in (3, 6))
    assert 35 < three.characters < 60
    assert six.characters >= 2 * three.characters
    assert length_budget(Span(Fraction(1), Fraction(4)), "es", 1.2).characters > three.characters
    assert length_budget(Span(Fraction(1), Fraction(1)), "en").characters >= 4
    assert characters_per_second("zh-TW") < characters_per_second("pt") < 20
    assert excess_ratio("Hi.", Span(Fraction(0), Fraction(3)), "en") == 0
    assert excess_ratio("Hello there my friend " * 7, Span(Fraction(0), Fraction(3)), "en") > 1


def folder_cache(root):
    """A cache of folders in ``root``."""

    def cache(name, make):
        folder = root / name
        if not folder.is_dir():
            partial = root / f"{name}.partial"
            partial.mkdir(exist_ok=True)
            make(partial)
            partial.rename(folder)
        return folder

    return cache


class Counting(FakeTranslator):
    """Records the requests, and fails after ``most`` lines."""

    def __init__(self, most=99, **options):
        super().__init__(**options)
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "most", most)

    def translated(self, requests, language):
        for index, request in enumerate(requests):
            if len(self.asked) >= self.most:
                raise ServiceError("the server went away")
            self.asked.append(request)
            yield index, self.translate([request], language)[0]


LINES = [line(f"Number {i} says hello to Anna.", "en", "ann", 4 * i) for i in range(5)]


def test_lines_keep_their_time_and_speaker():
    out = list(translate_lines([*LINES, line("..."), line("")], FakeTranslator(), "es"))
    assert [a.original for a in out] == LINES
    assert [(a.line.span, a.line.speaker) for a in out] == [(n.span, n.speaker) for n in LINES]
    assert out[0].line.text == "[es] NUMBER 0 SAYS HELLO TO ANNA."
    assert {a.line.language for a in out} == {"es"}
    assert {(a.tries, a.over_by) for a in out} == {(0, 0.0)}


def test_the_same_language_passes():
    translator = Counting()
    out = list(translate_lines([line("Hola", "es-MX"), line("Hello", "en"), line("Buenas", "es")], translator, "es-ES"))
    assert [a.line.text for a in out] == ["Hola", "[es-ES] HELLO", "Buenas"]
    assert [r.line.text for r in translator.asked] == ["Hello"]
    assert out[0].line.language == "es-ES"


def test_a_shorter_text_is_requested_at_most_twice():
    translator = Counting(factor=4.0)
    (out,) = translate_lines([line("This is a sentence of three seconds or so, I think.")], translator, "es")
    assert out.tries == 2
    assert out.over_by > 0.1
    assert [bool(r.too_long) for r in translator.asked] == [False, True, True]
    lengths = [len(r.too_long) for r in translator.asked[1:]]
    assert lengths[0] > lengths[1] > len(out.line.text)
    (fits,) = translate_lines([line("This is a sentence of three seconds.")], Counting(factor=1.6), "es")
    assert (fits.tries, fits.over_by <= 0.1) == (1, True)


def test_a_text_that_does_not_get_shorter_is_not_requested_again():
    long = "palabra " * 30
    lines = [line("A word.")]
    (out,) = translate_lines(lines, FixedTranslator(text=long), "es")
    assert (out.tries, out.line.text) == (1, long)


def test_requests_hold_neighbours_budget_and_terms():
    translator = Counting()
    out = list(
        translate_lines(LINES, translator, "es", TranslateOptions(glossary={"anna": "Ana", "bob": "Bob"}, batch=2))
    )
    middle = translator.asked[2]
    assert middle.before == (LINES[0].text, LINES[1].text)
    assert middle.after == (LINES[3].text, LINES[4].text)
    assert middle.glossary == {"anna": "Ana"}
    assert middle.characters == length_budget(LINES[2].span, "es").characters
    assert {a.missed_terms for a in out} == {()}
    (bad,) = translate_lines([LINES[0]], FixedTranslator(text="Hola a Juana."), "es", TranslateOptions({"Anna": "Ana"}))
    assert bad.missed_terms == ("Anna",)


def test_what_was_answered_before_a_failure_is_not_asked_again(tmp_path):
    cache = folder_cache(tmp_path)
    with pytest.raises(ServiceError, match="went away"):
        list(translate_lines(LINES, Counting(most=3), "es", cache=cache))
    again = Counting()
    out = list(translate_lines(LINES, again, "es", cache=cache))
    assert [r.line for r in again.asked] == LINES[3:]
    assert len(out) == 5
    none = Counting(most=0)
    assert list(translate_lines(LINES, none, "es", cache=cache)) == out
    assert list(translate_lines(LINES, Counting(), "es")) == out
    other = Counting()
    list(translate_lines(LINES, other, "fr", cache=cache))
    assert len(other.asked) == 5


def test_a_single_answer_is_kept_too(tmp_path):
    cache, translator = folder_cache(tmp_path), Counting()
    request = TranslationRequest(LINES[0], 20, too_long="[es] NUMBER 0 SAYS HELLO TO ANNA.")
    first = translate_request(request, translator, "es", cache)
    assert translate_request(request, translator, "es", cache) == first
    assert len(translator.asked) == 1


def test_a_translator_that_answers_too_little_is_refused():
    class Short(FakeTranslator):
        def translate(self, requests, language):
            return ["one"]

    with pytest.raises(ServiceError, match="short answered 1 lines where 5"):
        list(translate_lines(LINES, Short(card=ModelCard("short", "MIT")), "es"))


DOG = {"dog": "perro"}


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        (
            "a.csv",
            "term,rendering\ndog,perro\nAnna\n# note\n\ncat , gato\n",
            {"dog": "perro", "Anna": "Anna", "cat": "gato"},
        ),
        ("a.tsv", "dog\tperro\nNew York\t\n", {"dog": "perro", "New York": "New York"}),
        ("a.csv", "\ufeffdog;perro\n", {"dog": "perro"}),
        ("a.csv", '"dog, big",perrazo\n', {"dog, big": "perrazo"}),
        ("a.json", '{"dog": "perro", "Anna": "", "Bob": null}', {"dog": "perro", "Anna": "Anna", "Bob": "Bob"}),
        ("a.csv", "", {}),
    ],
)
def test_glossaries(tmp_path, name, text, read):
    (tmp_path / name).write_text(text, "utf-8")
    assert read_glossary(tmp_path / name) == read


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"dog,perro\ndog,can\n", "renders 'dog' as 'perro' and 'can'"),
        ("a.csv", b"dog,perro,can\n", "row 1 .* more than"),
        ("a.json", b"[1]", "not an object of texts"),
        ("a.json", b"{", "not JSON"),
        ("a.csv", b"\xff\xfe", "not UTF-8"),
        ("none.csv", None, "cannot be read"),
    ],
)
def test_invalid_glossaries_are_refused(tmp_path, name, data, said):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=said) as failed:
        read_glossary(tmp_path / name)
    assert name in str(failed.value)


def test_terms_match_whole_words():
    glossary = {"dog": "perro", "AI": "IA", "Anna": "Anna", "犬": "dog"}
    assert relevant_terms(glossary, "The Dog said") == {"dog": "perro"}
    assert relevant_terms(glossary, "He dogged Susanna, aid") == {}
    assert relevant_terms(glossary, "犬がいる") == {"犬": "dog"}
    assert missed_terms(glossary, "the dog and Anna", "los perros y Ana") == ("Anna",)
