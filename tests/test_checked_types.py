"""What the tests check about types, on a small module that the import hook changes as it does those of the package."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from jaxtyping import TypeCheckError
from tests.checked_types import check_types

MODULE = '''
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from nowhere import Unknown


def whole(number: int, *, label: "str" = "") -> str:
    """Says a number."""
    return label + str(number) if number >= 0 else number


def unknown(value: "Unknown", number: int) -> "Unknown":
    return value


def joined(a: Float[np.ndarray, "rows columns"], b: Float[np.ndarray, "rows columns"] | None) -> int:
    return len(a)


def counted(number: int):
    yield from range(number)


@dataclass(frozen=True, slots=True)
class Point:
    x: int

    @property
    def text(self) -> str:
        return str(self.x) if self.x else self.x

    @classmethod
    def at(cls, x: int) -> "Point":
        return cls(x)

    @staticmethod
    def twice(x: int) -> int:
        return 2 * x


@dataclass(frozen=True)
class Near(Point):
    y: int = 0


@dataclass
class Grid:
    cells: Float[np.ndarray, "n n"]
'''


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder: Path = tmp_path_factory.mktemp("checked")
    (folder / "module_of_types.py").write_text(MODULE, "utf-8")
    before = list(sys.meta_path)
    sys.path.insert(0, str(folder))
    check_types("module_of_types")
    try:
        import module_of_types  # type: ignore[import-not-found]

        yield module_of_types
    finally:
        sys.path.remove(str(folder))
        sys.meta_path[:] = before
        sys.modules.pop("module_of_types", None)


def test_what_fits_is_let_through(checked: ModuleType) -> None:
    import numpy as np

    assert checked.whole(1, label="n") == "n1"
    assert (checked.whole.__name__, checked.whole.__doc__) == ("whole", "Says a number.")
    assert checked.whole.__wrapped__.__annotations__["label"] == "str", "as it was written"
    assert checked.unknown("anything", 1) == "anything"
    assert checked.joined(np.zeros((2, 3)), np.zeros((2, 3))) == 2
    assert list(checked.counted(2)) == [0, 1]
    assert checked.Point.at(2).text == "2"
    assert checked.Near(1, 2).y == checked.Point.twice(1) == 2
    assert checked.Grid(np.zeros((2, 2))).cells.shape == (2, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        "whole('1')",
        "whole(1, label=2)",
        "whole(-1)",
        "unknown('anything', '1')",
        "joined(np.zeros((2, 3)), np.zeros((2, 4)))",
        "joined(np.zeros(2), None)",
        "counted('2')",
        "Point('1')",
        "Point(0).text",
        "Point.at('1')",
        "Point.twice('1')",
        "Near(1, '2')",
        "Near('1', 2)",
        "Grid(np.zeros((2, 3)))",
    ],
)
def test_what_does_not_fit_is_refused(checked: ModuleType, wrong: str) -> None:
    import numpy as np

    with pytest.raises(TypeCheckError):
        eval(wrong, {**vars(checked), "np": np})
