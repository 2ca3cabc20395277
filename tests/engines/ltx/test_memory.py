"""Memory plans for GPUs of every size, and pipelines loaded as planned: their results, and that they free memory."""

# ruff: noqa: E402

import gc
import weakref
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lipdub.engines.ltx import load_pipeline as loading
from lipdub.engines.ltx import memory, prompt_cache
from lipdub.engines.ltx.generation import GenerationSize, MemoryOptions, SourceVideo
from lipdub.engines.ltx.load_pipeline import check_attention, load_pipeline
from lipdub.engines.ltx.memory import (
    GB,
    ComputeDevice,
    MemoryPlan,
    WeightCounts,
    count_weights,
    describe_plan,
    detect_device,
    plan_memory,
)
from lipdub.engines.ltx.placement import TextEncoderPlacement
from lipdub.engines.ltx.tiles import TileSize
from lipdub.engines.ltx.weights_folder import find_files
from lipdub.errors import MachineError, OptionError, WeightsError

A = "a_dubit_ds1_25fps"
FULL = WeightCounts(19_000_000_000, 1_500_000_000, 15_000_000_000, 4096)
"""Approximately the published model."""

WINDOW = GenerationSize(121, Fraction(25), 768, 768)


def _card(gb: float, host: float = 128, capability: tuple[int, int] = (8, 9), device: str = "cuda") -> ComputeDevice:
    return ComputeDevice(device, int(gb * 0.97 * GB), int(host * 0.9 * GB), capability, "a card")


@pytest.mark.parametrize(
    ("gb", "host", "exact", "streamed"),
    [
        (80, 64, True, False),
        (48, 64, True, False),
        (32, 64, True, True),
        (24, 64, True, True),
        (16, 64, True, True),
        (12, 64, True, True),
        (80, 16, True, False),
        (32, 38, False, False),
        (24, 38, False, True),
        (24, 32, False, True),
    ],
)
def test_a_gpu_gets_the_most_exact_weights_that_fit(gb, host, exact, streamed):
    plan = plan_memory(_card(gb, host), FULL, WINDOW)
    assert (plan.exact, plan.streamed) == (exact, streamed)
    assert plan.device_bytes <= gb * 0.97 * GB
    assert plan.host_bytes <= host * 0.9 * GB
    assert plan.placement.device == ("cpu" if streamed else "cuda")
    assert plan.placement.fp8 is not exact


def test_small_gpus_get_small_tiles_and_large_ones_those_of_the_reference():
    assert plan_memory(_card(80), FULL, WINDOW).memory == MemoryOptions(TileSize(), offload=False)
    small = plan_memory(_card(12), FULL, WINDOW).memory
    assert small.offload
    assert small.tiles.side < 768


def test_the_text_encoder_has_the_gpu_to_itself_first_where_it_fits():
    assert plan_memory(_card(80), FULL, WINDOW).first_encoder_placement == TextEncoderPlacement("cuda", torch.bfloat16)
    assert plan_memory(_card(16), FULL, WINDOW).first_encoder_placement == TextEncoderPlacement(
        "cuda", torch.bfloat16, offload=True
    )
    assert plan_memory(_card(140), FULL, WINDOW).text_encoder == "device"


def test_larger_windows_need_more_and_more_memory_never_gives_a_worse_plan():
    sides = (256, 512, 768, 1024, 1536)
    needs = [memory.forward_bytes(4096, GenerationSize(121, Fraction(25), side, side)) for side in sides]
    assert needs == sorted(needs)
    kinds = []
    for gb in range(10, 100, 2):
        plan = plan_memory(_card(gb), FULL, GenerationSize(121, Fraction(25), 512, 512))
        kinds.append((plan.exact, not plan.streamed, plan.memory.tiles.side))
    assert kinds == sorted(kinds, key=lambda kind: kind[:2])


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (
            _card(8),
            r"needs \d+\.\d GB on the GPU for windows of 121 frames of 768 x 768, and 7\.8 GB.*size=\d+",
        ),
        (_card(2), r"and 1\.9 GB are free\. .*--engine exemplar"),
        (_card(24, 16), r"needs 2\d GB of free main memory beside this GPU and there are 14 GB\. .*--engine exemplar"),
        (_card(24, capability=(7, 5)), r"capability 7\.5, and LTX needs 8\.0.*--engine exemplar"),
        (ComputeDevice("cpu", 10**12, 10**12), "no GPU was found.*--engine exemplar.*device=cpu insists"),
        (ComputeDevice("cpu", 10**10, 10**10, chosen=True), "needs 5. GB of free memory and there are 10 GB"),
        (_card(32, 32, device="mps"), r"GB are free"),
    ],
)
def test_a_device_with_too_little_memory_is_refused_with_the_numbers(device, message):
    with pytest.raises(MachineError, match=message):
        plan_memory(device, FULL, WINDOW)


