"""Weights in 8 bits: how near they are, and checkpoints that are published with them."""

# ruff: noqa: E402

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("safetensors")

from safetensors import safe_open
from safetensors.torch import save_file

from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.eight_bits import FP8, EightBitLinear, dequantised, quantised
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.errors import WeightsError

WIDTH = 32


def test_rows_with_their_own_scale_are_nearer_than_a_plain_cast(far):
    torch.manual_seed(0)
    weight = torch.randn(64, 256) * 0.02 * torch.logspace(-2, 0, 64)[:, None]
    scaled = dequantised(*quantised(weight))
    assert far(scaled, weight) < 0.03
    assert far(weight.to(FP8).float(), weight) > 0.03
    assert torch.equal(dequantised(*quantised(torch.zeros(2, 3))), torch.zeros(2, 3))


def _transformer(path, placement, transform=None):
    return read_modules(path, ["transformer"], WIDTH, placement, transform)["transformer"]


def test_gates_norms_and_biases_stay_exact(files):
    model = _transformer(files / "ckpt.safetensors", WeightPlacement("cpu", torch.bfloat16, fp8=True))
    kinds = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert kinds["transformer_blocks.0.attn1.to_q.weight"] == FP8
    assert kinds["transformer_blocks.0.ff.net.0.proj.weight"] == FP8
    exact = [name for name, kind in kinds.items() if kind != FP8]
    for part in ("to_gate_logits.weight", "to_q.bias", "norm_q.weight"):
        assert f"transformer_blocks.0.attn1.{part}" in exact
    assert all(name.startswith("transformer_blocks.") for name in kinds.keys() - set(exact))


@pytest.fixture(scope="module", params=["one scale", "a scale for each row", "older names"])
def published(request, files, tmp_path_factory):
    """The tiny checkpoint as others publish theirs: the blocks' matrices in 8 bits with scales, and extra tensors."""
    tensors = {}
    with safe_open(files / "ckpt.safetensors", "pt") as file:
        metadata = file.metadata()
        for name in file.keys():  # noqa: SIM118
            tensor = file.get_tensor(name)
            if ".transformer_blocks." in name and tensor.ndim == 2 and name.endswith(("to_q.weight", "proj.weight")):
                largest = tensor.abs().max() if request.param != "a scale for each row" else tensor.abs().amax(1, True)
                scale = largest / 448
                stem = name.removesuffix(".weight")
                tensors[stem + (".scale_weight" if request.param == "older names" else ".weight_scale")] = scale
                tensors[f"{stem}.input_scale"] = torch.tensor(1.0)
                tensor = (tensor / scale).to(FP8)
            tensors[name] = tensor
    path = tmp_path_factory.mktemp("scaled") / "scaled.safetensors"
    save_file(tensors, path, metadata)
    return path


def _query(model):
    return model.transformer_blocks[1].attn1.to_q


def test_published_weights_with_scales_are_read_exactly(published, files, far):
    plain = _query(_transformer(files / "ckpt.safetensors", WeightPlacement("cpu", torch.float32)))
    with safe_open(published, "pt") as file:
        name = "model.diffusion_model.transformer_blocks.1.attn1.to_q"
        stored = file.get_tensor(f"{name}.weight")
        scale = next(file.get_tensor(f"{name}.{end}") for end in ("weight_scale", "scale_weight")
                     if f"{name}.{end}" in file.keys())  # noqa: SIM118  # fmt: skip
    expected = stored.float() * scale
    whole = _query(_transformer(published, WeightPlacement("cpu", torch.float32)))
    assert torch.equal(whole.weight, expected)
    assert far(whole.weight, plain.weight) < 0.04
    small = _query(_transformer(published, WeightPlacement("cpu", torch.float32, fp8=True)))
    assert isinstance(small, EightBitLinear)
    assert torch.equal(small.weight.view(torch.uint8), stored.view(torch.uint8)), "kept as published"
    x = torch.randn(3, whole.in_features)
    assert far(small(x), whole(x)) < 1e-6


def test_a_lora_is_added_to_published_weights_in_8_bits(published, far):
    def transform(name, tensor):
        return tensor + 0.01 if name.endswith("to_q.weight") else tensor

    exact = _query(_transformer(published, WeightPlacement("cpu", torch.float32), transform))
    small = _query(_transformer(published, WeightPlacement("cpu", torch.float32, fp8=True), transform))
    assert far(dequantised(small.weight, small.weight_scale), exact.weight) < 0.03


def test_a_scale_of_another_size_is_refused(published, tmp_path):
    with safe_open(published, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    scale = next(name for name in tensors if name.endswith(("weight_scale", "scale_weight")))
    tensors[scale] = torch.ones(5)
    save_file(tensors, tmp_path / "odd.safetensors", metadata)
    with pytest.raises(WeightsError, match="has 5 numbers"):
        _transformer(tmp_path / "odd.safetensors", WeightPlacement("cpu", torch.float32))
    assert json.loads(metadata["config"])
