from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.lines import Word
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.orthography import ends_sentence, join_words, sentences, width
from lipdub.words_to_sound.script.sentences import LineOptions, lines_from_words


def said(text, pauses=None, pace=Fraction(3, 10)):
    """Words at an even pace, with ``pauses`` (seconds) after some of them."""
    at, out = Fraction(1), []
    for k, text_of_word in enumerate(text if isinstance(text, list) else text.split()):
        out.append(Word(text_of_word, Span(at, at + pace)))
        at += pace + Fraction((pauses or {}).get(k, 0))
    return out


def texts(text, language="en", pauses=None, **options):
    return [line.text for line in lines_from_words(said(text, pauses), language, LineOptions(**options))]


def test_lines_end_where_sentences_do():
    assert texts("We went home early. It was raining hard again! Was it really so bad?") == [
        "We went home early.",
        "It was raining hard again!",
        "Was it really so bad?",
    ]


def test_titles_numbers_and_initials_do_not_end_a_sentence():
    assert len(texts("I told Dr. Smith that 3.5 percent of the U.S. market is J. Miller's.")) == 1
    assert len(texts("Am 3. Oktober fuhren wir nach Berlin.", "de")) == 1
    assert len(texts("We only have 3. October was bad for all of us.")) == 2
    assert texts("Well... maybe we should go there now.") == ["Well... maybe we should go there now."]
    assert ends_sentence("U.S.", "He", "en", pause=True)
    assert ends_sentence("vrai.»", "Oui", "fr")
    assert not ends_sentence("z.B.", "ein", "de")


def test_long_sentences_are_divided_at_clauses_near_the_middle():
    lines = texts(
        "When the ship had finally left the harbour in the morning,"
        " nobody on board knew where the journey would end for them"
    )
    assert lines == [
        "When the ship had finally left the harbour in the morning,",
        "nobody on board knew where the journey would end for them",
    ]


def test_a_pause_divides_where_there_are_no_marks():
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    first, second = texts(words, pauses={7: "0.6"})
    assert first.endswith("eight")
    assert second.startswith("nine")


def test_a_long_pause_always_divides_and_short_lines_join_a_neighbour():
    assert texts("You should have told me", pauses={2: 2}) == ["You should have", "told me"]
    assert texts("Yes. I do know that man from Paris.") == ["Yes. I do know that man from Paris."]
    assert texts("Yes. I do know that man from Paris.", pauses={0: 1}) == ["Yes.", "I do know that man from Paris."]


def test_japanese_is_joined_without_spaces_and_counted_wide():
    words = list(
        "前回の内容ではまだ表面までしか触れていませんでした。奥に進むにつれ誰も知らない事実が明らかになるでしょう。"
    )
    lines = lines_from_words(said(words, pace=Fraction(1, 6)), "ja-JP")
    assert "".join(line.text for line in lines) == "".join(words)
    assert lines[0].text.endswith("でした。")
    assert all(" " not in line.text and width(line.text, "ja") <= 32 for line in lines)
    assert join_words(["これは", "iPhone", "15", "です"], "ja") == "これはiPhone 15です"


WORDS = st.lists(
    st.tuples(
        st.sampled_from(
            ["a", "word", "Dr.", "end.", "so,", "U.S.", "3.5", "incomprehensibilities", "why?", "…", "x" * 90]
        ),
        st.integers(0, 800),
        st.sampled_from([0, 0, 0, 100, 400, 3000]),
    ),
    max_size=60,
)


@given(WORDS, st.sampled_from(["en", "ja", "th", ""]))
def test_every_word_is_in_one_line_in_order_and_lines_keep_their_limits(drawn, language):
    at, words = Fraction(0), []
    for text, lasts, pause in drawn:
        words.append(Word(text, Span(at, at + Fraction(lasts, 1000))))
        at = words[-1].span.end + Fraction(pause, 1000)
    lines = lines_from_words(words, language, speaker="Anna")
    assert [w for line in lines for w in line.words] == words
    for line in lines:
        assert line.span == Span(line.words[0].span.start, line.words[-1].span.end)
        assert line.text == join_words([w.text for w in line.words], language)
        assert (line.language, line.speaker) == (language, "Anna")
        limit = 32 if language == "ja" else 84
        assert len(line.words) == 1 or (line.span.duration <= 7 and width(line.text, language) <= limit)


@pytest.mark.parametrize(
    ("text", "language", "pieces"),
    [
        ("", "en", ()),
        ("One", "en", ("One",)),
        ("One.  Two? “Three!” Four", "en", ("One.", "Two?", "“Three!”", "Four")),
        ("Dr. No lives. e.g. here. U.S. law", "en", ("Dr. No lives. e.g. here.", "U.S. law")),
        ("Am 3. Mai. Ja.", "de", ("Am 3. Mai.", "Ja.")),
        ("你好。「天气好！」3.5度", "zh", ("你好。", "「天气好！」", "3.5度")),
    ],
)
def test_text_is_divided_after_sentences(text, language, pieces):
    assert sentences(text, language) == pieces
