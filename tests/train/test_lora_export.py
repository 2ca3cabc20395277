"""An exported LoRA has the publisher's names, and the engine makes with it what PEFT makes with the one that was
trained."""

# ruff: noqa: E402

import json
from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
for package in ("diffusers", "transformers", "peft", "accelerate"):
    pytest.importorskip(package)

from ltx_data import write_data, write_recipe
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lipdub.cli.main import app
from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.checkpoint_digest import checkpoint_digest
from lipdub.engines.ltx.lora import fuse_transform, read_lora, tell_other_base
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.transformer import velocity
from lipdub.engines.ltx.weights_folder import find_files
from lipdub.errors import InputError, OutputError
from lipdub.train.latent_folder import LatentFolder
from lipdub.train.lora_export import export_lora
from lipdub.train.lora_model import read_model
from lipdub.train.noise_levels import fixed_draw, step_generator
from lipdub.train.run_files import checkpoints
from lipdub.train.training_loss import TrainingSample, training_inputs
from lipdub.train.training_recipe import BaseOptions, LoraOptions


@pytest.fixture(scope="module")
def trained(ltx_files, tmp_path_factory):
    """The folder of a run whose alpha is not its rank, made by the command."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    base = ltx_files / "ckpt.safetensors"
    data = write_data(folder / "pairs", checkpoint_digest(base))
    recipe = write_recipe(folder / "recipe.toml", base, data, lora={"rank": 4, "alpha": 8}, run={"steps": 4})
    assert app(["train", "run", str(recipe)], result_action="return_value") == 0
    return folder


@pytest.fixture(scope="module")
def exported(trained):
    output = trained / "dub.safetensors"
    command = ["train", "export", str(trained / "run"), "-o", str(output)]
    assert app(command, result_action="return_value") == 0
    return output


def test_names_dtype_and_metadata_are_the_publishers(exported, ltx_files):
    given = SafetensorsHeader.of(ltx_files / "lora_ds1.safetensors")
    header = SafetensorsHeader.of(exported)
    assert header.shapes.keys() == given.shapes.keys()
    assert set(header.dtypes.values()) == {"BF16"}
    told = header.metadata
    assert told["reference_downscale_factor"] == told["reference_temporal_scale_factor"] == "1"
    assert told["lipdub_base_digest"] == checkpoint_digest(ltx_files / "ckpt.safetensors")
    assert json.loads(told["lipdub_recipe"])["lora"]["alpha"] == 8
    assert json.loads(told["lipdub_data_card"]) == {"clips": 4, "consent": "drawn"}
    assert str(ltx_files) not in json.dumps(told)


def sample_of(folder, name):
    item = folder.read(name)
    return TrainingSample(**{**vars(item.sample), "context": (item.text.video, item.text.audio)})


def test_the_engines_transformer_with_it_equals_pefts(trained, exported, ltx_files):
    base = ltx_files / "ckpt.safetensors"
    data = LatentFolder.open(trained / "pairs", checkpoint_digest(base))
    sample = sample_of(data, data.training[0])
    inputs = training_inputs(sample, fixed_draw(sample, 0.7, step_generator(1)))
    peft = read_model(base, BaseOptions(str(base), "float32", device="cpu"), LoraOptions(4, 8.0), 0, texts=False)
    kept = load_file(list(checkpoints(trained / "run").values())[-1])
    with torch.no_grad():
        for name, parameter in peft.parameters().items():
            parameter.copy_(kept[f"lora.{name}"].bfloat16().float())
    placement = WeightPlacement("cpu", torch.float32)
    plain = read_modules(base, ["transformer"], 32, placement)["transformer"]
    fuse = fuse_transform(read_lora(exported))
    fused = read_modules(base, ["transformer"], 32, placement, fuse)["transformer"]
    with torch.no_grad():
        ours, same, without = (velocity(model, *inputs) for model in (fused, peft.transformer, plain))
    for mine, theirs, before in zip(ours, same, without, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()
        assert (mine - before).norm() > 1e-3 * before.norm()


@pytest.mark.slow
def test_the_engine_finds_it_and_its_pictures_change(exported, ltx_files, tmp_path):
    """A whole run of the pipeline on the tiny files: with this LoRA it makes other pictures than with one of zeros."""
    import numpy as np

    from lipdub.engines.ltx.generation import GenerationSize, SourceVideo
    from lipdub.engines.ltx.load_pipeline import load_pipeline
    from lipdub.engines.ltx.memory import count_weights, detect_device, plan_memory
    from lipdub.timeline.sound import Sound

    made = []
    for name, factor in (("trained", 1), ("zeros", 0)):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("ckpt.safetensors", "upsampler.safetensors", "gemma"):
            (folder / file).symlink_to(ltx_files / file)
        tensors = {key: value * factor for key, value in load_file(exported).items()}
        with safe_open(exported, "pt") as file:
            save_file(tensors, folder / "dub.safetensors", file.metadata())
        said = []
        files = find_files(folder, say=said.append)
        assert files.lora == folder / "dub.safetensors"
        size = GenerationSize(9, Fraction(25), 64, 128)
        pipe = load_pipeline(files, plan_memory(detect_device("cpu"), count_weights(files), size), ("Hola",))
        frames = np.random.default_rng(1).integers(0, 255, (9, 64, 128, 3)).astype(np.uint8)
        sound = Sound(np.zeros((2, 17_280), np.float32), 48_000)
        made.append(pipe(SourceVideo(frames, Fraction(25)), sound, "Hola", height=64, width=128).video_latent)
    assert (made[0] - made[1]).norm() > 1e-3 * made[1].norm()


def test_a_lora_of_another_checkpoint_is_told_and_used(exported, ltx_files, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("lipdub.engines.ltx.lora.log", said.append)
    lora = read_lora(exported)
    tell_other_base(lora, ltx_files / "ckpt.safetensors")
    tell_other_base(read_lora(ltx_files / "lora_ds1.safetensors"), ltx_files / "upsampler.safetensors")
    assert not said
    tell_other_base(lora, ltx_files / "upsampler.safetensors")
    assert len(said) == 1
    assert "dub.safetensors was trained on another checkpoint than upsampler.safetensors" in said[0]


def test_a_running_mean_is_what_is_exported(trained, ltx_files, tmp_path):
    base = ltx_files / "ckpt.safetensors"
    recipe = write_recipe(
        tmp_path / "recipe.toml", base, trained / "pairs", lora={"rank": 4, "alpha": 4}, run={"steps": 3, "ema": 0.9}
    )
    assert app(["train", "run", str(recipe)], result_action="return_value") == 0
    export_lora(tmp_path / "run", tmp_path / "mean.safetensors")
    kept = load_file(checkpoints(tmp_path / "run")[3])
    name = "transformer_blocks.0.attn1.to_q.lora_B"
    written = load_file(tmp_path / "mean.safetensors")[f"diffusion_model.{name}.weight"]
    assert torch.equal(written, kept[f"ema.{name}"].bfloat16())
    assert not torch.equal(written, kept[f"lora.{name}"].bfloat16())


def test_what_cannot_be_exported_is_said(trained, exported, tmp_path):
    with pytest.raises(InputError, match="no checkpoint of a run"):
        export_lora(tmp_path, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="after 3 steps") as lacking:
        export_lora(trained / "run", tmp_path / "x.safetensors", 3)
    assert lacking.value.remedy == "There are: 2, 4"
    with pytest.raises(OutputError, match="exists already"):
        export_lora(trained / "run", exported)
    broken = tmp_path / "run"
    broken.mkdir()
    (broken / "step-0000007.safetensors").write_bytes(b"short")
    with pytest.raises(InputError, match="cannot be read"):
        export_lora(broken, tmp_path / "x.safetensors")
    assert not Path(tmp_path / "x.safetensors").exists()
