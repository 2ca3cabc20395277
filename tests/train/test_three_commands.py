"""From two clips to a LoRA that the engine dubs with, by the three commands, on the tiny checkpoint; killed on the way.

The clips are a portrait that is moved; the checkpoint is random. So nothing is learnt here: it is shown that all parts
fit together, as a user would put them together.
"""

# ruff: noqa: E402

import json
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for package in ("diffusers", "transformers", "peft", "accelerate"):
    pytest.importorskip(package)

from ltx_data import write_recipe

from lipdub.cli.main import app
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.engines.ltx.checkpoint_digest import checkpoint_digest
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.studio.dub import dub
from lipdub.studio.options import DubOptions
from lipdub.timeline.sound import Sound
from lipdub.train.prepare import prepare
from lipdub.train.prepare_options import PairLimits, PrepareOptions
from lipdub.train.run_files import read_log

RATE = Fraction(25)
ANY = PairLimits(least_sync=-1.0, least_closures=0.0, most_flicker=9.0, most_seam=9.0, least_changed=0.0)

KILLED = """
import os, signal, sys
from pathlib import Path
from lipdub.train import training_run
from lipdub.train.training_recipe import read_recipe
write = training_run.RunLog.write
def killing(self, entry):
    write(self, entry)
    if entry["kind"] == "step" and entry["step"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
training_run.RunLog.write = killing
training_run.train(read_recipe(Path(sys.argv[1])), print)
"""


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """Working files and consent stay with the test."""
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    monkeypatch.setattr("lipdub.studio.preflight.consent._place", lambda: tmp_path / "home")


@pytest.fixture(scope="module")
def footage(face, tmp_path_factory):
    """Two clips of a portrait, one of them mirrored, each with a script beside it."""
    folder = tmp_path_factory.mktemp("footage")
    for name, picture, language in (("one", face, "en"), ("two", face[:, ::-1], "es")):
        voice = load_speech(language).sound
        sound = Sound(voice.samples[:, voice.rate // 2 : voice.rate * 2], voice.rate)
        pictures = [np.ascontiguousarray(np.roll(picture, (i % 5) - 2, axis=1)) for i in range(36)]
        write_synthetic_clip(folder / f"{name}.mp4", pictures, RATE, sound)
        (folder / f"{name}.{language}.srt").write_text("1\n00:00:00,300 --> 00:00:00,700\nHello there.\n", "utf-8")
    return folder


@pytest.mark.slow
def test_clips_become_a_lora_that_the_engine_dubs_with(footage, ltx_files, tmp_path):
    torch.set_num_threads(1)
    small = PrepareOptions(
        size=128, frames=17, shortest=9, other="clips", speech_features="light", workers=1, consent=True,
        device="cpu", weights=ltx_files,
    )  # fmt: skip
    made = prepare(footage, tmp_path / "pairs", small, ANY)
    assert made.latents == 2

    clips = {"clips": [str(footage / "one.mp4")], "audio": [str(footage / "two.mp4")]}
    recipe = write_recipe(
        tmp_path / "recipe.toml", ltx_files, tmp_path / "pairs", lora={"rank": 8, "alpha": 8},
        run={"steps": 3, "save_every": 1}, validation={"every": 3, "size": 128, "frames": 17, **clips},
    )  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", KILLED, str(recipe)], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert app(["train", "run", str(recipe)], result_action="return_value") == 0
    log = read_log(tmp_path / "run")
    assert [entry["step"] for entry in log if entry["kind"] == "begin"] == [0, 1]
    assert [entry["dubs"] for entry in log if entry["kind"] == "dub"] == [1.0]
    assert (tmp_path / "run" / "dubs" / "step-0000003" / "one.mp4").is_file()

    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("ckpt.safetensors", "upsampler.safetensors", "gemma"):
        (folder / name).symlink_to(ltx_files / name)
    command = ["train", "export", str(tmp_path / "run"), "-o", str(folder / "my-dubit.safetensors")]
    assert app(command, result_action="return_value") == 0
    told = SafetensorsHeader.of(folder / "my-dubit.safetensors").metadata
    assert told["lipdub_base_digest"] == checkpoint_digest(ltx_files / "ckpt.safetensors")
    assert json.loads(told["lipdub_data_card"]), "what the data say of themselves"

    options = DubOptions(
        engine="ltx", weights=folder, engine_option=("device=cpu", "size=128", "frames=17", "overlap=5"), workers=1,
        face=("largest",),
    )  # fmt: skip
    dub(footage / "one.mp4", audio=footage / "two.mp4", output=tmp_path / "dubbed.mp4", options=options)
    assert Path(tmp_path / "dubbed.mp4").is_file()
