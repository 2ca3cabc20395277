"""The tiny checkpoint and the recordings of the reference implementation, for the tests of training."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(Path(__file__).parent))  # for ltx_data, which several tests import


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
