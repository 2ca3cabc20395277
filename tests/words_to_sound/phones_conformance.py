"""The test suite that every front end (text to phones) passes: subclass it and give its fixture and sentences."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.words_to_sound.phones.front_ends import FrontEnd
from lipdub.words_to_sound.phones.vocabulary import unknown_signs


class FrontEndConformance:
    """Subclasses provide the fixture ``end``, a ``sentence`` and a ``question`` in its language, and ``letters``."""

    sentence = ""
    question = ""
    letters = ""

    def test_keeps_the_protocol(self, end: FrontEnd):
        assert isinstance(end, FrontEnd)

    def test_gives_signs_that_the_voice_knows(self, end: FrontEnd):
        for text in (self.sentence, self.question):
            phones = end.phones(text)
            assert sum(c.isalpha() for c in phones) > 5
            assert unknown_signs(phones) == ""
            assert phones == phones.strip()
            assert "  " not in phones

    def test_a_question_ends_as_one_so_that_the_melody_rises(self, end: FrontEnd):
        assert end.phones(self.question).endswith("?")
        assert not end.phones(self.sentence).endswith("?")

    def test_the_same_text_gives_the_same_phones(self, end: FrontEnd):
        first = end.phones(self.sentence)
        end.phones(self.question)
        assert end.phones(self.sentence) == first

    def test_composed_and_decomposed_letters_are_read_alike(self, end: FrontEnd):
        forms = [unicodedata.normalize(form, self.sentence) for form in ("NFC", "NFD")]
        assert end.phones(forms[0]) == end.phones(forms[1])

    @pytest.mark.parametrize("text", ["", " ", "…", "😀", "\u200b"])
    def test_nothing_to_say_gives_no_sound(self, end: FrontEnd, text: str):
        assert not any(c.isalpha() for c in end.phones(text))

    def test_any_letters_can_be_read(self, end: FrontEnd):
        @given(st.text(self.letters + " ,.?!'-", max_size=30))
        def check(text: str) -> None:
            assert unknown_signs(end.phones(text)) == ""

        check()
