"""Samples in a file are read like an array."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.samples import SampleFile, Samples


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleFile]:
    file = SampleFile(tmp_path_factory.mktemp("samples") / "samples")
    for part in np.split(np.arange(1000, dtype=np.float32), [0, 1, 333, 900]):
        file.append(part)
    yield file
    file.close()


@given(st.integers(0, 1200), st.integers(0, 1200))
def test_any_part_is_that_of_the_array(file: SampleFile, first: int, stop: int) -> None:
    np.testing.assert_array_equal(file[first:stop], np.arange(1000, dtype=np.float32)[first:stop])


def test_arrays_are_samples_and_so_are_files(file: SampleFile) -> None:
    assert isinstance(file, Samples)
    assert isinstance(np.zeros(3, np.float32), Samples)
    assert len(file) == 1000


def test_a_new_file_begins_empty(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"abcd")
    file = SampleFile(tmp_path / "old")
    assert len(file) == 0
    assert len(file[0:5]) == 0
    file.close()
