from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import OptionError, OutputError
from lipdub.timeline.lines import Line, Word, numbered
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.read import read_script
from lipdub.words_to_sound.script.write import subtitle_time, write_script

F = Fraction
ANNA = Line("Who <is> it & why --> now?", Span(F(1, 3), F(2)), "en", "Anna Lee", id="1")
BOB = Line("Me.", Span(F(2), F(3)), "en", "Bob", id="2")
EVA = Line("No.", Span(F(4), F(10801)), "en", "Eva", id="3")


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_subtitles_keep_text_speaker_and_milliseconds(tmp_path, name):
    write_script(tmp_path / name, (ANNA, BOB, EVA))
    read = read_script(tmp_path / name)
    assert read.notes == (
        ("'Anna Lee', 'Bob', 'Eva' before a colon: taken for speakers' names, which are not spoken",)
        if name == "a.srt"
        else ()
    )
    assert [(line.speaker, line.text) for line in read.lines] == [
        ("Anna Lee", "Who <is> it & why -> now?"),
        ("Bob", "Me."),
        ("Eva", "No."),
    ]
    assert [line.span for line in read.lines] == [Span(F(333, 1000), F(2)), BOB.span, EVA.span]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
SAYABLE = TEXTS.filter(lambda t: any(c.isalnum() for c in t))
SPANS = st.tuples(st.fractions(-5, 20000), st.fractions(F(1, 10**9), 100))
WORDS = st.lists(st.tuples(SAYABLE.map(str.strip), SPANS, st.floats(0, 1)), max_size=3)
LINES = st.tuples(SAYABLE, SPANS, st.sampled_from(["", "en", "pt-BR"]), TEXTS, WORDS)


def span(drawn):
    return Span(drawn[0], sum(drawn))


@given(st.lists(LINES, min_size=1, max_size=4))
def test_json_keeps_everything(tmp_path_factory, drawn):
    path = tmp_path_factory.getbasetemp() / "all.json"
    made = []
    for text, times, language, speaker, words in drawn:
        said = tuple(Word(t, span(s), sure) for t, s, sure in words)
        made.append(Line(text, span(times), language, speaker, said))
    lines = numbered(sorted(made, key=lambda line: line.span.start))
    write_script(path, lines, overwrite=True)
    read = read_script(path)
    assert read.lines == lines
    assert read.notes == ()


def test_nothing_is_overwritten_unless_told(tmp_path):
    path = tmp_path / "a.json"
    write_script(path, (BOB,))
    with pytest.raises(OutputError, match="exists already"):
        write_script(path, (ANNA,))
    assert read_script(path).lines == (BOB,)
    write_script(path, (ANNA,), overwrite=True)
    assert read_script(path).lines == (ANNA,)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_where_it_cannot_be_written(tmp_path):
    with pytest.raises(OptionError, match=r"Choose \.srt or \.vtt or \.json"):
        write_script(tmp_path / "a.doc", (BOB,))
    with pytest.raises(OutputError, match="folder does not exist"):
        write_script(tmp_path / "none" / "a.srt", (BOB,))


def test_times_are_rounded_to_the_millisecond():
    assert subtitle_time(F(3599999, 1000) + F(6, 10000), ",") == "01:00:00,000"
    assert subtitle_time(F(-1), ".") == "00:00:00.000"
    assert subtitle_time(F(100 * 3600), ",") == "100:00:00,000"
