"""The names of a dub's files: none is an input, and two films of one stem do not share a report."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lipdub.errors import OutputError
from lipdub.studio.preflight.output_names import check_names, output_names, stem_names


def test_the_usual_names(tmp_path: Path) -> None:
    names = output_names(tmp_path / "talk.es.mp4", [], page=True, subtitles="srt")
    told = [path.name for path in names.every]
    assert told == ["talk.es.mp4", "talk.es.report.json", "talk.es.review.html", "talk.es.srt"]
    assert names.notes == ()
    fewer = output_names(tmp_path / "talk.es.mp4", [], page=False, subtitles="none")
    assert [path.name for path in fewer.every] == told[:2]


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_subtitles_never_land_on_the_script(tmp_path: Path, link) -> None:
    script = tmp_path / ("talk.es.srt" if link is None else "original.srt")
    script.write_text("words")
    if link is not None:
        link(script, tmp_path / "talk.es.srt")
    names = output_names(tmp_path / "talk.es.mp4", [script], page=True, subtitles="srt")
    assert names.subtitles == tmp_path / "talk.es.subtitles.srt"
    assert any(script.name in note for note in names.notes)
    check_names(names, [script], overwrite=True)


def report_of(film: str) -> str:
    return json.dumps({"version": 1, "output": {"path": f"somewhere/{film}"}, "recipe": {}})


def test_two_films_of_one_stem_have_a_report_each(tmp_path: Path) -> None:
    (tmp_path / "o.report.json").write_text(report_of("o.mp4"))
    (tmp_path / "o.srt").write_text("of o.mp4")
    names = output_names(tmp_path / "o.mov", [], page=True, subtitles="srt")
    assert [path.name for path in names.every] == ["o.mov", "o.mov.report.json", "o.mov.review.html", "o.mov.srt"]
    check_names(names, [], overwrite=False)
    own = output_names(tmp_path / "o.mp4", [], page=True, subtitles="srt")
    with pytest.raises(OutputError, match=r"o\.report\.json"):
        check_names(own, [], overwrite=False)


@pytest.mark.parametrize("content", ["", "mine", "[]", "[" * 100_000, json.dumps({"output": 3, "recipe": 1})])
def test_what_is_no_report_of_ours_is_not_replaced_unasked(tmp_path: Path, content: str) -> None:
    (tmp_path / "o.report.json").write_text(content)
    names = output_names(tmp_path / "o.mp4", [], page=True, subtitles="srt")
    with pytest.raises(OutputError, match="exists already"):
        check_names(names, [], overwrite=False)


def test_a_report_that_is_an_input_is_refused_even_with_overwrite(tmp_path: Path) -> None:
    script = tmp_path / "talk.report.json"
    script.write_text("{}")
    names = output_names(tmp_path / "talk.mp4", [script], page=True, subtitles="srt")
    with pytest.raises(OutputError, match="one of the inputs"):
        check_names(names, [script], overwrite=True)


def test_stems_are_named_after_the_film_and_their_folder_may_be_new(tmp_path: Path) -> None:
    film = tmp_path / "talk.es.mp4"
    assert stem_names(film, None) == ()
    stems = stem_names(film, tmp_path / "stems")
    assert [path.name for path in stems] == ["talk.es.speech.wav", "talk.es.music-effects.wav", "talk.es.mix.wav"]
    names = replace(output_names(film, [], page=True, subtitles="ttml"), stems=stems)
    assert names.every[-4:] == (tmp_path / "talk.es.ttml", *stems)
    check_names(names, [], overwrite=False)
    stems[0].parent.mkdir()
    stems[1].write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"music-effects\.wav: exists already"):
        check_names(names, [], overwrite=False)
    with pytest.raises(OutputError, match="is one of the inputs"):
        check_names(names, [stems[1]], overwrite=True)
    for folder, why in ((tmp_path / "none" / "stems", "folder does not exist"), (film, "exists already")):
        film.write_bytes(b"a file")
        with pytest.raises(OutputError, match=why):
            check_names(replace(names, film=tmp_path / "o.mp4", stems=stem_names(film, folder)), [], overwrite=True)