def test_the_size_in_the_remedy_fits():
    with pytest.raises(MachineError) as refused:
        plan_memory(_card(8), FULL, WINDOW)
    side = int(str(refused.value).split("size=")[1].rstrip("."))
    plan_memory(_card(8), FULL, replace(WINDOW, height=side, width=side))
    with pytest.raises(MachineError):
        plan_memory(_card(8), FULL, replace(WINDOW, height=side + 64, width=side + 64))


def test_other_devices_have_plans():
    apple = plan_memory(ComputeDevice("mps", 96 * GB, 96 * GB), FULL, WINDOW)
    assert (apple.exact, apple.streamed, apple.text_encoder) == (True, False, "cpu")
    assert plan_memory(ComputeDevice("cpu", 60 * GB, 60 * GB, chosen=True), FULL, WINDOW).dtype == torch.bfloat16
    assert plan_memory(ComputeDevice("cpu", 120 * GB, 120 * GB, chosen=True), FULL, WINDOW).dtype == torch.float32


def test_the_cpu_is_detected_and_a_missing_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    device = detect_device()
    assert (device.device, device.chosen) == ("cpu", False)
    assert device.host > GB / 10
    assert detect_device("cpu").chosen
    for device in ("cuda", "cuda:1", "mps"):
        with pytest.raises(MachineError, match="--engine exemplar"):
            detect_device(device)


def test_a_gpu_is_measured(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda at: (7, 9))
    properties = SimpleNamespace(major=9, minor=0, name="a card")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda at: properties)
    device = detect_device()
    assert (device.device, device.free, device.capability, device.name) == ("cuda", 7, (9, 0), "a card")
    assert detect_device("cuda:0").device == "cuda:0"
    with pytest.raises(MachineError, match="no GPU 'cuda:1' here, only 1"):
        detect_device("cuda:1")


@pytest.fixture(scope="module")
def paths(files):
    return find_files(files, "lora_ds1.safetensors", say=lambda line: None)


def test_weights_are_counted_from_the_headers(paths, pipes):
    counts, pipe = count_weights(paths), pipes("lora_ds1.safetensors")

    def count(*modules):
        return sum(tensor.numel() for module in modules for tensor in module.state_dict().values())

    modules = pipe.modules
    assert counts.transformer == count(modules.transformer)
    assert counts.others == count(modules.video_vae, modules.audio_vae, modules.vocoder, pipe.upsampler)
    assert counts.text_encoder >= count(modules.connectors, pipe.text_encoder.model)
    assert counts.width == 64


def test_a_plan_is_described(paths):
    lines = describe_plan(plan_memory(_card(24, 38), FULL, WINDOW))
    assert lines[0] == "transformer: 8 bits (e4m3), streamed from main memory to cuda, attention native"
    assert "not measured" in lines[-1]
    here = plan_memory(detect_device("cpu"), count_weights(paths), WINDOW)
    assert describe_plan(here)[0] == "transformer: float32, on cpu, attention native"


@pytest.fixture(scope="module")
def small():
    """Nine frames and their sound."""
    rng = np.random.default_rng(3)
    from lipdub.timeline.sound import Sound

    sound = Sound(rng.normal(0, 0.1, (1, 8_000)).astype(np.float32), 16_000)
    return SourceVideo(rng.integers(0, 256, (9, 64, 64, 3), np.uint8), Fraction(25)), sound


@pytest.fixture(scope="module")
def plain(small, pipes):
    """The context, and the latent of the small dub, in float32 and with everything in its place."""
    pipe = pipes("lora_ds1.safetensors")
    context = pipe.context("abc")
    return context, pipe(*small, context, dub=small[1], height=64, width=64).video_latent


PLANS = {
    "whole": (MemoryPlan("cpu", full_precision=True), 1e-6),
    "offloaded": (
        MemoryPlan("cpu", full_precision=True, memory=MemoryOptions(offload=True), text_encoder="streamed"),
        1e-6,
    ),
    "streamed": (MemoryPlan("cpu", full_precision=True, streamed=True, text_encoder="cpu"), 1e-6),
    "half": (MemoryPlan("cpu"), 5e-2),
    "eight bits": (MemoryPlan("cpu", exact=False), 0.2),
    "eight bits, streamed": (
        MemoryPlan("cpu", exact=False, full_precision=True, streamed=True, encoder_first=True),
        0.2,
    ),
    "math attention": (MemoryPlan("cpu", full_precision=True, attention="_native_math"), 1e-5),
}


