"""Values in files that other machines read: they come back as they were, and nothing else can be in them."""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lipdub.errors import InputError
from lipdub.studio import values_file
from lipdub.studio.options import DubOptions
from lipdub.studio.values_file import read_told, read_value, write_values
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span


def as_they_are(path: Path) -> tuple[str, str]:
    return "", str(path)


def written(folder: Path, value: object) -> Path:
    write_values(folder / "a.values", {"recipe": "r"}, value, as_they_are)
    return folder / "a.values"


def test_values_come_back(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = (DubOptions(crf=3), Span(Fraction(1, 3), Fraction(2)), {"a": array[:, ::2]}, frozenset({1}), range(4), None)
    file = written(tmp_path, value)
    back = read_value(file, {})
    assert back[:2] == value[:2]
    np.testing.assert_array_equal(back[2]["a"], array[:, ::2])
    assert back[3:] == value[3:]
    told = read_told(file)
    assert told is not None
    assert told["recipe"] == "r"
    assert read_told(tmp_path / "none") is None


def test_paths_are_below_the_folders_of_the_machine_that_reads(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "here" / "rows", (2,), np.float32)
    spool.append(np.array([1.0, 2.0]))

    def placed(path: Path) -> tuple[str, str]:
        return ("home", path.relative_to(tmp_path / "here").as_posix()) if path.is_absolute() else ("", str(path))

    value = (tmp_path / "here" / "a" / "b", Path("near"), tmp_path / "here", spool)
    write_values(tmp_path / "a.values", {}, value, placed)
    (tmp_path / "here").rename(tmp_path / "there")
    inside, near, whole, rows = read_value(tmp_path / "a.values", {"home": tmp_path / "there"})
    assert (inside, near, whole) == (tmp_path / "there" / "a" / "b", Path("near"), tmp_path / "there")
    assert rows.read(0, 1).tolist() == [[1.0, 2.0]]
    with pytest.raises(InputError, match="names a folder 'home', which is not known here"):
        read_value(tmp_path / "a.values", {})
    (tmp_path / "there" / "rows").write_bytes(b"123")
    with pytest.raises(InputError, match="rows that it names are missing or damaged"):
        read_value(tmp_path / "a.values", {"home": tmp_path / "there"})
    assert (tmp_path / "there" / "rows").read_bytes() == b"123"


class Calls:
    """What a file from elsewhere might want to call."""

    def __init__(self, function: Any, *values: object) -> None:
        self.function, self.values = function, values

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.function, self.values


@dataclass
class NotFrozen:
    """A data class that is no value of lipdub."""

    number: int = 0


@pytest.mark.parametrize(
    "bad",
    [
        Calls(os.system, "true"),
        Calls(eval, "1"),
        Calls(getattr, "text", "upper"),
        Calls(Path.cwd),
        Calls(values_file.write_values, 1),
        NotFrozen(),
        Calls(np.load, "x"),
    ],
)
def test_nothing_can_be_called(tmp_path: Path, bad: object) -> None:
    with pytest.raises(InputError, match=r"it cannot be used: it holds .*, which is no value"):
        read_value(written(tmp_path, [bad]), {})


def test_damage_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, [1, 2, 3])
    whole = file.read_bytes()
    for bad in (b"", whole[:-1], whole[:-3] + b"xyz", b"{}\n", b"[]\n" + whole, whole.replace(b"sha256", b"sha257")):
        file.write_bytes(bad)
        with pytest.raises(InputError, match=r"it is damaged\. Remove it: it is made anew"):
            read_value(file, {})
