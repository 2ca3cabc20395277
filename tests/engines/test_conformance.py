"""The suite that every engine passes, over the engines that ship."""

import json
import sys
from pathlib import Path

import pytest
from conformance import Conformance

from lipdub.engines.exemplar.engine import ExemplarEngine
from lipdub.engines.fake import FakeEngine
from lipdub.engines.ltx.engine import LtxEngine
from lipdub.engines.ltx.options import LtxOptions

GOLDEN = Path(__file__).parents[1] / "golden"


class TestFake(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return FakeEngine()


class TestExemplar(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return ExemplarEngine()


class TestLtx(Conformance):
    """With tiny weights in the published layout, on the CPU: what comes out is noise, and all else is as it will be."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory: pytest.TempPathFactory):
        torch = pytest.importorskip("torch")
        for name in ("diffusers", "transformers"):
            pytest.importorskip(name)
        from lipdub.engines.ltx.checkpoint import Placement
        from lipdub.engines.ltx.model import DubIt
        from lipdub.engines.ltx.pipeline import Files, LipDubPipeline

        folder = tmp_path_factory.mktemp("weights")
        sys.path.insert(0, str(GOLDEN))
        try:
            import make_checkpoint
        finally:
            sys.path.remove(str(GOLDEN))
        make_checkpoint.write(folder, json.loads((GOLDEN / "layout.json").read_text(encoding="utf-8")))
        torch.set_num_threads(1)
        names = ("ckpt.safetensors", "upsampler.safetensors", "gemma", "lora_ds1.safetensors")
        pipeline = LipDubPipeline.from_files(Files(*(folder / name for name in names)), Placement("cpu", torch.float32))
        return LtxEngine(LtxOptions(size=64, frames=25, overlap=8), loader=lambda prompts: DubIt(pipeline))
