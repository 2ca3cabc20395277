"""A run on the tiny checkpoint: it learns, goes on exactly where it was killed, and refuses what it must refuse."""

# ruff: noqa: E402

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
for package in ("diffusers", "transformers", "peft", "accelerate"):
    pytest.importorskip(package)

from ltx_data import write_data, write_item, write_recipe
from safetensors.torch import load_file

from lipdub.engines.ltx.checkpoint_digest import checkpoint_digest
from lipdub.errors import InputError, LipdubError, OptionError, OutputError, WeightsError
from lipdub.train import training_run
from lipdub.train.run_files import checkpoints, read_log, read_state
from lipdub.train.training_recipe import read_recipe
from lipdub.train.training_run import losses, train


@pytest.fixture(scope="module")
def base(ltx_files):
    torch.set_num_threads(1)
    return ltx_files / "ckpt.safetensors"


@pytest.fixture(scope="module")
def data(base, tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("pairs"), checkpoint_digest(base))


@pytest.fixture
def recipe(base, data, tmp_path):
    def made(**sections):
        return read_recipe(write_recipe(tmp_path / "recipe.toml", base, data, **sections))

    return made


def run(recipe):
    """Train; returns (result, what was said, losses by step)."""
    said = []
    result = train(recipe, said.append)
    return result, said, dict(losses(read_log(Path(recipe.run.folder))))


def test_the_loss_falls_and_everything_is_told_and_kept(recipe):
    plan = recipe(run={"steps": 30, "save_every": 10}, noise={"first_frame": 0.0}, validation={"every": 10})
    result, said, found = run(plan)
    assert list(found) == list(range(1, 31))
    log = read_log(Path(plan.run.folder))
    checks = [entry["loss"] for entry in log if entry["kind"] == "validation"]
    assert len(checks) == 3
    assert sum(list(found.values())[-10:]) < 0.9 * sum(list(found.values())[:10])
    assert result.steps == 30
    assert any("GB of main memory" in line for line in said)
    assert any("h 0" in line and "30 steps" in line for line in said)
    assert any("min left" in line for line in said)
    assert read_state(result.checkpoint).card == {"clips": 4, "consent": "drawn"}


def test_a_run_that_goes_on_has_the_losses_that_it_would_have_had(recipe, tmp_path):
    whole = run(recipe(run={"folder": "whole", "ema": 0.5}))
    run(recipe(run={"folder": "parts", "ema": 0.5, "steps": 3, "save_every": 1}))
    parts = run(recipe(run={"folder": "parts", "ema": 0.5}))
    assert whole[2] == parts[2]
    one, other = (load_file(result.checkpoint) for result in (whole[0], parts[0]))
    assert one.keys() == other.keys()
    assert any(name.startswith("ema.") for name in one)
    assert all(torch.equal(one[name], other[name]) for name in one)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from lipdub.train import training_run
from lipdub.train.training_recipe import read_recipe
write = training_run.RunLog.write
def killing(self, entry):
    write(self, entry)
    if entry["kind"] == "step" and entry["step"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
training_run.RunLog.write = killing
training_run.train(read_recipe(Path(sys.argv[1])), print)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_run_killed_in_the_middle_goes_on_with_the_same_losses(recipe, tmp_path):
    whole = run(recipe(run={"folder": "whole"}))[2]
    plan = recipe(run={"folder": "killed"})
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "recipe.toml")], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    folder = Path(plan.run.folder)
    assert list(checkpoints(folder)) == [2, 4]
    assert max(dict(losses(read_log(folder)))) == 5
    again = run(plan)[2]
    assert again.keys() == whole.keys()
    assert again == pytest.approx(whole, rel=1e-6), "another process may add in another order"
    began = [entry["step"] for entry in read_log(folder) if entry["kind"] == "begin"]
    assert began == [0, 4]


