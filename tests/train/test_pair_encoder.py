"""Latents of pairs, made with the tiny checkpoint of ``tests/golden``, against the recordings of the reference."""

import json
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from safetensors.torch import load_file  # noqa: E402

from lipdub.engines.ltx import tokens  # noqa: E402
from lipdub.engines.ltx.checkpoint import read_modules  # noqa: E402
from lipdub.engines.ltx.placement import WeightPlacement  # noqa: E402
from lipdub.errors import InputError, OutputError, WeightsError  # noqa: E402
from lipdub.timeline.sound import Sound  # noqa: E402
from lipdub.train.pair_encoder import PairEncoder, TrainingFiles, find_training_files, touched_cells  # noqa: E402
from lipdub.train.precomputed import LatentsMarker, PrecomputedFolder, check_replaceable  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"
RATE = Fraction(25)


@pytest.fixture(scope="module")
def golden() -> SimpleNamespace:
    sys.path.insert(0, str(GOLDEN))
    try:
        import make_checkpoint
        import make_inputs
    finally:
        sys.path.remove(str(GOLDEN))
    cases = json.loads((GOLDEN / "cases.json").read_text("utf-8"))
    recorded = load_file(GOLDEN / "a_dubit_ds1_25fps.safetensors")
    return SimpleNamespace(checkpoint=make_checkpoint, inputs=make_inputs, cases=cases, recorded=recorded)


@pytest.fixture(scope="module")
def folder(golden: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ltx")
    golden.checkpoint.write(folder, json.loads((GOLDEN / "layout.json").read_text("utf-8")))
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> PairEncoder:
    torch.set_num_threads(1)
    return PairEncoder(find_training_files(folder), dtype=torch.float32)


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    assert a.shape == b.shape
    return float((a.double() - b.double()).norm() / b.double().norm())


def test_a_picture_has_the_latent_of_the_reference_implementation(
    encoder: PairEncoder, golden: SimpleNamespace
) -> None:
    from lipdub.engines.ltx import video_pixels

    settings = golden.cases["cases"]["a_dubit_ds1_25fps"]
    spec = golden.cases["inputs"][settings["input"]]
    filmed = golden.inputs.frames(spec)[: settings["derived"]["num_frames"]]
    # the recording is of frames resized to 128 x 128 in float32: the same up to the rounding to bytes
    pixels = video_pixels.fit_frames(filmed, settings["height"], settings["width"])
    made = encoder.picture(video_pixels.to_bytes(pixels), RATE)
    grid = (made["num_frames"], made["height"], made["width"])
    recorded = tokens.unpack_video(golden.recorded["s2.video.ref_tokens"], grid)[0]
    assert far(made["latents"], recorded) < 5e-3
    assert made["rate"] == (25, 1)


def test_a_sound_has_the_latent_of_the_reference_implementation(encoder: PairEncoder, golden: SimpleNamespace) -> None:
    settings = golden.cases["cases"]["a_dubit_ds1_25fps"]
    spec = golden.cases["inputs"][settings["input"]]
    sound = Sound(golden.inputs.wave(spec["audio"]), spec["audio"]["rate"])
    whole = encoder.sound(sound, 25, RATE, whole=True)
    assert far(whole["latents"], golden.recorded["ref.audio_latent"][0]) < 1e-4
    target = encoder.sound(sound, 17, RATE, whole=False)
    assert target["latents"].shape[1] == target["num_time_steps"] == tokens.audio_latent_count(17, RATE)


def test_a_caption_becomes_the_recorded_context_behind_the_connectors(
    encoder: PairEncoder, golden: SimpleNamespace
) -> None:
    prompt = golden.cases["cases"]["a_dubit_ds1_25fps"]["prompt"]
    (made,) = encoder.captions([prompt])
    assert made["prompt_attention_mask"].shape == (1024,)
    width = 0
    connectors = None
    from lipdub.engines.ltx.weights_folder import text_encoder_shape

    width = text_encoder_shape(encoder.files.text_encoder)[1]
    placement = WeightPlacement("cpu", torch.float32)
    connectors = read_modules(encoder.files.checkpoint, ["connectors"], width, placement)["connectors"]
    mask = (made["prompt_attention_mask"].float() - 1)[None, None, None] * torch.finfo(torch.float32).max
    for name in ("video", "audio"):
        run = getattr(connectors, f"{name}_connector")
        context, _ = run(made[f"{name}_prompt_embeds"][None], mask)
        assert far(context, golden.recorded[f"prompt.{name}"]) < 1e-5


@pytest.mark.slow
def test_the_mask_has_every_cell_with_a_mouth_in_it_and_not_all_others(encoder: PairEncoder) -> None:
    mask = np.zeros((17, 256, 256), bool)
    mask[:, 100:120, 70:90] = True
    made = encoder.mask(mask)["mask"]
    assert made.shape == (3, 8, 8)
    assert bool((made[:, 3, 2] == 1).all())
    assert set(made.unique().tolist()) <= {0.0, 1.0}
    assert encoder.mask(np.zeros((9, 64, 64), bool))["mask"].sum() == 0


def test_cells_are_those_of_the_latent_grid() -> None:
    mask = torch.zeros(17, 64, 64, dtype=torch.bool)
    mask[9, 40, 3] = True
    touched = touched_cells(mask)
    assert touched.shape == (3, 2, 2)
    assert touched.nonzero().tolist() == [[2, 1, 0]]


def test_latents_come_back_and_those_of_another_checkpoint_do_not(tmp_path: Path) -> None:
    one, other = PrecomputedFolder(tmp_path, "a" * 64), PrecomputedFolder(tmp_path, "b" * 64)
    values = {"latents": torch.arange(6.0).reshape(1, 1, 2, 3), "rate": (25, 1)}
    one.write("latents", "x", values)
    assert torch.equal(one.read("latents", "x")["latents"], values["latents"])
    assert one.holds("latents", "x")
    assert not other.holds("latents", "x")
    with pytest.raises(WeightsError, match="another checkpoint"):
        other.read("latents", "x")
    one.path("latents", "x").write_bytes(one.path("latents", "x").read_bytes()[:100])
    assert not one.holds("latents", "x")
    with pytest.raises(InputError, match="damaged"):
        one.read("latents", "x")


def test_latents_of_another_checkpoint_are_not_replaced_unasked(tmp_path: Path) -> None:
    LatentsMarker("a" * 64, "t", {"x": "train"}).write(tmp_path)
    check_replaceable(tmp_path, "a" * 64, overwrite=False)
    with pytest.raises(OutputError, match="another checkpoint"):
        check_replaceable(tmp_path, "b" * 64, overwrite=False)
    check_replaceable(tmp_path, "b" * 64, overwrite=True)
    assert LatentsMarker.read(tmp_path) == LatentsMarker("a" * 64, "t", {"x": "train"})


def test_a_full_disk_is_told_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        PrecomputedFolder(tmp_path, "a").write("latents", "x", {"latents": torch.zeros(1)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    assert find_training_files(folder) == TrainingFiles(folder / "ckpt.safetensors", folder / "gemma")
    with pytest.raises(WeightsError, match="no checkpoint"):
        find_training_files(tmp_path)
    with pytest.raises(WeightsError, match="no such folder"):
        find_training_files(tmp_path / "none")