_SLOW = [name for name, (plan, _) in PLANS.items() if not plan.full_precision]
"""CPUs without bfloat16 are slow in it."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in _SLOW else ()) for n in PLANS])
def test_every_plan_gives_the_same_dub_within_its_precision(name, paths, small, plain, far):
    plan, bound = PLANS[name]
    context, latent = plain
    pipe = load_pipeline(paths, plan)
    prompt = "abc" if name == "offloaded" else tuple(half.to(plan.dtype) for half in context)
    made = pipe(*small, prompt, dub=small[1], height=64, width=64)
    assert pipe.dtype == plan.dtype
    assert made.video_latent.dtype == plan.dtype
    assert far(made.video_latent, latent) < bound
    if not plan.exact:
        kinds = {p.dtype for n, p in pipe.modules.transformer.named_parameters() if ".to_q.weight" in n}
        assert kinds == {torch.float8_e4m3fn}


def test_prepared_prompts_are_encoded_and_the_encoder_is_freed(paths, monkeypatch, pipes, far):
    alive = []

    def watched(*args):
        encoder, connectors = read(*args)
        alive.extend((weakref.ref(encoder.model), weakref.ref(connectors)))
        return encoder, connectors

    read = prompt_cache.read_encoder
    monkeypatch.setattr(prompt_cache, "read_encoder", watched)
    pipe = load_pipeline(paths, MemoryPlan("cpu", full_precision=True), ("abc", "abd", "abc"))
    assert [ref() for ref in alive] == [None, None]
    assert pipe.modules.connectors is None
    assert far(pipe.context("abc")[0], pipes("lora_ds1.safetensors").context("abc")[0]) < 1e-6
    assert len(alive) == 2, "the text encoder was read once for both prompts"
    pipe.prepare_prompts(("later", "latest"))
    pipe.context("latest")
    assert len(alive) == 4
    assert [ref() for ref in alive] == [None] * 4
    gone = [weakref.ref(pipe.modules.transformer), weakref.ref(pipe.modules.video_vae)]
    del pipe
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_stored_contexts_need_no_text_encoder(paths, tmp_path, monkeypatch):
    placement = TextEncoderPlacement("cpu", torch.float32)
    first = prompt_cache.PromptCache(paths, placement, tmp_path / "kept")
    context = first.context("abc")
    (kept,) = (tmp_path / "kept").iterdir()

    def no(*_: object) -> None:
        raise AssertionError("the text encoder was read")

    with monkeypatch.context() as patch:
        patch.setattr(prompt_cache, "read_encoder", no)
        again = prompt_cache.PromptCache(paths, placement, tmp_path / "kept").context(" abc ")
        assert all(torch.equal(a, b) for a, b in zip(context, again, strict=True))
        for other in (
            prompt_cache.PromptCache(paths, TextEncoderPlacement(), tmp_path / "kept"),
            prompt_cache.PromptCache(paths, placement),
        ):
            with pytest.raises(AssertionError):
                other.context("abc")
    whole = kept.read_bytes()
    for damaged in (b"damaged", whole[:-4], whole[:-1] + bytes([whole[-1] ^ 1])):
        kept.write_bytes(damaged)
        repaired = prompt_cache.PromptCache(paths, placement, tmp_path / "kept").context("abc")
        assert torch.equal(repaired[0], context[0])
        assert torch.equal(repaired[1], context[1])
        assert kept.read_bytes() == whole
    assert list((tmp_path / "kept").iterdir()) == [kept]


def test_other_files_have_another_digest(paths, files, tmp_path):
    copy = tmp_path / "ckpt.safetensors"
    data = bytearray((files / "ckpt.safetensors").read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    assert prompt_cache.files_digest(replace(paths, checkpoint=copy)) != prompt_cache.files_digest(paths)
    assert prompt_cache.files_digest(replace(paths, lora=tmp_path)) == prompt_cache.files_digest(paths)


def test_files_that_do_not_fit_together_are_refused_before_large_data_are_read(paths, files, monkeypatch):
    with pytest.raises(WeightsError, match="not a LoRA"):
        load_pipeline(replace(paths, lora=files / "upsampler.safetensors"), MemoryPlan("cpu"))
    monkeypatch.setattr(prompt_cache, "text_encoder_shape", lambda folder: ("gemma3", 32, 49))
    with pytest.raises(WeightsError, match="gives 49 hidden states and the checkpoint wants 3"):
        load_pipeline(paths, MemoryPlan("cpu"), ("abc",))


def test_prompts_encoded_layer_by_layer_equal_those_of_the_whole_encoder(paths, pipes, monkeypatch, far):
    """More prompts than are encoded at once, of several lengths; no prompt's context depends on the others."""
    monkeypatch.setattr(prompt_cache, "PROMPTS_AT_ONCE", 2)
    layered = TextEncoderPlacement("cpu", torch.float32, offload=True)
    prompts = ["abc", "a longer one " * 9, "d"]
    cache = prompt_cache.PromptCache(paths, layered)
    cache.prepare(prompts)
    for prompt in prompts:
        for made, whole in zip(cache.context(prompt), pipes("lora_ds1.safetensors").context(prompt), strict=True):
            assert far(made, whole) < 1e-6
        for made, alone in zip(
            cache.context(prompt), prompt_cache.PromptCache(paths, layered).context(prompt), strict=True
        ):
            assert torch.equal(made, alone)