def test_samples_do_not_depend_on_how_many_share_a_step(recipe):
    """Two samples in a step of one process are those of one sample in each of two processes."""
    plan = recipe(run={"accumulate": 2, "steps": 1})
    begun = training_run.TrainingRun.begin(plan, print)
    one = [begun._number(step, micro) for step in range(3) for micro in range(2)]
    begun.recipe = recipe(run={"accumulate": 1, "steps": 1})

    class Two:
        num_processes = 2

        def __init__(self, index):
            self.process_index = index

    both = []
    for step in range(3):
        for index in range(2):
            begun.accelerator = Two(index)
            both.append(begun._number(step, 0))
    assert one == both == list(range(6))


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(recipe, monkeypatch):
    plan = recipe(run={"save_every": 100})
    whole = training_run.training_loss

    def broken(model, sample, draw):
        loss = whole(model, sample, draw)
        if torch.is_grad_enabled() and broken.calls == 3:
            loss = type(loss)(loss.video * float("nan"), loss.audio)
        broken.calls += 1
        return loss

    broken.calls = 0
    monkeypatch.setattr(training_run, "training_loss", broken)
    with pytest.raises(LipdubError, match=r"no number at step 4 .*person-\d/clip.*step-0000003") as stopped:
        run(plan)
    assert "optimiser.lr" in stopped.value.remedy
    assert list(checkpoints(Path(plan.run.folder))) == [3]
    assert all(bool(t.isfinite().all()) for t in load_file(checkpoints(Path(plan.run.folder))[3]).values())
    monkeypatch.undo()
    assert max(run(plan)[2]) == 6


