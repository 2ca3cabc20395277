"""A spool gives back what was put in, whatever the blocks."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.timeline.spool import Spool


@settings(max_examples=40)
@given(
    rows=st.integers(0, 30),
    shape=st.sampled_from([(), (3,), (2, 4), (5, 1, 2)]),
    dtype=st.sampled_from([np.uint8, np.float32, np.int64]),
    reopen=st.integers(0, 30),
    size=st.integers(1, 12),
    overlap=st.integers(0, 9),
)
def test_rows_come_back(rows: int, shape: tuple, dtype: type, reopen: int, size: int, overlap: int) -> None:
    truth = np.random.default_rng(rows).integers(0, 200, (rows, *shape)).astype(dtype)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "rows.bin"
        spool = Spool(path, shape, dtype)
        for i, row in enumerate(truth):
            if i == reopen:
                spool.close()
                spool = Spool(path, shape, dtype)
                assert len(spool) == i
            spool.append(np.asarray(row))
            assert np.array_equal(spool.read(i, i + 1)[0], row)
        assert np.array_equal(spool.read(0, rows), truth)
        seen = 0
        for first, stop, begin, block in spool.blocks(size, overlap):
            assert first == seen
            assert 0 < stop - first <= size
            assert begin == max(0, first - overlap)
            assert np.array_equal(block, truth[begin : min(rows, stop + overlap)])
            seen = stop
        assert seen == rows
        spool.close()
        assert np.array_equal(spool.read(0, rows), truth)
        assert np.array_equal(Spool(path, shape, dtype).read(0, rows), truth)


def test_a_row_cut_short_by_a_crash_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "rows.bin"
    path.write_bytes(np.arange(3, dtype=np.float32).tobytes() + b"\1\2")
    spool = Spool(path, (), np.float32)
    assert len(spool) == 3
    spool.append(np.array(9, np.float32))
    assert spool.read(0, 4).tolist() == [0, 1, 2, 9]
    spool.close()


def test_what_was_read_is_ones_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "rows.bin", (2,), np.uint8)
    spool.append(np.array([1, 2], np.uint8))
    rows = spool.read(0, 1)
    rows[:] = 0
    assert spool.read(0, 1).tolist() == [[1, 2]]
    with pytest.raises(AssertionError, match="shape"):
        spool.append(np.zeros(3, np.uint8))
    spool.close()


def test_a_finished_spool_is_read_where_nothing_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "a", (2,), np.float32)
    spool.append(np.ones(2))
    spool.close()

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refused)
    monkeypatch.setattr(Path, "mkdir", refused)
    assert Spool(tmp_path / "a", (2,), np.float32).read(0, 1).tolist() == [[1, 1]]


def test_what_the_disk_does_not_take_at_the_very_end_is_no_traceback(tmp_path: Path) -> None:
    """A process that may write 100 bytes a file leaves rows in the buffer when it ends."""
    code = (
        "import resource, signal, sys; import numpy as np; from pathlib import Path\n"
        "from lipdub.timeline.spool import Spool\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "spool = Spool(Path(sys.argv[1]), (64,), np.float32); spool.append(np.zeros(64)); print(len(spool))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "rows")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
