"""Array shapes in signatures are checked while tests run; property tests draw the same examples every time."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("lipdub", "beartype.beartype")

settings.register_profile("house", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell begins background jobs so, and the programs that tests start and interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


_COMPILED = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Compiled modules are kept during a run, as an installation keeps them: tests begin hundreds of programs."""
    if hasattr(config, "workerinput") or "PYTHONPYCACHEPREFIX" in os.environ:
        return
    config.stash[_COMPILED] = os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="lipdub-compiled-")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove them."""
    if _COMPILED in config.stash:
        shutil.rmtree(config.stash[_COMPILED], ignore_errors=True)


@pytest.fixture(autouse=True)
def priority_stays() -> Iterator[None]:
    """A test that leaves its thread with another priority would slow down all others, or stop them."""
    before = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None
    yield
    if before is not None and os.sched_getscheduler(0) != before:
        os.sched_setscheduler(0, before, os.sched_param(0))
        pytest.fail("the test left its thread with another scheduling policy")
