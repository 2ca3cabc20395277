"""Rows become requests, with paths from the jobs file; folders of clips become rows; shards divide the jobs."""

import shutil
from pathlib import Path

import pytest
from batch_stand_in import Small
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError
from lipdub.studio.batch.clip_folder import read_clip_folder
from lipdub.studio.batch.job_table import parse_json_lines, parse_table
from lipdub.studio.batch.jobs import BatchDefaults, batch_of, job_key
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.shard import Shard

FILE = Path("/work/list/jobs.csv")


def test_a_row_is_a_dub_with_paths_from_the_jobs_file() -> None:
    table = "source,audio,output,if_longer,face,seed\na.mp4,/s/a.wav,../out/a.mp4,hold,left|right,3\n"
    [job] = batch_of(FILE, parse_table(table)).jobs
    request = job.request
    assert (request.source, request.audio) == (Path("/work/list/a.mp4"), Path("/s/a.wav"))
    assert request.options == DubOptions(if_longer="hold", face=("left", "right"), seed=3)
    assert job.key == "/work/out/a.mp4"
    assert job.line == 2


def test_options_for_all_hold_where_a_row_says_nothing() -> None:
    table = "source,script,line,to,seed\na.mp4,a.srt,,fr,\nb.mp4,,Hola.,,4\nc.mp4,,,,\n"
    given = BatchDefaults(DubOptions(seed=7, codec="hevc"), SpeechOptions(line="Hi", to="en", duck=-18.0), Path("/o"))
    one, two, three = (job.request for job in batch_of(FILE, parse_table(table), given).jobs)
    assert (one.options.seed, two.options.seed, three.options.seed) == (7, 4, 7)
    assert {r.options.codec for r in (one, two, three)} == {"hevc"}
    assert (one.speech.line, two.speech.line, three.speech.line) == ("", "Hola.", "Hi")
    assert (one.speech.to, two.speech.to, three.speech.to) == ("fr", "en", "en")
    assert [str(r.output) for r in (one, two, three)] == ["/o/a.fr.mp4", "/o/b.en.mp4", "/o/c.en.mp4"]
    assert one.speech.duck == -18.0


def test_one_clip_in_five_languages_has_five_films() -> None:
    table = "source,line,to\n" + "".join(f"a.mkv,Ah.,{to}\n" for to in ("es", "fr", "de", "it", "pt-BR"))
    jobs = batch_of(FILE, parse_table(table), BatchDefaults(folder=Path("/work/list/out"))).jobs
    assert [job.key for job in jobs] == [f"out/a.{to}.mkv" for to in ("es", "fr", "de", "it", "pt-BR")]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("audio,output\nb.wav,c.mp4", "source"),
        ("source,audio\na.mp4,b.wav", "output"),
        ("source,seed,output\na.mp4,x,c.mp4", "seed"),
    ],
)
def test_a_row_that_is_no_job_is_told(row: str, column: str) -> None:
    batch = batch_of(FILE, parse_table(row))
    assert [(problem.line, problem.column) for problem in batch.problems] == [(2, column)]
    assert not batch.jobs


def test_without_a_language_a_film_has_no_name_of_its_own() -> None:
    batch = batch_of(FILE, parse_table("source,audio\na.mp4,b.wav"), BatchDefaults(folder=Path("/o")))
    assert [problem.column for problem in batch.problems] == ["language"]


def test_json_lines_know_lists_and_texts_with_a_stroke() -> None:
    line = '{"source": "a.mp4", "line": "a|b", "to": "es", "voice": ["command:x | y"], "output": "b.mp4", "mix": true}'
    [job] = batch_of(FILE.with_suffix(".jsonl"), parse_json_lines(line)).jobs
    assert job.request.speech == SpeechOptions(line="a|b", to="es", voice=("command:x | y",), mix=True)


@given(names=st.lists(st.from_regex(r"[a-z]{1,8}\.mp4", fullmatch=True), unique=True, min_size=1), of=st.integers(1, 9))
def test_shards_share_all_jobs_and_none_twice(names: list[str], of: int) -> None:
    table = "source,audio,output\n" + "".join(f"a.mp4,a.wav,{name}\n" for name in names)
    jobs = batch_of(FILE, parse_table(table)).jobs
    shares = [[job.key for job in jobs if Shard(n, of).holds(job.key)] for n in range(1, of + 1)]
    assert sorted(key for share in shares for key in share) == sorted(names)


def test_keys_do_not_depend_on_where_the_folder_is_seen() -> None:
    assert job_key(Path("/a/list/out/x.mp4"), Path("/a/list")) == job_key(Path("/mnt/out/x.mp4"), Path("/mnt"))


def test_a_folder_has_a_job_for_each_track_and_script_beside_a_clip(small: Small) -> None:
    folder = small.folder
    for name in ("one.de.wav", "two.wav", "unrelated.srt", "one.txt", "one.it.txt"):
        shutil.copy(folder / "dub.wav", folder / name)
    rows = read_clip_folder(folder, alone=False)
    assert [tuple(row.cells.values()) for row in rows.rows] == [
        ("one.mp4", "one.de.wav", "de"),
        ("one.mp4", "one.es.srt"),
        ("one.mp4", "one.fr.srt"),
        ("one.mp4", "one.it.txt"),
        ("two.mp4", "two.wav", ""),
    ]
    batch = batch_of(folder, rows, BatchDefaults(folder=folder / "out"))
    assert [job.key for job in batch.jobs] == ["out/one.de.mp4", "out/one.es.mp4", "out/one.fr.mp4", "out/one.it.mp4"]
    assert [problem.told(batch.unit)[:22] for problem in batch.problems] == ["job 5, column language"]


def test_clips_alone_are_noted_or_dubbed_by_a_language_for_all(small: Small) -> None:
    assert read_clip_folder(small.folder, alone=False).notes[0].startswith("two.mp4: no dub track")
    alone = read_clip_folder(small.folder, alone=True)
    assert {"source": "two.mp4"} in [row.cells for row in alone.rows]
    assert not alone.notes


def test_a_track_that_may_belong_to_two_clips_is_told(small: Small) -> None:
    shutil.copy(small.folder / "one.mp4", small.folder / "one.mov")
    problems = read_clip_folder(small.folder, alone=False).problems
    assert [problem.what.partition(" may")[0] for problem in problems] == ["one.es.srt", "one.fr.srt"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no job"):
        read_clip_folder(tmp_path, alone=True)
