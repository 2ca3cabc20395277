"""Digits and abbreviations as words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.words_to_sound.phones.number_words import WORDS
from lipdub.words_to_sound.phones.written_numbers import written_out


@pytest.mark.parametrize(
    ("tag", "text", "said"),
    [
        ("en-US", "On 3/14/2024", "On March fourteenth, twenty twenty-four"),
        ("en-GB", "On 3/4/2024", "On April third, twenty twenty-four"),
        ("en-US", "at 10:30 or 9:00", "at ten thirty or nine o'clock"),
        (
            "en-US",
            "$5.99 for 1,234 km",
            "five dollars and ninety-nine cents for one thousand two hundred thirty-four kilometers",
        ),
        ("en-US", "in 1999, 2005 and 1900", "in nineteen ninety-nine, two thousand five and nineteen hundred"),
        ("en-US", "the 21st, -3 °C, 12.5%", "the twenty-first, minus three degrees Celsius, twelve point five percent"),
        ("en-US", "call 0045", "call zero zero four five"),
        ("en-US", "Dr. Who & Mr. X", "Doctor Who and Mister X"),
        ("en-US", "the FBI and Henry VIII", "the eff bee eye and Henry eight"),
        ("es-ES", "5,99 € a las 10:30", "cinco euros con noventa y nueve céntimos a las diez y treinta"),
        ("es-ES", "el 1.º y la 2ª de 1.234", "el primero y la segunda de mil doscientos treinta y cuatro"),
        ("es-ES", "siglo XIX, la UE", "siglo diecinueve, la u e"),
        ("fr-FR", "le 1er mai à 10h30", "le premier mai à dix heures trente"),
        ("fr-FR", "71 et 12,5 %", "soixante-et-onze et douze virgule cinq pour cent"),
        ("it-IT", "il 03/04/2024", "il tre aprile duemilaventiquattro"),
        ("pt-BR", "às 2:30, R$ 1", "às duas e trinta, um real"),
        ("hi-IN", "10:30 बजे", "दस बजकर तीस मिनट"),
        ("zh-CN", "2024年,12%", "二零二四年,百分之十二"),
        ("ja-JP", "500円と10%", "五百円と十パーセント"),
        ("de-DE", "12 Uhr", "12 Uhr"),
    ],
)
def test_known_texts(tag, text, said):
    assert written_out(text, tag) == said


@given(
    st.sampled_from(sorted(WORDS)),
    st.integers(0, 10**18),
    st.sampled_from(["", " €", "%", ".5", ",25", ":30", "/3/2024", "kg", "th"]),
)
def test_no_digit_is_left(language, number, after):
    said = written_out(f"a {number}{after} b", language)
    assert not any(c.isdigit() for c in said)
    assert said.startswith("a")
    assert said.endswith("b")


@given(st.sampled_from(sorted(WORDS)), st.text("abc XIV.,:/-0123456789%$€º", max_size=25))
def test_any_text_can_be_written_out(language, text):
    assert not any(c.isdigit() for c in written_out(text, language))
