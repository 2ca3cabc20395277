"""The published files are found by their contents, and errors name what is missing or wrong.

None of this needs torch: the weights here are headers over zeros.
"""

import json
import shutil
from math import prod
from pathlib import Path

import pytest

from lipdub.engines.ltx.published import CHECKPOINT, DUBIT, UPSAMPLER
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.weights_folder import find_files, ltx_version, scan_folder
from lipdub.errors import WeightsError

SILENT = {"model_version": ""}
"""Metadata of a file without a version."""


def _changed(source: Path, to: Path, rename=lambda name: name, shape=lambda name, shape: shape, **more) -> Path:
    """A file like ``source`` whose data are absent (a hole in the file); ``rename`` to None drops a tensor."""
    header = SafetensorsHeader.of(source)
    entries = {"__metadata__": {**header.metadata, **more.get("metadata", {})}}
    end = 0
    for name, size in header.shapes.items():
        if (new := rename(name)) is None:
            continue
        size = shape(name, size)
        start, end = end, end + 4 * prod(size)
        entries[new] = {"dtype": more.get("kind", "F32"), "shape": size, "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)
    with to.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return to


@pytest.fixture
def folder(files, tmp_path) -> Path:
    """A folder of links to the tiny files, so that a test can remove some; the LoRA has its published name."""
    for name in ("ckpt.safetensors", "upsampler.safetensors"):
        (tmp_path / name).symlink_to(files / name)
    (tmp_path / DUBIT.name).symlink_to(files / "lora_ds1.safetensors")
    shutil.copytree(files / "gemma", tmp_path / "gemma", copy_function=lambda a, b: Path(b).symlink_to(a))
    return tmp_path


def _refused(folder: Path) -> str:
    with pytest.raises(WeightsError) as refused:
        find_files(folder, say=lambda line: None)
    return str(refused.value)


def test_the_generated_folder_is_recognised_and_choices_are_reported(files):
    said = []
    found = find_files(files, say=said.append)
    assert found.checkpoint == files / "ckpt.safetensors"
    assert found.upsampler == files / "upsampler.safetensors"
    assert found.text_encoder == files / "gemma"
    assert found.lora == files / "lora_ds1.safetensors"
    assert "lora_ds2.safetensors would fit too" in said[0]
    assert "its name does not say so" in said[1]
    assert find_files(files, "lora_ds2.safetensors", said.append).lora == files / "lora_ds2.safetensors"


def test_published_names_are_found_in_subfolders_without_a_message(folder):
    said = []
    for name, place in (("ckpt.safetensors", "checkpoints"), (DUBIT.name, "loras/dubit")):
        (folder / place).mkdir(parents=True)
        (folder / name).rename(folder / place / name)
    found = find_files(folder, say=said.append)
    assert found.lora == folder / "loras" / "dubit" / DUBIT.name
    assert said == []


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ("ckpt.safetensors", ("the distilled checkpoint (ltx-2.3-22b-distilled-1.1", "46.1 GB", "Community License")),
        ("upsampler.safetensors", ("the x2 upsampler", "0.996 GB", "Community License)")),
        (DUBIT.name, ("the Dub-It LoRA", "2.47 GB", "accepted on its page", "docs/ltx.md")),
        ("gemma", ("the text encoder's folder", "Gemma-3-12B", "24.4 GB", "accepted on its page")),
    ],
)
def test_missing_files_are_listed_with_size_and_licence(folder, gone, expected):
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    message = _refused(folder)
    assert "1 of the 4 parts" in message
    for words in expected:
        assert words in message


def test_the_latest_published_file_is_taken_if_several_are_there(files, folder):
    for kind, published in (("ckpt.safetensors", CHECKPOINT), ("upsampler.safetensors", UPSAMPLER)):
        (folder / kind).unlink()
        for name in (*published.names, f"a-{published.name}"):
            (folder / name).symlink_to(files / kind)
    found = find_files(folder, say=lambda line: None)
    assert (found.checkpoint.name, found.upsampler.name) == (CHECKPOINT.name, UPSAMPLER.name)
    assert "distilled-1.1" in CHECKPOINT.name
    found.checkpoint.unlink()
    assert find_files(folder, say=lambda line: None).checkpoint.name == CHECKPOINT.also[0]


