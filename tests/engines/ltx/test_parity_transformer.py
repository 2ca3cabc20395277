"""The transformer's velocities, and its gradients in training, equal the recordings."""

# ruff: noqa: E402

from dataclasses import replace
from fractions import Fraction

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from lipdub.engines.ltx import sampler, tokens, transformer
from lipdub.engines.ltx.checkpoint import read_checkpoint
from lipdub.engines.ltx.lora import read_lora
from lipdub.engines.ltx.transformer import ModalityInput, velocity

A, B, C, D = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "c_own_dub_track", "d_train_av2av"
STAGES = [(name, stage) for name in (A, B, C) for stage in (1, 2)]
SIGMAS = {1: sampler.STAGE_1_SIGMAS, 2: sampler.STAGE_2_SIGMAS}


def _modality_inputs(recorded, inputs, stage) -> tuple[ModalityInput, ModalityInput]:
    starts = (recorded[f"s{stage}.{modality}.x_init"] for modality in ("video", "audio"))
    return inputs.at_sigma(*starts, SIGMAS[stage][0])


@torch.no_grad()
def _stock(model, video: ModalityInput, audio: ModalityInput, cross: bool):
    """diffusers' own call, without the correction."""
    return model(
        hidden_states=video.tokens,
        audio_hidden_states=audio.tokens,
        encoder_hidden_states=video.context,
        audio_encoder_hidden_states=audio.context,
        timestep=video.timesteps * 1000,
        audio_timestep=audio.timesteps * 1000,
        sigma=video.sigma * 1000,
        audio_sigma=audio.sigma * 1000,
        video_coords=video.positions,
        audio_coords=audio.positions,
        use_cross_timestep=cross,
        return_dict=False,
    )


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_velocities_with_the_lora_fused(name, stage, case, stage_inputs, pipes, far):
    recorded = case(name)
    model = pipes(recorded.settings["lora"]).modules.transformer
    with torch.no_grad():
        video, audio = velocity(model, *_modality_inputs(recorded, stage_inputs(name, stage), stage))
    assert far(video, recorded[f"s{stage}.video.velocity0"]) < 1e-5
    assert far(audio, recorded[f"s{stage}.audio.velocity0"]) < 1e-5


@pytest.fixture(scope="module")
def attached(files, exact):
    """A transformer with the LoRA as a PEFT adapter."""
    model = read_checkpoint(files / "ckpt.safetensors", 32, exact).transformer
    adapter = {}
    for name, (a, b) in read_lora(files / "lora_ds1.safetensors").pairs.items():
        adapter |= {f"transformer.{name}.lora_A.weight": a, f"transformer.{name}.lora_B.weight": b}
    model.load_lora_adapter(adapter, adapter_name="dubit")
    return model


@pytest.mark.parametrize("stage", [1, 2])
def test_velocities_with_the_lora_attached_by_peft(stage, attached, case, stage_inputs, far):
    recorded = case(A)
    with torch.no_grad():
        video, audio = velocity(attached, *_modality_inputs(recorded, stage_inputs(A, stage), stage))
    assert far(video, recorded[f"s{stage}.video.velocity0"]) < 1e-5
    assert far(audio, recorded[f"s{stage}.audio.velocity0"]) < 1e-5


def test_velocities_of_a_batch_equal_those_of_its_samples(case, stage_inputs, pipes, far):
    recorded = case(A)
    streams = _modality_inputs(recorded, stage_inputs(A, 1), 1)
    quiet = [
        replace(s, sigma=s.sigma * level, timesteps=s.timesteps * level)
        for s, level in zip(streams, (0.5, 0.25), strict=True)
    ]
    both = [
        ModalityInput(*(torch.cat([getattr(s, f), getattr(q, f)]) for f in ModalityInput.__dataclass_fields__))
        for s, q in zip(streams, quiet, strict=True)
    ]
    model = pipes("lora_ds1.safetensors").modules.transformer
    with torch.no_grad():
        video, audio = velocity(model, *both)
        alone = velocity(model, *quiet)
    assert far(video[:1], recorded["s1.video.velocity0"]) < 1e-5
    assert far(audio[:1], recorded["s1.audio.velocity0"]) < 1e-5
    assert far(video[1:], alone[0]) < 1e-5
    assert far(audio[1:], alone[1]) < 1e-5


@pytest.mark.parametrize("cross", [False, True])
def test_mistake_stock_modulation_is_wrong_with_either_flag(cross, case, stage_inputs, pipes, far):
    recorded = case(A)
    model = pipes("lora_ds1.safetensors").modules.transformer
    video, _ = _stock(model, *_modality_inputs(recorded, stage_inputs(A, 1), 1), cross)
    assert far(video, recorded["s1.video.velocity0"]) == pytest.approx(0.10 if cross else 0.26, rel=0.1)


def test_the_correction_changes_nothing_if_all_tokens_have_one_timestep(case, stage_inputs, pipes, far):
    streams = [
        replace(s, sigma=torch.tensor([0.5]), timesteps=torch.full_like(s.timesteps, 0.5))
        for s in _modality_inputs(case(A), stage_inputs(A, 1), 1)
    ]
    model = pipes("lora_ds1.safetensors").modules.transformer
    with torch.no_grad():
        ours = velocity(model, *streams)
    for cross in (False, True):
        for mine, theirs in zip(ours, _stock(model, *streams, cross), strict=True):
            assert far(mine, theirs) < 1e-6


