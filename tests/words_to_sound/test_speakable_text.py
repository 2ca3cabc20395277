import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import OptionError
from lipdub.timeline.language import primary
from lipdub.words_to_sound.voices.speakable_text import (
    latin_text,
    non_latin_letters,
    require_speakable,
    speakable_text,
    split_text,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Wait... what?", "Wait, what?"),
        ("Well…", "Well."),
        ("- Hi -- you – me—him", "Hi, you, me, him"),
        ("♪ la la ♪", "la la"),
        ("<i>Now</i> {\\an8}then [laughs]", "Now then"),
        ("“It’s” «mine»", '"It\'s" "mine"'),
        ("Really?!", "Really?"),
        ("STOP it NOW! The BBC and the FBI", "stop it now! The BBC and the FBI"),
        ("EVERYTHING IS LOUD", "everything is loud"),
        ("well-known, -5 °C, 50% of $5", "well-known, -5 °C, 50% of $5"),
        ("so 😀 good", "so good"),
        ("two\nlines", "two lines"),
        ("日本語。", "日本語。"),
    ],
)
def test_what_is_not_speech_is_removed(text, said):
    assert speakable_text(text, "en") == said


@pytest.mark.parametrize("text", ["", " ", "...", "—", "😀", "♪♪", "<b></b>", "[door]", "?!", "_"])
def test_nothing_to_say_is_refused(text):
    assert speakable_text(text, "en") == ""
    with pytest.raises(OptionError, match="nothing to say"):
        require_speakable(text, "en")


def test_abbreviations_that_were_read_wrong():
    assert speakable_text("El Dr. García", "es-MX") == "El doctor García"
    assert speakable_text("Il sig. Rossi e la Sig.ra Bianchi, 1° maggio, 1 °C", "it") == (
        "Il signor Rossi e la signora Bianchi, primo maggio, 1 °C"
    )


def test_letters_a_voice_cannot_read():
    assert latin_text("Señor Ñandú, crème", "en") == "Senor Nandu, creme"
    assert latin_text("Señor Ñandú, crème", "es") == "Señor Ñandú, creme"
    assert latin_text("Straße nach Łódź 日本", "de") == "Straße nach Lodz"
    assert non_latin_letters("hello 日本 Привет 3ª") == "日本Привет"
    assert primary("pt_BR") == primary("PT-br") == "pt"


@given(st.text(max_size=80), st.sampled_from(["en", "es", "fr", "de", "it", ""]))
def test_speakable_text_is_stable_and_never_an_option(text, language):
    said = speakable_text(text, language)
    assert not said.startswith("-")
    assert "\n" not in said
    assert not set(said) & set("<>")
    assert said == "" or any(c.isalnum() for c in said)


@given(st.lists(st.text("ab.,! ", min_size=1, max_size=12), max_size=20), st.integers(5, 60))
def test_pieces_hold_every_word_and_are_short(parts, most):
    text = " ".join(parts)
    pieces = split_text(text, most)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= most + 1 for piece in pieces)


def test_pieces_end_with_sentences_where_they_can():
    assert split_text("One is here. Two is there, three not", 20) == ("One is here.", "Two is there,", "three not")
