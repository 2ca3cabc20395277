"""Tables of pairs in every format, and what is wrong with some."""

import csv
import json
from pathlib import Path

import pytest

from lipdub.errors import InputError
from lipdub.train.pair_columns import COLUMNS, TrainingPair, find_table, read_pairs, write_pairs


def row(folder: Path, name: str = "a", **more: str) -> dict[str, str]:
    for file in (f"{name}.mp4", f"{name}.ref.mp4", f"{name}.wav"):
        (folder / file).write_bytes(b"x")
    found = {"video": f"{name}.mp4", "reference_video": f"{name}.ref.mp4", "audio": f"{name}.wav", "caption": " Hola. "}
    return found | more


def written(folder: Path, rows: list[dict], suffix: str) -> Path:
    table = folder / f"dataset{suffix}"
    if suffix == ".csv":
        with table.open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, list(COLUMNS))
            out.writeheader()
            out.writerows(rows)
    else:
        text = json.dumps(rows) if suffix == ".json" else "\n".join(json.dumps(row) for row in rows)
        table.write_text(text, "utf-8")
    return table


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_every_format_is_read_and_written_again(tmp_path: Path, suffix: str) -> None:
    table = written(tmp_path, [row(tmp_path, "a"), row(tmp_path, "b")], suffix)
    assert find_table(tmp_path) == table
    one, two = read_pairs(table)
    assert (one.video, one.audio, one.caption) == (tmp_path / "a.mp4", tmp_path / "a.wav", "Hola.")
    assert one.reference_audio == tmp_path / "a.ref.mp4", "the sound of the reference video itself"
    assert one.id != two.id
    again = tmp_path / "out" / "train.jsonl"
    again.parent.mkdir()
    write_pairs(again, [one, two])
    first = json.loads(again.read_text("utf-8").splitlines()[0])
    assert first["video"] == "../a.mp4"
    assert [pair.id for pair in read_pairs(again)] == [one.id, two.id]


def test_older_names_of_the_columns_are_known(tmp_path: Path) -> None:
    old = row(tmp_path)
    old["media_path"], old["ref_media_path"] = old.pop("video"), old.pop("reference_video")
    (pair,) = read_pairs(written(tmp_path, [old], ".json"))
    assert isinstance(pair, TrainingPair)
    assert pair.reference_video == tmp_path / "a.ref.mp4"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"video": ""}, "row 2: the column 'video' is missing"),
        ({"caption": "  "}, "row 2: the column 'caption' is missing"),
        ({"audio": "none.wav"}, "row 2: there is no file none.wav"),
        ({"video_mask": 3}, "row 2: the column 'video_mask' holds no path"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, change: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_pairs(written(tmp_path, [row(tmp_path, "a"), row(tmp_path, "b") | change], ".json"))


@pytest.mark.parametrize("text", ["{", "[1, 2]", "{}", "[]"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError):
        read_pairs(tmp_path / "dataset.json")


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 2 is there twice"):
        read_pairs(written(tmp_path, [row(tmp_path), row(tmp_path)], ".csv"))