def test_a_full_disk_keeps_the_last_checkpoint(recipe):
    resource = pytest.importorskip("resource")
    plan = recipe(run={"steps": 2})
    run(plan)
    folder = Path(plan.run.folder)
    before = checkpoints(folder)[2].read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="larger than this disk or a limit") as full:
            run(recipe(run={"steps": 6}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert "goes on after the last checkpoint" in full.value.remedy
    assert list(checkpoints(folder)) == [2]
    assert checkpoints(folder)[2].read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_too_little_disk_is_refused_before_the_first_step(recipe, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(OutputError, match="checkpoints need"):
        run(recipe())


def test_validation_stops_early_and_the_best_checkpoint_stays(recipe, monkeypatch):
    told = iter([3.0, 1.0, 2.0, 2.0, 2.0])
    monkeypatch.setattr(training_run.TrainingRun, "validation_loss", lambda self: next(told))
    plan = recipe(run={"steps": 50, "keep": 1, "save_every": 1}, validation={"every": 2, "patience": 3})
    result, said, _ = run(plan)
    assert result.stopped
    assert result.steps == 10
    assert any("stopped early: no lower validation loss since step 4" in line for line in said)
    assert list(checkpoints(Path(plan.run.folder))) == [4, 10]
    assert read_state(result.checkpoint).best_step == 4


def test_another_recipe_does_not_go_on(recipe):
    run(recipe(run={"steps": 2}))
    with pytest.raises(OptionError, match=r"lora.rank: 8, begun with 4"):
        run(recipe(run={"steps": 4}, lora={"rank": 8}))
    with pytest.raises(OptionError, match=r"seed: 4, begun with 3"):
        run(recipe(run={"steps": 4}, seed=4))


def test_latents_of_another_checkpoint_are_refused(recipe, tmp_path):
    other = write_data(tmp_path / "other", "ab" * 32)
    with pytest.raises(WeightsError, match="made by another checkpoint \\(abab"):
        run(recipe(data={"folder": str(other)}))


def test_one_file_of_another_checkpoint_among_good_ones_is_refused(recipe, base, tmp_path):
    mixed = write_data(tmp_path / "mixed", checkpoint_digest(base))
    write_item(mixed, "person-1/clip", 9, digest="cd" * 32)
    with pytest.raises(WeightsError, match="another checkpoint"):
        run(recipe(data={"folder": str(mixed)}))


def test_latents_that_do_not_say_are_read_only_if_that_is_wanted(recipe, base, tmp_path):
    silent = tmp_path / "silent"
    write_item(silent, "a", 1)
    with pytest.raises(WeightsError, match="do not say"):
        run(recipe(data={"folder": str(silent)}))
    assert run(recipe(data={"folder": str(silent), "unchecked": True}, run={"steps": 1}))[0].steps == 1


FAULTS = {
    "reference_latents": [
        ({"latents": torch.zeros(128, 3, 2, 3)}, "3 x 2 x 3 cells beside a target of 2 x 2 x 3 cells"),
        ({"fps": 24.0}, "another rate than the target's: 25 and 24"),
    ],
    "audio_latents": [({"latents": torch.zeros(8, 30, 16)}, "1.20 s of sound beside 0.36 s of picture")],
    "video_masks": [({"mask": torch.zeros(2, 4, 3)}, "a mask of")],
    "conditions": [({"video_prompt_embeds": 3}, "no texts")],
    "latents": [({"latents": torch.zeros(3)}, "no tensor 'latents'"), ({"fps": 0}, "no rate")],
}


@pytest.mark.parametrize(("part", "value", "why"), [(p, v, w) for p, found in FAULTS.items() for v, w in found])
def test_items_that_do_not_fit_are_named(part, value, why, recipe, base, tmp_path):
    bad = write_data(tmp_path / "bad", checkpoint_digest(base))
    write_item(bad, "person-2/clip", 2, **{part: value})
    with pytest.raises(InputError, match=why) as refused:
        run(recipe(data={"folder": str(bad)}))
    assert str(refused.value.file).endswith(f"{part}/person-2/clip.pt")


def test_missing_and_damaged_files_are_named(recipe, base, tmp_path):
    bad = write_data(tmp_path / "bad", checkpoint_digest(base))
    (bad / ".precomputed" / "latents" / "person-1" / "clip.pt").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="cannot be read"):
        run(recipe(data={"folder": str(bad)}))
    (bad / ".precomputed" / "conditions" / "person-1" / "clip.pt").unlink()
    with pytest.raises(InputError, match=r"person-1/clip' has no file in conditions"):
        run(recipe(data={"folder": str(bad)}))
    with pytest.raises(InputError, match="no latents here"):
        run(recipe(data={"folder": str(tmp_path / "nothing")}))


def test_a_lora_of_another_base_is_no_start(recipe, ltx_files, tmp_path):
    from safetensors.torch import save_file

    tensors = load_file(ltx_files / "lora_ds1.safetensors")
    other = tmp_path / "other.safetensors"
    save_file(tensors, other, {"lipdub_base_digest": "ef" * 32})
    with pytest.raises(WeightsError, match="trained on another checkpoint \\(efef"):
        run(recipe(lora={"rank": 8, "alpha": 8, "start": str(other)}))
    with pytest.raises(WeightsError, match="another rank"):
        run(recipe(lora={"rank": 4, "start": str(ltx_files / "lora_ds1.safetensors")}))


def test_a_run_can_begin_with_a_lora(recipe, ltx_files):
    start = str(ltx_files / "lora_ds1.safetensors")
    plan = recipe(lora={"rank": 8, "alpha": 8, "start": start}, optimiser={"lr": 0.0, "audio_lr": 0.0})
    kept = load_file(run(plan)[0].checkpoint)
    given = load_file(Path(start))
    name = "transformer_blocks.1.ff.net.2.lora_B"
    assert torch.allclose(kept[f"lora.{name}"], given[f"diffusion_model.{name}.weight"].float())


@pytest.mark.slow
@pytest.mark.parametrize("base_options", [{"hold": "8bit"}, {"hold": "bf16", "streamed": True}, {"hold": "bf16"}])
def test_a_base_in_8_bits_or_streamed_trains_too(base_options, recipe):
    plan = recipe(base=base_options, run={"steps": 12}, noise={"first_frame": 0.0})
    result, _, found = run(plan)
    assert sum(list(found.values())[-4:]) < sum(list(found.values())[:4])
    assert {tensor.dtype for tensor in load_file(result.checkpoint).values()} == {torch.float32}


@pytest.mark.slow
def test_two_processes_make_the_step_of_one_with_two_samples(recipe, tmp_path):
    """Started by torchrun, as accelerate's launcher does for GPUs; its own way on CPUs starts one process only."""
    one = run(recipe(run={"folder": "one", "accumulate": 2, "steps": 3}))
    plan = recipe(run={"folder": "two", "accumulate": 1, "steps": 3})
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, "-m", "lipdub", "train", "run", str(tmp_path / "recipe.toml")]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "ACCELERATE_USE_CPU": "true"})
    assert done.returncode == 0, done.stderr.decode()
    log = read_log(Path(plan.run.folder))
    assert [entry["processes"] for entry in log if entry["kind"] == "begin"] == [2]
    two = dict(losses(log))
    assert list(two) == [1, 2, 3]
    assert two[1] == pytest.approx(one[2][1], rel=1e-6)
    assert [two[step] for step in two] == pytest.approx([one[2][step] for step in two], rel=1e-4)
