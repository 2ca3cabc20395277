from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from lipdub.errors import InputError
from lipdub.timeline.film_record import MOST_EARLIER, ChangedMouth, EarlierFilm, FilmRecord
from lipdub.timeline.time import Span

F = Fraction
RECORD = FilmRecord(
    film=Path("/films/one.es.mp4"),
    size=1000,
    rate=F(30000, 1001),
    constant=True,
    frames=300,
    source_frames=290,
    source_length=F(10),
    own_frames=290,
    first=F(1, 3),
    length=F(1001, 100),
    timecode="01:00:00;00",
    shape=(640, 360),
    takes={"1": 2},
    changed=(ChangedMouth("1", (Span(F(1), F(2)), Span(F(3), F(4))), ((20, 50), (80, 110))),),
    stems={"mix": Path("/films/mix.wav")},
    earlier=(EarlierFilm(Path("/films/old.mp4"), 5, 300, "", {"1": 1}),),
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    RECORD.save(tmp_path / "es.json")
    assert FilmRecord.load(tmp_path / "es.json") == RECORD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"lipdub": "film", "version": 1}', "this film file is damaged.* Make the film again"),
        ('{"lipdub": "film", "version": 99}', "written by a newer lipdub"),
        ('{"lipdub": "plan", "version": 1}', "this is not a film of lipdub"),
        ("{", "it is not JSON"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "es.json").write_text(text)
    with pytest.raises(InputError, match=why):
        FilmRecord.load(tmp_path / "es.json")


def test_word_errors_of_takes_that_are_shown_again_are_kept() -> None:
    first = replace(RECORD, takes={"1": 2, "2": 1, "3": 1}, word_errors={"1": 0.5, "2": 0.25, "3": 0.0})
    second = replace(RECORD, takes={"1": 3, "2": 1, "3": 1}, word_errors={"3": 0.1}, timings={"mix": 2.0})
    assert second.following(first).word_errors == {"2": 0.25, "3": 0.1}
    assert second.following(first).timings == {"mix": 2.0}


def test_earlier_films_are_remembered_but_not_those_that_were_written_over() -> None:
    second = replace(RECORD, film=Path("/films/two.es.mp4"), takes={"1": 3}, earlier=()).following(RECORD)
    assert [(film.film.name, film.takes) for film in second.earlier] == [
        ("one.es.mp4", {"1": 2}),
        ("old.mp4", {"1": 1}),
    ]
    again = replace(RECORD, takes={"1": 4}, earlier=()).following(second)
    assert [film.film.name for film in again.earlier] == ["two.es.mp4", "old.mp4"]
    many = RECORD
    for number in range(2 * MOST_EARLIER):
        many = replace(RECORD, film=Path(f"/films/{number}.mp4"), earlier=()).following(many)
    assert [film.film.stem for film in many.earlier] == [str(2 * MOST_EARLIER - 2 - k) for k in range(MOST_EARLIER)]
