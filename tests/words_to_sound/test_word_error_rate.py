import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.words_to_sound.recognise.word_error_rate import edit_distance, tokens, word_error_rate


@pytest.mark.parametrize(
    ("script", "hypothesis", "language", "rate"),
    [
        ("Good morning, my name is Anna.", "good morning my name is anna", "en", 0.0),
        ("Good morning", "good evening all", "en", 1.0),
        ("one two three four", "one three four", "en", 0.25),
        ("Don’t go!", "don't go", "en", 0.0),
        ("Straße", "STRASSE", "de", 0.0),
        ("e\u0301te\u0301", "\u00e9t\u00e9", "fr", 0.0),
        ("前回の、内容。", "前回 の内用", "ja", 0.2),
        ("...", "", "en", 0.0),
        ("", "uh", "en", 1.0),
        ("In 1984", "in nineteen eighty four", "en", 1.5),
    ],
)
def test_rates(script, hypothesis, language, rate):
    assert word_error_rate(script, hypothesis, language) == pytest.approx(rate)


def test_marks_of_a_script_belong_to_its_words():
    assert tokens("हिन्दी भाषा", "hi") == ["हिन्दी", "भाषा"]


def slow(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@given(st.text("abc", max_size=40), st.text("abcd", max_size=40))
def test_the_edit_distance_is_that_of_levenshtein(a, b):
    assert edit_distance(a, b) == slow(a, b)
    assert edit_distance(b, a) == edit_distance(a, b)
