"""The suite that every engine passes, over the engines that ship."""

import json
import os
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conformance import Conformance, digest
from drawn import FIRST

from lipdub.engines.exemplar.engine import ExemplarEngine, ExemplarOptions
from lipdub.engines.fake import FakeEngine
from lipdub.engines.ltx.engine import LtxEngine, make
from lipdub.engines.ltx.fake_model import FakeWindowModel
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.seam import EngineSetup, Guide
from lipdub.plugins import fingerprint_of
from lipdub.studio.store import key
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.lines import Line
from lipdub.timeline.patch import Patch

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


class ForgetfulModel(FakeWindowModel):
    """A fake model that does not keep the requests."""

    def __call__(self, request):
        output = super().__call__(request)
        self.requests.clear()
        return output


class TestLtx(Conformance):
    """With tiny weights in the published layout, on the CPU: the pictures are noise, everything else is real."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory: pytest.TempPathFactory):
        torch = pytest.importorskip("torch")
        for name in ("diffusers", "transformers"):
            pytest.importorskip(name)
        torch.set_num_threads(1)
        folder = tmp_path_factory.mktemp("weights")
        sys.path.insert(0, str(GOLDEN))
        try:
            import make_checkpoint
        finally:
            sys.path.remove(str(GOLDEN))
        make_checkpoint.write(folder, json.loads((GOLDEN / "layout.json").read_text(encoding="utf-8")))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LIPDUB_CACHE", str(tmp_path_factory.mktemp("cache")))
            yield make(EngineSetup(folder, {"device": "cpu", "size": "64", "frames": "33", "overlap": "8"}))

    def test_rendering_keeps_less_than_a_kilobyte_of_memory_per_frame(self, engine, tmp_path: Path) -> None:
        """With the fake model: only the engine must not keep memory, and tracing the networks takes half a minute."""
        bare = LtxEngine(LtxOptions(size=64, frames=33, overlap=8), loader=lambda prompts: ForgetfulModel())
        super().test_rendering_keeps_less_than_a_kilobyte_of_memory_per_frame(bare, tmp_path)

    def test_speaks_at_48_kilohertz_and_renders_its_own_voice(self, study, clip) -> None:
        times = FrameTimes(np.arange(FIRST + clip.frames), Fraction(1, 25))
        span = times.span(FIRST + 3, FIRST + 20)
        guide = Guide(None, None, None, (Cue(span, 1, Line("Hola", span, "es"), id="c1"),), times)
        voice = study.speak(guide, clip.views())
        assert (voice.rate, voice.span) == (48_000, span)
        assert np.isfinite(voice.samples).all()
        assert voice.samples.any()
        played = list(study.render(replace(guide, dub_sound=voice, own_voice=frozenset({"c1"})), clip.views()))
        assert digest(played) == digest(list(study.render(guide, clip.views())))
        assert [isinstance(a, Patch) for a in played] == [3 <= row < 17 or row == 19 for row in range(clip.frames)]


def test_other_options_give_another_fingerprint(tmp_path: Path) -> None:
    def name(engine) -> str:
        return key(fingerprint_of(engine))

    assert name(ExemplarEngine()) == name(ExemplarEngine(ExemplarOptions()))
    assert name(ExemplarEngine()) != name(ExemplarEngine(ExemplarOptions(library=10)))
    assert name(ExemplarEngine()) != name(FakeEngine())

    def given(**options) -> LtxEngine:
        return LtxEngine(LtxOptions(**options), loader=lambda prompts: FakeWindowModel())

    assert name(given()) == name(given())
    assert name(given()) != name(given(size=64))


def test_the_model_files_are_part_of_the_ltx_fingerprint(tmp_path: Path) -> None:
    from lipdub.engines.ltx.weights_folder import LtxFiles
    from lipdub.engines.ltx.window_model import files_fingerprint

    for file in ("checkpoint", "upsampler", "lora"):
        (tmp_path / file).write_bytes(b"1")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "model.safetensors").write_bytes(b"1")
    (tmp_path / "text" / "tokenizer.json").write_bytes(b"1")
    files = LtxFiles(*(tmp_path / name for name in ("checkpoint", "upsampler", "text", "lora")))
    first = files_fingerprint(files)
    assert files_fingerprint(files) == first
    for changed in ("checkpoint", "upsampler", "lora", "text/model.safetensors", "text/tokenizer.json"):
        os.utime(tmp_path / changed, (len(changed), 5))
        assert files_fingerprint(files) != first, changed
        first = files_fingerprint(files)
