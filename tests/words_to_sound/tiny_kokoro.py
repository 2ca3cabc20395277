"""A folder as the model ``kokoro`` has it, with a network of the same inputs that hums, and a few words of English."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lipdub.weights import kokoro_files

HUM_PER_PHONE = 1200
"""Samples of the hum at speed 1 for each number that the network is given."""

WORDS: Mapping[str, object] = {
    "one": "wˈʌn", "word": "wˈɜɹd", "this": "ðɪs", "is": "ɪz", "longer": "lˈɔŋɡəɹ", "sentence": "sˈɛntᵊns",
    "with": "wɪð",
    "more": "mˈɔɹ", "words": "wˈɜɹdz", "in": "ɪn", "it": "ɪt", "which": "wˌɪʧ", "takes": "tˈAks", "time": "tˈIm",
    "say": "sˈA", "apple": "ˈæpᵊl", "read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd", "VBN": "ɹˈɛd"}, 
    "she": "ʃi", "has": "hæz",
    "record": {"DEFAULT": "ɹˈɛkəɹd", "VERB": "ɹəkˈɔɹd"}, "house": "hˈWs", "boat": "bˈOt", "walk": "wˈɔk", "F": "ˈɛf",
    "good": "ɡˈʊd", "day": "dˈA", "wait": "wˈAt", "cat": "kˈæt",
}  # fmt: skip


def write_kokoro(folder: Path) -> Path:
    """Make the files in ``folder``; returns it."""
    folder.mkdir(parents=True)
    (folder / kokoro_files.MODEL[0]).write_bytes(humming_network())
    for number, (name, _) in enumerate(kokoro_files.VOICES):
        np.full((510, 1, 256), number / 1000, "<f4").tofile(folder / f"{name}.bin")
    for name, _, _ in kokoro_files.LEXICA:
        (folder / name).write_text(json.dumps(WORDS if "gold" in name else {}), "utf-8")
    return folder


def humming_network() -> bytes:
    """A network in ONNX with inputs tokens, style and speed, whose output is a sine wave: its length depends on the
    number of tokens and on the speed, its pitch on their mean and on the style."""
    nodes = [
        _node("Shape", ("tokens",), "shape"),
        _node("Gather", ("shape", "one"), "count"),
        _node("Div", ("per_phone", "speed"), "each_float"),
        _node("Cast", ("each_float",), "each", to=7),
        _node("Mul", ("count", "each"), "total_1"),
        _node("Squeeze", ("total_1",), "total"),
        _node("Range", ("zero", "total", "step"), "places_whole"),
        _node("Cast", ("places_whole",), "places", to=1),
        _node("Cast", ("tokens",), "tokens_float", to=1),
        _node("ReduceMean", ("tokens_float",), "mean", keepdims=0),
        _node("ReduceMean", ("style",), "colour", keepdims=0),
        _node("Mul", ("mean", "thousandth"), "small"),
        _node("Add", ("small", "colour"), "more"),
        _node("Add", ("more", "base"), "turn"),
        _node("Mul", ("places", "turn"), "angle"),
        _node("Sin", ("angle",), "wave"),
        _node("Mul", ("wave", "loudness"), "audio"),
    ]
    constants = [
        _constant("one", np.int64(1)), _constant("zero", np.int64(0)), _constant("step", np.int64(1)),
        _constant("per_phone", np.full(1, HUM_PER_PHONE, np.float32)), _constant("thousandth", np.float32(0.0005)),
        _constant("base", np.float32(0.05)), _constant("loudness", np.float32(0.3)),
    ]  # fmt: skip
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "hum")
    graph += b"".join(_field(5, constant) for constant in constants)
    graph += _field(11, _value("tokens", 7, (1, "n"))) + _field(11, _value("style", 1, (1, 256)))
    graph += _field(11, _value("speed", 1, (1,))) + _field(12, _value("audio", 1, ("samples",)))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


def _node(operator: str, inputs: tuple[str, ...], output: str, **attributes: int) -> bytes:
    made = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operator)
    return made + b"".join(_field(5, _field(1, k) + _field(3, v) + _field(20, 2)) for k, v in attributes.items())


def _constant(name: str, value: np.ndarray | np.generic) -> bytes:
    array = np.asarray(value)
    kind = 7 if array.dtype == np.int64 else 1
    sizes = b"".join(_field(1, size) for size in array.shape)
    return sizes + _field(2, kind) + _field(8, name) + _field(9, array.tobytes())


def _value(name: str, kind: int, shape: tuple[int | str, ...]) -> bytes:
    sizes = b"".join(_field(1, _field(2, s) if isinstance(s, str) else _field(1, s)) for s in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, sizes)))


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