def test_layer_by_layer_no_more_than_a_layer_of_the_encoder_is_held(paths, monkeypatch):
    """What is read is noted, and whether it was freed when the next layer is read."""
    read = prompt_cache.TextEncoderFiles._read
    layers: list[weakref.ref] = []

    def watched(self, module, prefix):
        gc.collect()
        assert all(ref() is None for ref in layers)
        read(self, module, prefix)
        if prefix.startswith("layers."):
            layers.extend(weakref.ref(tensor) for tensor in module.state_dict().values())

    monkeypatch.setattr(prompt_cache.TextEncoderFiles, "_read", watched)
    placement = TextEncoderPlacement("cpu", torch.float32, offload=True)
    prompt_cache.PromptCache(paths, placement).context("abc")
    gc.collect()
    assert layers
    assert all(ref() is None for ref in layers)


def test_the_text_encoder_is_freed_before_the_transformer_is_read(paths, monkeypatch):
    for plan in (MemoryPlan("cpu", full_precision=True), MemoryPlan("cpu", full_precision=True, text_encoder="cpu")):
        alive: list[weakref.ref] = []
        made = prompt_cache.TextEncoderFiles.__init__

        def noted(self, *args, made=made, alive=alive):
            made(self, *args)
            alive.append(weakref.ref(self.model))

        def modules(*args, read=loading.read_modules, alive=alive):
            assert [ref() for ref in alive] == [None]
            return read(*args)

        with monkeypatch.context() as patch:
            patch.setattr(prompt_cache.TextEncoderFiles, "__init__", noted)
            patch.setattr(loading, "read_modules", modules)
            load_pipeline(paths, plan, ("abc",))


def test_on_apples_gpus_rotary_embeddings_are_computed_on_the_cpu(paths, small, plain, far):
    """Apple's GPU is a stand-in: the meta device refuses nothing, so what the modules are given is looked at."""
    from diffusers.models.transformers.transformer_ltx2 import LTX2AudioVideoRotaryPosEmbed

    from lipdub.engines.ltx.transformer import compute_rotary_on_cpu

    pipe = load_pipeline(paths, MemoryPlan("cpu", full_precision=True))
    compute_rotary_on_cpu(pipe.modules.transformer, torch.device("meta"))
    ropes = [m for m in pipe.modules.transformer.modules() if isinstance(m, LTX2AudioVideoRotaryPosEmbed)]
    assert len(ropes) == 4
    for rope in ropes:
        axes = 3 if rope.modality == "video" and rope is pipe.modules.transformer.rope else 1
        made = rope(torch.rand(1, axes, 5, 2), device=torch.device("meta"))
        assert {tensor.device.type for tensor in made} == {"meta"}
    pipe = load_pipeline(paths, MemoryPlan("cpu", full_precision=True))
    compute_rotary_on_cpu(pipe.modules.transformer, torch.device("cpu"))
    assert far(pipe(*small, plain[0], dub=small[1], height=64, width=64).video_latent, plain[1]) < 1e-6


def test_attention_is_chosen_by_name_and_unknown_names_are_refused(paths):
    check_attention("native")
    check_attention("flash")
    with pytest.raises(OptionError, match=r"no attention 'fast'\. Choose .*native"):
        check_attention("fast")
    plan = MemoryPlan("cpu", full_precision=True, attention="flash_hub" * 2)
    with pytest.raises(OptionError, match="cannot be used here"):
        load_pipeline(paths, plan)
