"""Array shapes in signatures are checked while tests run; property tests draw the same examples every time."""

import compileall
import json
import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

sys.path.append(str(Path(__file__).parents[1]))
from tests.checked_types import check_types

check_types("lipdub")

GOLDEN = Path(__file__).parent / "golden"

os.environ["LIPDUB_VOICE"] = "nanotts"  # tests must not depend on which models are on the machine

settings.register_profile("house", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell begins background jobs so, and the programs that tests start and interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """The package is compiled once, as an installation does it: tests begin hundreds of programs."""
    package = find_spec("lipdub")
    if not hasattr(config, "workerinput") and package is not None:
        for folder in package.submodule_search_locations or ():
            compileall.compile_dir(folder, quiet=2)


@pytest.fixture(autouse=True)
def priority_stays() -> Iterator[None]:
    """A test that leaves its thread with another priority would slow down all others, or stop them."""
    before = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None
    yield
    if before is not None and os.sched_getscheduler(0) != before:
        os.sched_setscheduler(0, before, os.sched_param(0))
        pytest.fail("the test left its thread with another scheduling policy")


@pytest.fixture(scope="session")
def golden() -> SimpleNamespace:
    """The generators of weights and inputs, and what ``cases.json`` says."""
    pytest.importorskip("safetensors")
    sys.path.insert(0, str(GOLDEN))
    try:
        import make_checkpoint
        import make_inputs
    finally:
        sys.path.remove(str(GOLDEN))
    cases = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))
    return SimpleNamespace(checkpoint=make_checkpoint, inputs=make_inputs, cases=cases)


@pytest.fixture(scope="session")
def ltx_files(golden: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny checkpoint, the upsampler, two LoRAs and the text encoder."""
    folder = tmp_path_factory.mktemp("ltx")
    golden.checkpoint.write(folder, json.loads((GOLDEN / "layout.json").read_text(encoding="utf-8")))
    return folder
