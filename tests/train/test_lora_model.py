"""The model in training: which layers learn and how fast, bases in 8 bits, and texts that still need the connectors."""

# ruff: noqa: E402

import pytest

torch = pytest.importorskip("torch")
for package in ("diffusers", "transformers", "peft", "accelerate"):
    pytest.importorskip(package)

from torch import nn

from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.lora import read_lora
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.engines.ltx.text_encoder import encode_prompt, read_text_encoder
from lipdub.errors import WeightsError
from lipdub.train.base_files import find_checkpoint
from lipdub.train.frozen_linear import FrozenLinear, freeze_linears, quantise_rows
from lipdub.train.latent_folder import TextCondition
from lipdub.train.lora_model import LoraModel, connect, learning_rates, read_model
from lipdub.train.run_cost import count_cost
from lipdub.train.training_recipe import LoraOptions, OptimiserOptions, recipe_of

EXACT = WeightPlacement("cpu", torch.float32)


@pytest.fixture(scope="module")
def model(ltx_files) -> LoraModel:
    torch.set_num_threads(1)
    recipe = recipe_of({"base": {"weights": "a", "hold": "float32", "device": "cpu"}, "data": {"folder": "b"}})
    return read_model(ltx_files / "ckpt.safetensors", recipe.base, LoraOptions(4, 4.0), 0, texts=True)


def test_the_layers_that_learn_are_those_of_the_published_lora(model, ltx_files):
    published = read_lora(ltx_files / "lora_ds1.safetensors").pairs
    learnt = {name.rsplit(".lora_", 1)[0] for name in model.parameters()}
    assert learnt == published.keys()
    asked = [p for p in model.transformer.parameters() if p.requires_grad]
    assert {id(p) for p in asked} == {id(p) for p in model.parameters().values()}


def test_the_sounds_own_layers_have_their_own_rate(model):
    rates = learning_rates(model.parameters(), OptimiserOptions())
    slow = {name.split(".")[2] for name, rate in rates.items() if rate == 1e-6}
    assert slow == {"audio_attn1", "audio_attn2", "audio_ff"}
    fast = {name.split(".")[2] for name, rate in rates.items() if rate == 2e-4}
    assert fast == {"attn1", "attn2", "ff", "audio_to_video_attn", "video_to_audio_attn"}


def test_the_same_seed_draws_the_same_lora(ltx_files, model):
    recipe = recipe_of({"base": {"weights": "a", "hold": "float32", "device": "cpu"}, "data": {"folder": "b"}})
    again = read_model(ltx_files / "ckpt.safetensors", recipe.base, LoraOptions(4, 4.0), 0, texts=False)
    for name, parameter in model.parameters().items():
        assert torch.equal(parameter, again.parameters()[name])
        assert name.endswith("lora_A") or not parameter.any()


def test_texts_before_the_connectors_become_the_engines_contexts(model, ltx_files):
    encoder = read_text_encoder(ltx_files / "gemma", EXACT)
    connectors = read_modules(ltx_files / "ckpt.safetensors", ["connectors"], encoder.width, EXACT)["connectors"]
    caught = {}
    hooks = [
        getattr(connectors, f"{modality}_text_proj_in").register_forward_hook(
            lambda _, args, made, modality=modality: caught.update({modality: made})
        )
        for modality in ("video", "audio")
    ]
    expected = encode_prompt(encoder, connectors, "A woman says: hola")
    for hook in hooks:
        hook.remove()
    mask = encoder.tokens("A woman says: hola")[1]
    made = model.context(TextCondition(caught["video"], caught["audio"], mask, encoded=False))
    for one, other in zip(made, expected, strict=True):
        assert (one - other).norm() < 1e-6 * other.norm()
    wrong = connect(model.connectors, TextCondition(caught["video"], caught["audio"], torch.ones_like(mask), False))
    assert (wrong[0] - expected[0]).norm() > 1e-2 * expected[0].norm()


def test_a_layer_in_8_bits_is_near_and_its_gradient_is_that_of_its_own_weight():
    torch.manual_seed(1)
    layer = nn.Linear(64, 48)
    frozen = FrozenLinear(layer, small=True)
    held, scale = quantise_rows(layer.weight.data)
    assert frozen.weight.dtype == torch.int8
    x = torch.randn(5, 64, requires_grad=True)
    made = frozen(x)
    assert (made - layer(x)).norm() < 0.01 * layer(x).norm()
    (gradient,) = torch.autograd.grad(made.square().sum(), x)
    own = held.float() * scale
    (expected,) = torch.autograd.grad((x @ own.T + layer.bias).square().sum(), x)
    assert torch.allclose(gradient, expected, rtol=1e-5)
    exact = FrozenLinear(layer, small=False)
    assert torch.equal(exact(x), nn.functional.linear(x, layer.weight) + layer.bias)


def test_all_linear_layers_of_a_block_are_replaced(ltx_files):
    read = read_modules(ltx_files / "ckpt.safetensors", ["transformer"], 32, EXACT)["transformer"]
    block = read.get_submodule("transformer_blocks.0")
    count = sum(isinstance(module, nn.Linear) for module in block.modules())
    assert freeze_linears(block, small=True) == count
    assert all(isinstance(m, FrozenLinear) for m in block.modules() if isinstance(m, nn.Linear))


def test_memory_and_time_are_counted_from_what_is_held(model):
    tables = {"base": {"weights": "a"}, "data": {"folder": "b"}}
    cost = count_cost(model, recipe_of(tables), 100)
    frozen = sum(p.numel() for p in model.transformer.parameters() if not p.requires_grad)
    learnt = sum(p.numel() for p in model.parameters().values())
    assert cost.weights == frozen * 4
    assert cost.learnt == learnt * 16
    assert cost.flop == 2 * 3 * 100 * (frozen + learnt)
    more = count_cost(model, recipe_of({**tables, "run": {"ema": 0.9, "accumulate": 2}}), 100)
    assert more.learnt == learnt * 20
    assert more.flop == 2 * cost.flop
    lines = cost.lines(10, "cuda")
    assert "counted, not measured" in lines[0]
    assert "10 steps" in lines[1]


def test_the_checkpoint_is_found_without_a_lora_beside_it(ltx_files, tmp_path):
    assert find_checkpoint(ltx_files) == ltx_files / "ckpt.safetensors"
    with pytest.raises(WeightsError, match="no checkpoint is in it"):
        find_checkpoint(tmp_path)
    with pytest.raises(WeightsError, match="no such checkpoint"):
        find_checkpoint(tmp_path / "nothing")
