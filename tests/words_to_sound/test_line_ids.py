"""Each line has an id that is unique in its script and stays the same in all later steps."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.lines import Line, Word
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeTranslator, FakeVoice
from lipdub.words_to_sound.script.place_untimed import place_untimed_lines
from lipdub.words_to_sound.script.read import read_script
from lipdub.words_to_sound.script.sentences import lines_from_words
from lipdub.words_to_sound.script.write import write_script
from lipdub.words_to_sound.translate.translate import translate_lines
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.speak import speak_line
from words_to_sound.bursts import fit


def ids(lines: "tuple[Line, ...] | list[Line]") -> list[str]:
    return [line.id for line in lines]


def script(path: Path, *entries: dict[str, object]) -> Path:
    lines = [{"start": k, "end": k + 1, "text": f"text {k}", **entry} for k, entry in enumerate(entries)]
    path.write_text(json.dumps({"lipdub": "script", "version": 1, "lines": lines}), "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "One.\nTwo.\nThree.\n"),
        (
            "a.srt",
            "7\n00:00:05,000 --> 00:00:06,000\nThree.\n\n8\n00:00:01,000 --> 00:00:02,000\nOne.\n\n"
            "9\n00:00:03,000 --> 00:00:04,000\nTwo.\n",
        ),
    ],
)
def test_lines_of_a_file_are_counted_in_order_of_time(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    lines = read_script(tmp_path / name).lines
    assert [(line.id, line.text) for line in lines] == [("1", "One."), ("2", "Two."), ("3", "Three.")]


def test_a_json_script_keeps_its_own_ids(tmp_path: Path) -> None:
    read = read_script(script(tmp_path / "a.json", {"id": "b"}, {}, {"id": 1}, {"id": "  "}, {"id": ["no"]}))
    assert ids(read.lines) == ["b", "2", "1", "3", "4"]
    assert read.notes == ()


def test_an_id_that_is_there_twice_is_noted_and_replaced(tmp_path: Path) -> None:
    read = read_script(script(tmp_path / "a.json", {"id": "a"}, {"id": "a"}, {"id": "1"}))
    assert ids(read.lines) == ["a", "2", "1"]
    assert read.notes == ("line 2 ('a') has the id of another line; it got a new id",)


def test_the_ids_of_whispers_segments_are_not_taken(tmp_path: Path) -> None:
    segments = [{"start": k, "end": k + 1, "text": f"text {k}", "id": 40 + k} for k in range(2)]
    (tmp_path / "a.json").write_text(json.dumps({"segments": segments}), "utf-8")
    assert ids(read_script(tmp_path / "a.json").lines) == ["1", "2"]


@given(st.lists(st.sampled_from(["1", "2", "3", "a", "b", "", None]), min_size=1, max_size=7), st.data())
def test_ids_are_unique_and_survive_writing_and_editing(tmp_path_factory, given_ids, data) -> None:
    folder = tmp_path_factory.getbasetemp()
    entries = [{} if one is None else {"id": one} for one in given_ids]
    lines = read_script(script(folder / "ids.json", *entries)).lines
    assert len(set(ids(lines))) == len(lines) == len(entries)
    assert all(ids(lines))
    texts = data.draw(st.lists(st.sampled_from(["Yes.", "Or no?"]), min_size=len(lines), max_size=len(lines)))
    edited = [replace(line, text=text) for line, text in zip(lines, texts, strict=True)]
    write_script(folder / "edited.json", edited, overwrite=True)
    assert ids(read_script(folder / "edited.json").lines) == ids(lines)


def test_recognised_lines_are_counted() -> None:
    words = [Word(f"Word{k}.", Span(Fraction(3 * k), Fraction(3 * k + 2))) for k in range(3)]
    assert ids(lines_from_words(words, "en")) == ["1", "2", "3"]


def test_later_steps_keep_the_id() -> None:
    line = Line("Good morning to you.", Span(Fraction(0), Fraction(0)), "en", id="x")
    (timed,) = place_untimed_lines([line], [Span(Fraction(1), Fraction(4))])
    (translated,) = translate_lines([timed], FakeTranslator(), "es")
    assert (translated.original.id, translated.line.id) == ("x", "x")
    spoken = speak_line(translated.line, AssignedVoice(FakeVoice()))
    (placed,) = fit([spoken], (), Fraction(10)).placed
    assert (spoken.line.id, placed.line.id) == ("x", "x")
