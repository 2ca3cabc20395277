"""Makes ``sound_to_mouth/encoder_weights.npz``, the weights of the speech encoder, from those of whisper-base.

    python -m lipdub.train.encoder_weights -o encoder_weights.npz

Input is ``model.bin`` of whisper-base in CTranslate2's format (``lipdub weights fetch whisper-base``; MIT). Of the
encoder's six layers the first three are kept. Each matrix becomes whole numbers from -31 to 31, times a step for each
of its outputs.
"""

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lipdub import weights
from lipdub.disk.publish import atomic_output
from lipdub.errors import WeightsError
from lipdub.process.exit_codes import run_program
from lipdub.sound_to_mouth.encoder_network import LAYERS

_MOST = 31
_TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
_STEMS = ("conv1", "conv2")
_LINEAR = {
    "queries": "self_attention/linear_0",
    "joined": "self_attention/linear_1",
    "wide": "ffn/linear_0",
    "narrow": "ffn/linear_1",
}
_NORMS = {"first_norm": "self_attention/layer_norm", "second_norm": "ffn/layer_norm"}
"""Names in our file -> names in a layer of CTranslate2's."""


def write_encoder_weights(model: Path, output: Path, *, overwrite: bool = False) -> None:
    """Write the weights of the speech encoder in ``model`` (a ``model.bin``) to ``output``.

    Raises ``WeightsError`` if ``model`` is no such file, ``OutputError`` if ``output`` cannot be written.
    """
    try:
        arrays = _arrays(ctranslate2_tensors(model.read_bytes()))
    except (KeyError, ValueError, IndexError, struct.error) as wrong:
        raise WeightsError(
            f"no whisper model in CTranslate2's format ({wrong!r})",
            file=model,
            remedy="Fetch it with: lipdub weights fetch whisper-base",
        ) from wrong
    with atomic_output(output, overwrite=overwrite) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _arrays(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """The arrays of our file. Raises ``KeyError`` if a tensor is missing."""
    out: dict[str, Any] = {}
    for number, stem in enumerate(_STEMS):
        weight = tensors[f"encoder/{stem}/weight"].transpose(0, 2, 1)  # outputs, neighbours, inputs
        out |= _whole_numbers(f"stem{number}", weight.reshape(len(weight), -1), tensors[f"encoder/{stem}/bias"])
    for layer in range(LAYERS):
        for ours, theirs in _LINEAR.items():
            name = f"encoder/layer_{layer}/{theirs}"
            out |= _whole_numbers(f"layer{layer}.{ours}", tensors[f"{name}/weight"], tensors[f"{name}/bias"])
        for ours, theirs in _NORMS.items():
            for part, which in (("scale", "gamma"), ("shift", "beta")):
                norm = tensors[f"encoder/layer_{layer}/{theirs}/{which}"]
                out[f"layer{layer}.{ours}.{part}"] = norm.astype(np.float16)
    return out


def _whole_numbers(name: str, weight: np.ndarray, bias: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a linear layer in our file."""
    step = (np.abs(weight.astype(np.float32)).max(1) / _MOST).astype(np.float32)
    yield f"{name}.weight", np.rint(weight.astype(np.float32) / np.maximum(step, 1e-12)[:, None]).astype(np.int8)
    yield f"{name}.step", step
    yield f"{name}.bias", bias.astype(np.float16)


def ctranslate2_tensors(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a ``model.bin`` by name.

    Version, name and revision of the model and the number of tensors are followed by each one's name, rank, shape,
    type, size in bytes and numbers, all little-endian (``python/ctranslate2/specs/model_spec.py`` of CTranslate2).
    Raises ``ValueError`` or ``struct.error`` for other content.
    """
    place = 0

    def read(code: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{code}", content, place)
        place += struct.calcsize(code)
        return value

    def text() -> str:
        nonlocal place
        length = read("H")
        place += length
        return content[place - length : place - 1].decode("utf-8")

    version, _, _, count = read("I"), text(), read("I"), read("I")
    if not 4 <= version <= 6:
        raise ValueError(f"version {version}")
    out = {}
    for _ in range(count):
        name = text()
        shape = [read("I") for _ in range(read("B"))]
        kind, size = np.dtype(_TYPES[read("B")]), read("I")
        out[name] = np.frombuffer(content, kind, size // kind.itemsize, place).reshape(shape)
        place += size
    return out


def main() -> None:
    """Run the command line."""
    run_program(_main)


def _main() -> None:
    what = "Make the weights of the speech encoder from those of whisper-base."
    parser = argparse.ArgumentParser(prog="python -m lipdub.train.encoder_weights", description=what)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    given = parser.parse_args()
    write_encoder_weights(weights.resolve("whisper-base") / "model.bin", given.output, overwrite=given.overwrite)


if __name__ == "__main__":
    main()
