"""The weights of the speech encoder are those of whisper-base, and the network computes what CTranslate2 computes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from lipdub import weights
from lipdub.errors import OutputError, WeightsError
from lipdub.sound_to_mouth import encoder_network
from lipdub.sound_to_mouth.encoder import log_mel
from lipdub.sound_to_mouth.encoder_network import EncoderNetwork
from lipdub.train import encoder_weights
from lipdub.train.encoder_weights import ctranslate2_tensors, write_encoder_weights

WHISPER = weights.present("whisper-base", lambda line: None)
needs_whisper = pytest.mark.skipif(WHISPER is None, reason="the weights of whisper-base are not here")
TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def model_file(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A file of CTranslate2 with ``tensors``."""

    def text(name: str) -> bytes:
        return struct.pack("<H", len(name) + 1) + name.encode() + bytes(1)

    content = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    for name, values in tensors.items():
        content += text(name) + struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
        content += struct.pack("<BI", TYPES[str(values.dtype)], values.nbytes) + values.tobytes()
    path.write_bytes(content)
    return path


def random_tensors() -> dict[str, np.ndarray]:
    """Tensors with the names of whisper's encoder, and few numbers."""
    rng = np.random.default_rng(3)
    shapes = {"encoder/conv1": (16, 80, 3), "encoder/conv2": (16, 16, 3)}
    out: dict[str, np.ndarray] = {}
    for layer in range(6):
        name = f"encoder/layer_{layer}"
        shapes |= {f"{name}/self_attention/linear_0": (48, 16), f"{name}/self_attention/linear_1": (16, 16)}
        shapes |= {f"{name}/ffn/linear_0": (64, 16), f"{name}/ffn/linear_1": (16, 64)}
        for norm in ("self_attention", "ffn"):
            out[f"{name}/{norm}/layer_norm/gamma"] = np.ones(16, np.float16)
            out[f"{name}/{norm}/layer_norm/beta"] = np.zeros(16, np.float16)
    for name, shape in shapes.items():
        out[f"{name}/weight"] = rng.standard_normal(shape).astype(np.float16)
        out[f"{name}/bias"] = rng.standard_normal(shape[0]).astype(np.float16)
    return out


def test_tensors_of_every_type_are_read(tmp_path):
    rng = np.random.default_rng(1)
    given = {f"a/{kind}": (rng.standard_normal((3, 4)) * 50).astype(kind) for kind in TYPES}
    given["scalar"] = np.array(8, np.int16)
    found = ctranslate2_tensors(model_file(tmp_path / "model.bin", given).read_bytes())
    assert found.keys() == given.keys()
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values)


def test_weights_are_rounded_to_six_bits(tmp_path):
    tensors = random_tensors()
    write_encoder_weights(model_file(tmp_path / "model.bin", tensors), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as made:
        numbers, step = made["layer2.wide.weight"], made["layer2.wide.step"]
        stem = made["stem1.weight"] * made["stem1.step"][:, None]
        assert not any(name.startswith("layer3") for name in made)
    true = tensors["encoder/layer_2/ffn/linear_0/weight"].astype(np.float32)
    assert np.abs(numbers).max() == 31
    assert (np.abs(numbers * step[:, None] - true) <= step[:, None] * 0.501).all()
    kernel = tensors["encoder/conv2/weight"].astype(np.float32).transpose(0, 2, 1).reshape(16, -1)
    assert np.abs(stem - kernel).max() < np.abs(kernel).max() / 60


def test_a_constant_sound_has_equal_rows_but_for_their_places(tmp_path, monkeypatch):
    tensors = random_tensors()
    write_encoder_weights(model_file(tmp_path / "model.bin", tensors), tmp_path / "out.npz")
    monkeypatch.setattr(encoder_network, "_places", lambda first, count: np.zeros((count, 16), np.float32))
    with np.load(tmp_path / "out.npz") as made:
        rows = EncoderNetwork(made).rows(np.full((80, 60), 0.5, np.float32))
    assert rows.shape == (30, 16)
    assert np.abs(rows[2:-2] - rows[10]).max() < 1e-4
    assert np.abs(rows[0] - rows[10]).max() > 1e-3


@pytest.mark.parametrize("content", [b"", b"nothing", struct.pack("<I", 99) + bytes(40)])
def test_other_files_are_refused_in_words(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(WeightsError, match="CTranslate2"):
        write_encoder_weights(tmp_path / "model.bin", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "out.npz").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        write_encoder_weights(model_file(tmp_path / "model.bin", random_tensors()), tmp_path / "out.npz")


def test_a_damaged_package_is_named(tmp_path, monkeypatch):
    (tmp_path / encoder_network.FILE).write_bytes(b"PK nothing")
    monkeypatch.setattr(encoder_network, "files", lambda package: tmp_path)
    with pytest.raises(WeightsError, match="Install lipdub again"):
        EncoderNetwork.shipped.__wrapped__()


@needs_whisper
def test_the_shipped_weights_are_those_of_whisper_base(tmp_path):
    write_encoder_weights(WHISPER / "model.bin", tmp_path / "out.npz")
    shipped = Path(encoder_network.__file__).with_name(encoder_network.FILE)
    with np.load(tmp_path / "out.npz") as made, np.load(shipped) as ours:
        assert set(made) == set(ours)
        for name in made:
            np.testing.assert_array_equal(made[name], ours[name])


@needs_whisper
def test_all_layers_equal_the_encoder_in_ctranslate2(tmp_path, monkeypatch):
    ctranslate2 = pytest.importorskip("ctranslate2")
    for module in (encoder_network, encoder_weights):
        monkeypatch.setattr(module, "LAYERS", 6)
    monkeypatch.setattr(encoder_weights, "_MOST", 127)
    write_encoder_weights(WHISPER / "model.bin", tmp_path / "all.npz")
    clock = np.arange(48_000) / 16_000
    chirp = 0.1 * np.sin(2 * np.pi * (200 * clock + 300 * clock**2)) * (np.sin(8 * clock) > -0.3)
    mel = log_mel(chirp.astype(np.float32))
    with np.load(tmp_path / "all.npz") as tensors:
        rows = EncoderNetwork(tensors).rows(mel)
    tensors = ctranslate2_tensors((WHISPER / "model.bin").read_bytes())
    scale, shift = (tensors[f"encoder/layer_norm/{part}"].astype(np.float32) for part in ("gamma", "beta"))
    rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True) * scale + shift
    model = ctranslate2.models.Whisper(str(WHISPER), device="cpu", compute_type="float32", intra_threads=1)
    expected = np.array(model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel[None]))))[0]
    assert np.corrcoef(rows.ravel(), expected.ravel())[0, 1] > 0.99