def test_mistake_frozen_sound_with_a_sigma_changes_the_velocity(case, stage_inputs, pipes, far):
    recorded = case(C)
    video, audio = _modality_inputs(recorded, stage_inputs(C, 1), 1)
    wrong = replace(audio, sigma=video.sigma)
    with torch.no_grad():
        moved, _ = velocity(pipes("lora_ds1.safetensors").modules.transformer, video, wrong)
    assert far(moved, recorded["s1.video.velocity0"]) == pytest.approx(0.4, rel=0.1)


def test_all_hooks_are_removed_even_after_an_error(case, stage_inputs, pipes):
    model = pipes("lora_ds1.safetensors").modules.transformer
    video, audio = _modality_inputs(case(A), stage_inputs(A, 1), 1)
    with pytest.raises(RuntimeError):
        velocity(model, replace(video, tokens=video.tokens[..., :5]), audio)
    gates = model.av_cross_attn_video_a2v_gate, model.av_cross_attn_audio_v2a_gate
    assert not any(gate._forward_pre_hooks for gate in gates)


def _training_inputs(recorded, contexts, variant) -> tuple[ModalityInput, ModalityInput]:
    """Reference first, clean, timestep 0; the sound's reference before zero, or on the target (``public``)."""
    video_at = tokens.video_positions((3, 2, 2), Fraction(25))
    audio_at, reference_at = tokens.audio_positions(21), tokens.audio_positions(26)
    if variant == "negative":
        reference_at = tokens.shift_before_zero(reference_at)
    places = torch.cat([video_at, video_at], 2), torch.cat([reference_at, audio_at], 2)
    return tuple(
        ModalityInput(
            recorded[f"{modality}.x"],
            at.expand(2, -1, -1, -1).contiguous(),
            recorded[f"{modality}.timesteps"],
            recorded[f"{modality}.sigma"],
            torch.cat([context[f"prompt.{modality}"] for context in contexts]),
        )
        for modality, at in zip(("video", "audio"), places, strict=True)
    )


@pytest.mark.parametrize("variant", ["public", "negative"])
def test_loss_and_gradients_of_a_training_step_equal_the_recording(variant, attached, case, far):
    recorded = case(D)
    video, audio = _training_inputs(recorded, [case(A), case(B)], variant)
    assert torch.equal(video.positions, recorded["public.video.positions"])
    assert torch.equal(audio.positions, recorded[f"{variant}.audio.positions"])
    adapters = {name: p.requires_grad_() for name, p in attached.named_parameters() if ".lora_" in name}
    attached.zero_grad()
    predicted = dict(zip(("video", "audio"), transformer.velocity(attached, video, audio), strict=True))
    loss = torch.zeros(2)
    for modality, made in predicted.items():
        assert far(made.detach(), recorded[f"{variant}.{modality}.pred"]) < 1e-5
        aim = recorded[f"{modality}.target"]
        part = (made[:, -aim.shape[1] :] - aim).square().mean((1, 2))
        assert far(part.detach(), recorded[f"{variant}.loss_{modality}"]) < 1e-5
        loss = loss + part
    loss.mean().backward()
    for name, parameter in adapters.items():
        plain = name.replace(".dubit.weight", "")
        if f"{variant}.grad.{plain}" in recorded.recorded:
            assert far(parameter.grad, recorded[f"{variant}.grad.{plain}"]) < 1e-4, plain
    norms = torch.tensor(
        [
            [adapters[f"{module}.lora_{half}.dubit.weight"].grad.norm() for half in "AB"]
            for module in recorded.settings["derived"]["lora_modules"]
        ]
    )
    assert far(norms, recorded[f"{variant}.lora_grad_norms"]) < 1e-4


@pytest.mark.parametrize(("name", "stage", "rows"), [(A, 1, (2, 2)), (A, 2, (2, 1)), (B, 1, (2, 2)), (C, 1, (2, 1))])
def test_each_noise_level_is_embedded_once(name, stage, rows, case, stage_inputs, pipes):
    recorded = case(name)
    model = pipes(recorded.settings["lora"]).modules.transformer
    embedded = {}
    modules = {
        "video": (model.time_embed, model.av_cross_attn_video_scale_shift),
        "audio": (model.audio_time_embed, model.av_cross_attn_audio_scale_shift),
    }
    hooks = [
        module.linear.register_forward_hook(lambda _, args, made, key=(modality, i): embedded.update({key: len(made)}))
        for modality, both in modules.items()
        for i, module in enumerate(both)
    ]
    with torch.no_grad():
        velocity(model, *_modality_inputs(recorded, stage_inputs(name, stage), stage))
    for hook in hooks:
        hook.remove()
    assert embedded == {(modality, i): n for modality, n in zip(modules, rows, strict=True) for i in (0, 1)}
    assert not any(m._forward_hooks or m._forward_pre_hooks for both in modules.values() for m in both)
