"""The numerical library has one thread while anything works here, and is set once, however many ask for it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import threadpoolctl

import lipdub
from lipdub.process import blas_threads
from lipdub.process.blas_threads import one_blas_thread
from lipdub.studio.session import open_session


def threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture
def before() -> list[int]:
    """The number of threads without a limit."""
    import scipy.linalg  # noqa: F401

    return threads()


def test_blocks_that_overlap_in_several_threads_set_it_once(before: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    usual = threadpoolctl.ThreadpoolController.limit

    def noted(self: threadpoolctl.ThreadpoolController, *, limits: int, user_api: str) -> object:
        told.append(limits)
        return usual(self, limits=limits, user_api=user_api)

    monkeypatch.setattr(threadpoolctl.ThreadpoolController, "limit", noted)
    inside, leave = threading.Barrier(3), threading.Event()

    def work() -> None:
        for _ in range(50):
            with one_blas_thread():
                pass
        with one_blas_thread():
            inside.wait(10)
            leave.wait(10)

    others = [threading.Thread(target=work) for _ in range(2)]
    with one_blas_thread():
        for other in others:
            other.start()
        inside.wait(10)
        leave.set()
        for other in others:
            other.join()
        assert set(threads()) == {1}
    assert told == [1]
    assert threads() == before
    assert blas_threads._LIMIT.users == 0


def test_a_block_that_fails_frees_it(before: list[int]) -> None:
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert threads() == before


def test_a_session_has_one_thread_from_its_beginning_to_its_end(before: list[int]) -> None:
    with open_session():
        assert set(threads()) == {1}
        with open_session():
            pass
        assert set(threads()) == {1}
    assert threads() == before


BUSY = """
import threading, time
import numpy as np
from lipdub.process.blas_threads import one_blas_thread

left, right, done = np.ones((300, 50)), np.ones((50, 300)), []

def multiply():
    while len(done) < 3000:
        done.append((left @ right)[0, 0])

with one_blas_thread():
    thread = threading.Thread(target=multiply, daemon=True)
    thread.start()
    while thread.is_alive():
        with one_blas_thread():
            time.sleep(0.0001)
print(len(done))
"""


def test_products_end_while_other_threads_ask_for_one_thread() -> None:
    """Blocks that begin and end beside products do not disturb them."""
    told = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout == "3000\n"


def test_nothing_else_sets_it() -> None:
    root = Path(lipdub.__file__).parent
    users = [file.relative_to(root) for file in root.rglob("*.py") if "threadpoolctl import" in file.read_text("utf-8")]
    assert users == [Path("process", "blas_threads.py")]
