"""A device (a stand-in) that runs out of memory while a window is generated: less memory, then an error."""

# ruff: noqa: E402

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lipdub.engines.ltx import relief
from lipdub.engines.ltx.load_pipeline import load_pipeline
from lipdub.engines.ltx.memory import MemoryPlan
from lipdub.engines.ltx.tiles import TileSize
from lipdub.engines.ltx.weights_folder import find_files
from lipdub.engines.ltx.window_model import DubItModel, WindowRequest
from lipdub.errors import MachineError
from lipdub.timeline.sound import Sound


@pytest.fixture
def pipeline(files):
    paths = find_files(files, "lora_ds1.safetensors", say=lambda line: None)
    return load_pipeline(paths, MemoryPlan("cpu", full_precision=True), ("abc",))


@pytest.fixture
def request_():
    rng = np.random.default_rng(3)
    sound = Sound(rng.normal(0, 0.1, (1, 8_000)).astype(np.float32), 16_000)
    return WindowRequest(rng.integers(0, 256, (9, 64, 64, 3), np.uint8), Fraction(25), sound, sound, "abc", seed=5)


def _exhausted_while(monkeypatch, pipeline, name, enough):
    """Let the pipeline's step ``name`` run out of memory until ``enough(pipeline)``; returns the list of failures."""
    failed = []
    whole = getattr(pipeline, name)

    def step(*args, **options):
        made = whole(*args, **options)
        if not enough(pipeline):
            failed.append(name)
            raise torch.OutOfMemoryError("CUDA out of memory (a stand-in)")
        return made

    monkeypatch.setattr(pipeline, name, step)
    return failed


def test_the_video_vae_gets_smaller_tiles(monkeypatch, pipeline, request_, caplog):
    failed = _exhausted_while(monkeypatch, pipeline, "video_reference", lambda p: p.memory.tiles.side <= 384)
    made = DubItModel(pipeline)(request_)
    assert len(failed) == 3
    assert pipeline.memory.tiles == TileSize(384, (32, 16))
    assert made.frames.shape == request_.frames.shape
    assert "made again with tiles of 384 pixels" in caplog.text


def test_the_transformer_is_streamed_and_the_window_is_the_same(monkeypatch, pipeline, request_):
    plain = DubItModel(pipeline)(request_)
    failed = _exhausted_while(monkeypatch, pipeline, "run_stage", lambda p: p.streamed)
    made = DubItModel(pipeline)(request_)
    assert len(failed) == 2, "once for the other networks, once for the transformer"
    assert pipeline.memory.offload
    assert pipeline.memory.tiles == TileSize(), "tiles do not help the transformer"
    assert np.array_equal(made.frames, plain.frames)
    assert np.array_equal(DubItModel(pipeline)(request_).frames, plain.frames)


def test_what_is_finished_is_not_made_again(monkeypatch, pipeline, request_):
    """The second of two windows runs out of memory; the first was called once."""
    calls = []
    whole = pipeline.run_stage

    def stage(*args, **options):
        calls.append(pipeline.streamed)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("a stand-in")
        return whole(*args, **options)

    monkeypatch.setattr(pipeline, "run_stage", stage)
    model = DubItModel(pipeline)
    first, second = model(request_), model(request_)
    assert len(calls) == 2 + 1 + 2
    assert np.array_equal(first.frames, second.frames)


def test_in_the_end_the_options_that_help_are_named(monkeypatch, pipeline, request_):
    failed = _exhausted_while(monkeypatch, pipeline, "run_stage", lambda p: False)
    with pytest.raises(MachineError, match=r"windows of 9 frames of 64 x 64.*Close other .*finished is kept"):
        DubItModel(pipeline)(request_)
    assert len(failed) == 3
    usual = str(relief._too_little(pipeline, (121, 768, 768)))
    assert "or try --engine-option size=704 or --engine-option frames=89." in usual


def test_without_main_memory_nothing_is_streamed(monkeypatch, pipeline, request_):
    monkeypatch.setattr(relief, "host_free", lambda: 0)
    _exhausted_while(monkeypatch, pipeline, "run_stage", lambda p: p.streamed)
    with pytest.raises(MachineError):
        DubItModel(pipeline)(request_)


def test_other_errors_pass(monkeypatch, pipeline, request_):
    def broken(*args, **options):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(pipeline, "run_stage", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        DubItModel(pipeline)(request_)
