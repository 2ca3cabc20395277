from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.lines import Line, Word
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.orthography import width
from lipdub.words_to_sound.script.read import read_script
from lipdub.words_to_sound.script.subtitles import Caption, SubtitleOptions, captions_for, captions_text

F = Fraction
LIMITS = SubtitleOptions()


def line(text, start, end, language="en", words=()):
    return Line(text, Span(F(start), F(end)), language, words=tuple(words))


def test_a_short_line_is_one_row_and_stays_long_enough():
    assert captions_for([line("Yes.", 1, "1.2")]) == (Caption(Span(F(1), F(11, 6)), ("Yes.",)),)
    slow = line("I have really no idea what that was about.", 1, 2)
    (caption,) = captions_for([slow])
    assert caption.span.duration == F(len(slow.text), 17)


def test_rows_break_at_a_clause_and_not_after_an_article():
    (caption,) = captions_for([line("If you had told me before, I would have brought the umbrella.", 0, 4)])
    assert caption.rows == ("If you had told me before,", "I would have brought the umbrella.")
    (caption,) = captions_for([line("Yesterday I saw them with the people from the station", 0, 4)])
    assert caption.rows == ("Yesterday I saw them", "with the people from the station")


def test_a_long_line_becomes_captions_at_its_sentences_in_proportion():
    text = (
        "We waited for hours in the pouring rain outside the gate. When they finally opened it, nobody wanted to go in."
    )
    first, second = captions_for([line(text, 0, 10)])
    assert " ".join(first.rows).endswith("outside the gate.")
    assert second.span.start == 10 * F(text[:57].replace(" ", "").__len__(), len(text.replace(" ", "")))
    assert first.span.end == second.span.start - LIMITS.gap


def test_captions_follow_the_times_of_words():
    text = "This part is said very early but then there is an awfully long pause. And this comes much later indeed."
    texts = text.split()
    words = [
        Word(t, Span(F(k, 4) + (20 if k > 13 else 0), F(k + 1, 4) + (20 if k > 13 else 0))) for k, t in enumerate(texts)
    ]
    first, second = captions_for([line(" ".join(texts), 0, 26, words=words)])
    assert second.span.start == F(14, 4) + 20
    assert first.span.end <= F(7)


def test_two_at_once_share_a_caption_with_dashes():
    (caption,) = captions_for([line("Is that you?", 1, 3), line("It is me!", "1.5", 3)])
    assert caption.rows == ("- Is that you?", "- It is me!")
    assert caption.span == Span(F(1), F(3))


def test_japanese_rows_are_short_and_begin_with_no_mark():
    text = "前回の内容ではまだ、表面までしか触れていませんでした。奥に進むにつれ「誰も知らない事実」が明らかになる。"
    captions = captions_for([line(text, 0, 12, "ja")])
    assert "".join(row for c in captions for row in c.rows) == text
    for caption in captions:
        assert all(width(row, "ja") <= 16 and row[0] not in "、。」" and row[-1] != "「" for row in caption.rows)


def test_arabic_stays_in_logical_order_and_thai_keeps_its_vowels():
    text = "لم أكن أعرف أن الأمر سينتهي بهذه الطريقة، ولكنني كنت أتوقع ذلك منذ البداية."
    captions = captions_for([line(text, 0, 6, "ar")])
    assert " ".join(row for c in captions for row in c.rows) == text
    thai = "วันนี้อากาศดีมากเราจะไปเที่ยวทะเลกันกับเพื่อนที่โรงเรียนเก่าของเรา"
    rows = [row for c in captions_for([line(thai, 0, 6, "th")]) for row in c.rows]
    assert "".join(rows) == thai
    assert all(row[0] not in "ะาำัิีึืุู่้๊๋์" and row[-1] not in "เแโใไ" for row in rows)


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_captions_are_written(tmp_path, name):
    captions = captions_for([line("If you had told me before, I would <have> brought it.", 0, 4)])
    (tmp_path / name).write_text(captions_text(captions, Path(name).suffix), encoding="utf-8")
    assert [r.text for r in read_script(tmp_path / name).lines] == [" ".join(captions[0].rows)]


WORD = st.one_of(
    st.sampled_from(
        [
            "the",
            "a",
            "yes,",
            "end.",
            "Dr.",
            "why?",
            "—",
            "word",
            "…",
            "incomprehensible",
            "x" * 100,
            "日本語",
            "e\u0301t\u00e9",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=12),
)
LINES = st.tuples(
    st.lists(WORD, min_size=1, max_size=25).map(" ".join),
    st.integers(0, 2000),
    st.integers(0, 1000),
    st.sampled_from(["en", "ja", "th", "ar", "ko", ""]),
)


@given(st.lists(LINES, max_size=5), st.sampled_from([1, 2]))
def test_limits_are_kept_and_no_word_is_lost(drawn, rows):
    lines = [line(text, F(start, 50), F(start + lasts, 50), language) for text, start, lasts, language in drawn]
    captions = captions_for(lines, SubtitleOptions(rows=rows))
    for caption in captions:
        assert LIMITS.shortest <= caption.span.duration <= LIMITS.longest
        assert 1 <= len(caption.rows) <= rows
        assert all(row == row.strip() != "" and width(row, "en") <= 42 for row in caption.rows)
    for a, b in pairwise(captions):
        assert a.span.end + LIMITS.gap <= b.span.start
    shown = "".join(row.removeprefix("- ") for c in captions for row in c.rows)
    said = "".join(line.text for line in lines)
    assert sorted(shown.replace(" ", "")) == sorted("".join(said.split()).replace(" ", ""))
