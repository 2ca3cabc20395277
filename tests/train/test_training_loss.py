"""The loss of a training step, and its gradients, equal the recordings of the reference implementation."""

# ruff: noqa: E402

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from safetensors.torch import load_file

from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.lora import read_lora
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.errors import OptionError
from lipdub.train.noise_levels import draw_noise, fixed_draw, shift_of, step_generator
from lipdub.train.noise_options import NoiseOptions
from lipdub.train.training_loss import NoiseDraw, TrainingSample, training_inputs, training_loss

GOLDEN = Path(__file__).parents[1] / "golden"
A, B, D = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "d_train_av2av"


def far(a, b):
    """||a - b|| / ||b||."""
    return ((a.detach().double() - b.double()).norm() / b.double().norm()).item()


@pytest.fixture(scope="module")
def recorded():
    return load_file(GOLDEN / f"{D}.safetensors")


@pytest.fixture(scope="module")
def case(golden):
    return golden.cases["cases"][D]


@pytest.fixture(scope="module")
def model(ltx_files):
    torch.set_num_threads(1)
    placement = WeightPlacement("cpu", torch.float32)
    model = read_modules(ltx_files / "ckpt.safetensors", ["transformer"], 32, placement)["transformer"]
    adapter = {}
    for name, (a, b) in read_lora(ltx_files / "lora_ds1.safetensors").pairs.items():
        adapter |= {f"transformer.{name}.lora_A.weight": a, f"transformer.{name}.lora_B.weight": b}
    model.load_lora_adapter(adapter, adapter_name="dubit")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_" in name)
    return model


@pytest.fixture(scope="module")
def sample(golden, recorded, case):
    """The recorded sample: its latents are made by rule, its contexts are those of two other cases."""

    def made(name):
        return torch.from_numpy(golden.inputs.tensor(f"{D}|{name}", tuple(recorded[name].shape)))

    for name in ("video_latents", "reference_latents", "audio_latents", "reference_audio_latents"):
        assert torch.equal(made(name), recorded[name])
    prompts = [load_file(GOLDEN / f"{name}.safetensors") for name in case["contexts"]]
    context = tuple(torch.cat([one[f"prompt.{modality}"] for one in prompts]) for modality in ("video", "audio"))
    return TrainingSample(
        recorded["video_latents"],
        recorded["audio_latents"],
        recorded["reference_latents"],
        recorded["reference_audio_latents"],
        context,
        Fraction(*case["fps"]),
    )


@pytest.fixture(scope="module")
def draw(recorded, case):
    return NoiseDraw(
        recorded["noise_video"],
        recorded["noise_audio"],
        torch.tensor(case["sigma_video"]),
        torch.tensor(case["sigma_audio"]),
        torch.zeros(2, dtype=torch.bool),
    )


@pytest.mark.parametrize("variant", ["public", "negative"])
def test_inputs_equal_the_recording(variant, sample, draw, recorded):
    inputs = training_inputs(replace(sample, public_positions=variant == "public"), draw)
    for modality, made in zip(("video", "audio"), inputs, strict=True):
        assert far(made.tokens, recorded[f"{modality}.x"]) < 1e-6
        assert torch.equal(made.timesteps, recorded[f"{modality}.timesteps"])
        assert torch.equal(made.sigma, recorded[f"{modality}.sigma"])
    assert torch.equal(inputs[0].positions, recorded["public.video.positions"])
    assert torch.equal(inputs[1].positions, recorded[f"{variant}.audio.positions"])


@pytest.mark.parametrize("variant", ["public", "negative"])
def test_losses_and_gradients_equal_the_recording(variant, model, sample, draw, recorded, case):
    model.zero_grad()
    loss = training_loss(model, replace(sample, public_positions=variant == "public"), draw)
    assert far(loss.video, recorded[f"{variant}.loss_video"]) < 1e-5
    assert far(loss.audio, recorded[f"{variant}.loss_audio"]) < 1e-5
    assert far(loss.whole, recorded[f"{variant}.loss"]) < 1e-5
    assert loss.whole.mean().item() == pytest.approx(case["derived"][f"loss_mean_{variant}"], rel=1e-5)
    loss.whole.mean().backward()
    gradients = {name.replace(".dubit.weight", ""): p.grad for name, p in model.named_parameters() if ".lora_" in name}
    checked = [name for name in recorded if name.startswith(f"{variant}.grad.")]
    assert len(checked) == 12
    for name in checked:
        assert far(gradients[name.removeprefix(f"{variant}.grad.")], recorded[name]) < 1e-5, name
    norms = [[gradients[f"{m}.lora_{half}"].norm() for half in "AB"] for m in case["derived"]["lora_modules"]]
    assert far(torch.tensor(norms), recorded[f"{variant}.lora_grad_norms"]) < 1e-5


