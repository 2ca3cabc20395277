"""Jobs files: what was written is read, as spreadsheets write it, and what is wrong is told by line and column."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError
from lipdub.studio.batch.columns import CellReading, column_named, columns, value_of
from lipdub.studio.batch.job_table import decoded, parse_json_lines, parse_table, read_jobs_file
from lipdub.studio.options import DubOptions, SpeechOptions

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
CELLS = st.lists(
    st.fixed_dictionaries(dict.fromkeys(("source", "line", "to", "if_longer"), TEXT)), min_size=1, max_size=6
)


def lines_of(text: str) -> int:
    """How many lines a reader of tables counts in ``text``."""
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


@given(rows=CELLS, delimiter=st.sampled_from(",;\t"), ending=st.sampled_from(["\n", "\r\n"]), quoted=st.booleans())
def test_a_table_is_read_as_it_was_written(rows: list[dict], delimiter: str, ending: str, quoted: bool) -> None:
    file = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(file, rows[0], delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writeheader()
    starts = []
    for row in rows:
        starts.append(lines_of(file.getvalue()) + 1)
        writer.writerow(row)
    read = parse_table(file.getvalue())
    expected = [(at, row) for at, row in zip(starts, rows, strict=True) if any(cell.strip() for cell in row.values())]
    assert not read.problems
    assert [(row.line, row.cells) for row in read.rows] == expected
    assert read.decimal == ("," if delimiter == ";" else ".")


@given(text=TEXT, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_texts_are_decoded_as_excel_encodes_them(text: str, encoding: str) -> None:
    if not text.startswith("\ufeff"):
        assert decoded(text.encode(encoding)) == text


@given(rows=st.lists(st.dictionaries(st.sampled_from(["source", "to", "line"]), TEXT.filter(str.strip), min_size=1)))
def test_json_lines_are_read_as_they_were_written(rows: list[dict]) -> None:
    read = parse_json_lines("\n\n".join(json.dumps(row) for row in rows))
    assert not read.problems
    assert [(row.line, row.cells) for row in read.rows] == [(2 * n + 1, row) for n, row in enumerate(rows)]


@given(text=st.text(max_size=60))
def test_whatever_is_in_a_file_is_read_or_told(text: str) -> None:
    for read in (parse_table(text), parse_json_lines(text)):
        assert all(problem.what and problem.line for problem in read.problems)


@pytest.mark.parametrize("name", ["if_longer", "--if-longer", "If longer", " IF-LONGER "])
def test_a_heading_may_be_the_option_as_it_is_written(name: str) -> None:
    assert column_named(name) == "if_longer"


def test_every_option_of_a_dub_is_a_column_and_takes_its_default(tmp_path: Path) -> None:
    reading = CellReading(tmp_path)
    for options in (DubOptions(), SpeechOptions()):
        for one in fields(options):
            name, value = one.name.rstrip("_"), getattr(options, one.name)
            if name not in ("workers", "shared_store"):
                assert name in columns()
            if name in columns() and value not in (None, "", ()):
                cell = "|".join(value) if isinstance(value, tuple) else str(value)
                assert value_of(name, cell, reading) == value, name


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("source,sped\na.mp4,3", [(1, "sped")]),
        ("source,seed,seed\na.mp4,3,4", [(1, "seed")]),
        ("source,seed\na.mp4,3,4", [(2, "3")]),
        ('source,to\n"a.mp4,es\n', [(2, "")]),
        ('source,to\n\n"a"b.mp4,es\n', [(3, "")]),
        ("source,clip\na.mp4,b.mp4", [(1, "clip")]),
    ],
)
def test_what_is_wrong_in_a_table_is_told_by_line_and_column(table: str, where: list) -> None:
    assert [(problem.line, problem.column) for problem in parse_table(table).problems] == where


def test_excels_first_line_names_the_delimiter() -> None:
    read = parse_table("sep=;\r\nsource;duck\r\na,b.mp4;-18,5\r\n;\r\n")
    assert [(row.line, row.cells) for row in read.rows] == [(3, {"source": "a,b.mp4", "duck": "-18,5"})]
    assert value_of("duck", "-18,5", CellReading(Path(), decimal=read.decimal)) == -18.5


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("label", "yes", True),
        ("label", True, True),
        ("label", "AI voice", "AI voice"),
        ("face", "left | 640,300@0:12", ("left", "640,300@0:12")),
        ("voice", ["Ana=nanotts", "Ben=kokoro|x"], ("Ana=nanotts", "Ben=kokoro|x")),
        ("mix", "TRUE", True),
        ("page", "no", False),
        ("crf", "18", 18),
        ("seed", 3.0, 3),
        ("loudness", -16, "-16"),
        ("if_longer", "Hold", "hold"),
        ("source", "b/ä.mp4", Path("/a/b/ä.mp4")),
        ("source", "/c.mp4", Path("/c.mp4")),
    ],
)
def test_cells_become_values(column: str, cell: object, value: object) -> None:
    assert value_of(column, cell, CellReading(Path("/a"))) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("seed", "3.5"),
        ("seed", "1_000"),
        ("seed", True),
        ("duck", "inf"),
        ("duck", "-18,5"),
        ("mix", "maybe"),
        ("face", "left||right"),
        ("if_longer", "stretch"),
        ("source", "https://example.org/a.mp4"),
        ("output", "s3://films/a.mp4"),
        ("source", "a\0b"),
        ("source", ["a.mp4", "b.mp4"]),
    ],
)
def test_cells_that_mean_nothing_are_refused(column: str, cell: object) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        value_of(column, cell, CellReading(Path("/a")))  # type: ignore[arg-type]


def test_a_file_that_is_no_jobs_file_is_refused(tmp_path: Path) -> None:
    for name, data, says in (
        ("a.xlsx", b"PK", "no kind of jobs file"),
        ("a.csv", b"source\n\xe4.mp4\n", "line 2: a character"),
        ("b.csv", b"source,to\n", "no job in it"),
        ("c.jsonl", b"\n", "no job in it"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=says):
            read_jobs_file(tmp_path / name)