def test_an_empty_and_a_missing_folder_are_refused(tmp_path):
    assert "4 of the 4 parts" in _refused(tmp_path)
    assert "No model file was found there" in _refused(tmp_path)
    assert "no such folder" in _refused(tmp_path / "nowhere")


def test_a_lora_for_another_model_is_named(files, folder):
    lora = folder / DUBIT.name
    _changed(files / "lora_ds1.safetensors", lora, shape=lambda n, s: (s[0], 96) if "lora_A" in n else (96, s[1]))
    assert f"{DUBIT.name}: a LoRA for another model: 84 of its 84 layers do not fit" in _refused(folder)
    _changed(
        files / "lora_ds1.safetensors", lora, lambda n: n.replace("transformer_blocks.2.", "transformer_blocks.9.")
    )
    assert "28 of its 84 layers do not fit, diffusion_model.transformer_blocks.9." in _refused(folder)
    _changed(files / "lora_ds1.safetensors", lora, lambda n: n.replace(".lora_A.", ".lora_down."))
    assert "a LoRA for another model" in _refused(folder)
    _changed(files / "lora_ds1.safetensors", lora, lambda n: None if "audio" in n or "video" in n else n)
    assert "a LoRA for the picture alone" in _refused(folder)


def test_a_lora_with_the_name_of_another_task_is_not_used(folder):
    (folder / DUBIT.name).rename(folder / "ltx-2.3-22b-distilled-lora-384.safetensors")
    assert "its name says that it is for another task" in _refused(folder)


def test_the_given_lora_is_used_if_several_fit(files, folder):
    (folder / "a_first.safetensors").symlink_to(files / "lora_ds2.safetensors")
    said = []
    assert find_files(folder, say=said.append).lora.name == DUBIT.name
    assert said == [f"{DUBIT.name} is taken for the LoRA; a_first.safetensors would fit too"]


def _without_prompt(name: str) -> str | None:
    return None if "prompt_adaln" in name else name


def _without_bias(name: str) -> str | None:
    return None if name.endswith(".ff.net.2.bias") and "audio" not in name else name


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rename": _without_prompt, "metadata": SILENT}, "a checkpoint of LTX 2.0, Dub-It runs on LTX-2.3"),
        ({"rename": _without_bias, "metadata": SILENT}, "LTX-2.5 files: not supported yet"),
        ({"metadata": {"model_version": "2.5.0"}}, "LTX-2.5 files: not supported yet"),
        ({"metadata": {"model_version": "2.0.1"}}, "a checkpoint of LTX 2.0.1"),
        ({"rename": lambda n: n if "diffusion_model" in n else None}, "a transformer without vae and audio_vae"),
        ({"kind": "F8_E5M2"}, "its weights are F8_E5M2; the one in BF16 is needed"),
    ],
)
def test_a_checkpoint_of_another_kind_is_named(files, folder, change, expected):
    _changed(files / "ckpt.safetensors", folder / "ckpt.safetensors", **change)
    assert f"ckpt.safetensors: {expected}" in _refused(folder)


def test_versions_are_recognised_by_their_tensors(files, tmp_path):
    checkpoint = files / "ckpt.safetensors"
    assert ltx_version(SafetensorsHeader.of(checkpoint)) == "2.3"
    assert ltx_version(SafetensorsHeader.of(_changed(checkpoint, tmp_path / "silent", metadata=SILENT))) == "2.3"
    key = "model.diffusion_model.keyframes_abs_pos_embedding"
    newer = _changed(
        checkpoint, tmp_path / "a", lambda n: key if n.endswith("patchify_proj.bias") else n, metadata=SILENT
    )
    assert ltx_version(SafetensorsHeader.of(newer)) == "2.5"