def test_mistake_positions_of_the_public_trainer_give_another_loss(model, sample, draw, recorded):
    with torch.no_grad():
        public = training_loss(model, replace(sample, public_positions=True), draw)
    assert far(public.whole, recorded["negative.loss"]) > 3e-4


def test_gradient_checkpointing_changes_no_gradient(model, sample, draw):
    def gradients():
        model.zero_grad()
        training_loss(model, sample, draw).whole.mean().backward()
        return torch.cat([p.grad.flatten() for name, p in model.named_parameters() if ".lora_" in name])

    plain = gradients()
    model.enable_gradient_checkpointing()
    try:
        assert far(gradients(), plain) < 1e-6
    finally:
        model.disable_gradient_checkpointing()


def test_weights_of_one_change_nothing_and_weights_select(model, sample, draw):
    with torch.no_grad():
        plain = training_loss(model, sample, draw)
        ones = torch.ones(2, 3, 2, 2)
        same = training_loss(model, replace(sample, video_weight=ones * 0.1, audio_weight=torch.ones(2, 21)), draw)
        assert far(same.whole, plain.whole) < 1e-6
        left = ones.clone()
        left[..., 1] = 0
        halves = [training_loss(model, replace(sample, video_weight=w), draw).video for w in (left, 1 - left)]
    assert far(halves[0], plain.video) > 1e-4
    assert far(sum(halves) / 2, plain.video) < 1e-6


def test_a_clean_first_picture_has_timestep_zero_and_does_not_count(model, sample, draw):
    first = replace(draw, first_frame=torch.tensor([True, False]))
    video, _ = training_inputs(sample, first)
    assert torch.equal(video.timesteps[0, 12:16], torch.zeros(4))
    assert (video.timesteps[0, 16:] == video.sigma[0]).all()
    assert (video.timesteps[1, 12:] == video.sigma[1]).all()
    assert torch.equal(video.tokens[0, 12:16], sample.video[0, :, 0].flatten(1).T)
    other = replace(first, video=draw.video.clone())
    other.video[0, :4] += 100
    with torch.no_grad():
        assert torch.equal(training_loss(model, sample, first).video, training_loss(model, sample, other).video)


def test_what_is_drawn_follows_from_the_key_alone(sample):
    options = NoiseOptions()
    one, again = (draw_noise(sample, options, step_generator(7, 3, 0)) for _ in range(2))
    other = draw_noise(sample, options, step_generator(7, 4, 0))
    assert torch.equal(one.video, again.video)
    assert not torch.equal(one.video, other.video)
    assert torch.equal(one.video_sigma, one.audio_sigma)
    apart = draw_noise(sample, NoiseOptions(shared=False), step_generator(7, 3, 0))
    assert not torch.equal(apart.video_sigma, apart.audio_sigma)
    assert torch.equal(fixed_draw(sample, 0.5, step_generator(1)).audio_sigma, torch.full((2,), 0.5))


def test_noise_levels_are_logit_normal_and_the_shift_grows_with_the_tokens(sample):
    assert shift_of(1024, NoiseOptions()) == pytest.approx(0.95)
    assert shift_of(4096, NoiseOptions()) == pytest.approx(2.05)
    options = NoiseOptions(shift=0.7, spread=0.5, first_frame=0.25)
    draws = [draw_noise(sample, options, step_generator(i)) for i in range(800)]
    levels = torch.cat([d.video_sigma for d in draws]).logit()
    assert levels.mean().item() == pytest.approx(0.7, abs=0.05)
    assert levels.std().item() == pytest.approx(0.5, abs=0.05)
    assert torch.cat([d.first_frame for d in draws]).float().mean().item() == pytest.approx(0.25, abs=0.05)
    for wrong in ({"shift": "automatic"}, {"spread": 0.0}, {"first_frame": 1.5}):
        with pytest.raises(OptionError):
            NoiseOptions(**wrong)