def test_an_undistilled_checkpoint_is_not_used(folder):
    (folder / "ckpt.safetensors").rename(folder / "ltx-2.3-22b-dev.safetensors")
    assert "not distilled" in _refused(folder)
    (folder / "ltx-2.3-22b-dev.safetensors").rename(folder / "ltx-2.3-22b-distilled.safetensors")
    assert find_files(folder).checkpoint.name == "ltx-2.3-22b-distilled.safetensors"


def test_split_files_of_the_next_version_are_named(files, folder):
    (folder / "ckpt.safetensors").unlink()
    metadata = {"metadata": {"model_version": "2.5"}}
    vae = _changed(files / "ckpt.safetensors", folder / "vae.safetensors", lambda n: _only(n, "vae."), **metadata)
    message = _refused(folder)
    assert f"{vae.name}: LTX-2.5 files: not supported yet" in message
    _changed(files / "ckpt.safetensors", vae, lambda n: _only(n, "vae."))
    assert "vae.safetensors: one part of a model" in _refused(folder)


def _only(name: str, prefix: str) -> str | None:
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def test_an_unsuitable_upsampler_is_named(files, folder):
    source, to = files / "upsampler.safetensors", folder / "upsampler.safetensors"
    _changed(source, to, metadata={"config": json.dumps({"spatial_scale": 1.5})})
    assert "does not double height and width" in _refused(folder)
    _changed(source, to, metadata={"config": "?"})
    assert "does not say how its model is built" in _refused(folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda gemma: (gemma / "tokenizer.json").unlink(), "it lacks tokenizer.json"),
        (lambda gemma: (gemma / "model.safetensors").unlink(), "it has no weights"),
        (lambda gemma: _index(gemma, {"a": "model-00001-of-00002.safetensors"}), "lacks model-00001-of-00002"),
        (lambda gemma: _index(gemma, []), "model.safetensors.index.json cannot be read"),
        (lambda gemma: _cut(gemma / "model.safetensors"), "model.safetensors: not a whole safetensors file"),
        (lambda gemma: _config(gemma, model_type="gemma4_unified"), "of the kind gemma4_unified"),
        (lambda gemma: _config(gemma, text_config={"hidden_size": 33, "num_hidden_layers": 2}), "33 wide"),
    ],
)
def test_an_unsuitable_text_encoder_is_named(folder, change, expected):
    change(folder / "gemma")
    message = _refused(folder)
    assert expected in message
    assert "the text encoder's folder (Gemma-3-12B" in message


def _index(gemma: Path, mapping: object) -> None:
    (gemma / "model.safetensors.index.json").write_text(json.dumps({"weight_map": mapping}))


def _cut(path: Path) -> None:
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:-10])


def _config(gemma: Path, **changes: object) -> None:
    path = gemma / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | changes
    path.unlink()
    path.write_text(json.dumps(config))


def test_a_text_encoder_in_one_file_broken_and_unknown_files_are_named(files, folder):
    shutil.rmtree(folder / "gemma")
    (folder / "gemma.safetensors").symlink_to(files / "gemma" / "model.safetensors")
    (folder / "half.safetensors").write_bytes((files / "upsampler.safetensors").read_bytes()[:5000])
    (folder / "q4.gguf").write_bytes(b"GGUF")
    message = _refused(folder)
    assert "gemma.safetensors: a text encoder in one file; its folder" in message
    assert "half.safetensors: not a whole safetensors file" in message
    assert "q4.gguf: a GGUF file" in message


def test_only_the_first_faults_are_listed(files, folder):
    (folder / "ckpt.safetensors").unlink()
    for i in range(9):
        (folder / f"{i}.gguf").touch()
    assert "; and 4 more" in _refused(folder)


def test_other_files_than_safetensors_are_refused_with_the_reason(tmp_path):
    path = tmp_path / "a.safetensors"
    for content in (b"", b"\0" * 8, b"\x05\0\0\0\0\0\0\0[1,2]", b"\x02\0\0\0\0\0\0\0{}more"):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="not a whole safetensors file"):
            SafetensorsHeader.of(path)
    path.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    assert scan_folder(tmp_path)[0].fault == "not a file of LTX-2.3"
