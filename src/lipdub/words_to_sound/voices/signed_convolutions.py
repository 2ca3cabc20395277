"""Faster convolutions of whole numbers, with the same results.

The published network quantises what goes into a convolution to 0..255, and its weights are 0..255, too. Processors
multiply bytes without a sign by bytes with one (VNNI on x86); onnxruntime has no fast way for two without. So what goes
in is quantised to -128..127 instead, with a zero point that is 128 less: x - zero point stays the same, and so does
every sum. (What is added is in onnx's operators ConvInteger, BitwiseXor and Cast.)

Older x86 processors without VNNI add two products in 16 bits and clip the sum. ``exact_and_fast`` tries it.
"""

import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lipdub.disk.protobuf import Field, field, fields, head

_GRAPH, _NODE, _CONSTANT = 7, 1, 5  # fields of a model and of a graph (onnx.proto3)
_INPUT, _OUTPUT, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5  # of a node
_DIMENSION, _TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14  # of a constant
_UINT8, _INT8 = 2, 3
_LARGE = 4096  # bytes
_HALF = "lipdub_128"


def with_signed_inputs(file: Path) -> bytes:
    """The network in the ``file`` (in ONNX) with signed inputs of its convolutions of whole numbers, where they are
    quantised in the network and the weights have no sign. Large weights are not copied: the result says where they lie
    in the file, which has to be in onnxruntime's folder of external initializers. Raises ``ValueError`` for a damaged
    file, and ``OSError``."""
    model = file.read_bytes()
    parts: list[bytes | memoryview] = []
    for part in fields(model):
        if part.number != _GRAPH:
            parts.append(part.whole)
            continue
        graph = list(_signed([_in_file(each, file.name) for each in fields(part)]))
        parts += [head(_GRAPH, sum(map(len, graph))), *graph]
    return b"".join(parts)


@cache
def exact_and_fast() -> bool:
    """True if this machine multiplies bytes without a sign by bytes with one fast and exactly: on x86, if the largest
    products are added up without loss. Needs onnxruntime."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    channels, taps, places = 64, 3, 80
    signs = np.where(np.arange(channels) % 4 < 2, 127, -128)
    given = np.tile(signs[:, None], (1, places)).astype(np.int8)
    weights = np.full((channels, channels, taps), 255, np.uint8)
    try:
        found = _session(convolution(weights)).run(None, {"x": given[None]})[0]
    except Exception:  # this onnxruntime has no such convolution
        return False
    return bool((found == 255 * taps * int(signs.sum())).all())


def convolution(weights: np.ndarray) -> bytes:
    """A network with one convolution of int8 (1, in, places) without padding, by uint8 ``weights`` (out, in, taps)."""
    node = _node("ConvInteger", ("x", "w"), "y")
    graph = field(_NODE, node) + field(2, "convolution") + field(_CONSTANT, _constant("w", weights))
    graph += field(11, _value("x", _INT8, (1, weights.shape[1], "n"))) + field(12, _value("y", 6, (1, "o", "m")))
    return field(1, 8) + field(_GRAPH, graph) + field(8, field(1, "") + field(2, 13))


def _signed(parts: list[Field]) -> Iterator[bytes | memoryview]:
    """The fields of a graph, with the new operators before the first convolution that needs them."""
    unsigned = {name for part in parts if part.number == _CONSTANT for name in [_name_of_bytes(part)] if name}
    quantised, made = set[str](), set[str]()
    for part in parts:
        if part.number != _NODE:
            yield part.whole
            continue
        node = list(fields(part.inner))
        operator = next((f.text for f in node if f.number == _OPERATOR), "")
        inputs = [f.text for f in node if f.number == _INPUT]
        if operator == "DynamicQuantizeLinear":
            quantised.add(next(f.text for f in node if f.number == _OUTPUT))
        if operator != "ConvInteger" or inputs[0] not in quantised or inputs[1] not in unsigned:
            yield part.whole
            continue
        if not made:
            yield field(_CONSTANT, _constant(_HALF, np.uint8(128)))
        if inputs[0] not in made:
            made.add(inputs[0])
            yield from (field(_NODE, new) for new in _quantised(inputs[0], inputs[2]))
        signed = [inputs[0] + "_signed", inputs[1], inputs[0] + "_signed_zero", *inputs[3:]]
        rest = b"".join(f.whole for f in node if f.number != _INPUT)
        yield field(_NODE, b"".join(field(_INPUT, name) for name in signed) + rest)


def _in_file(part: Field, file: str) -> Field:
    """A field of a graph; if it is a large constant of bytes, one that says where in ``file`` they are."""
    inner = list(fields(part)) if part.number == _CONSTANT else []
    raw = next((f for f in inner if f.number == _RAW), None)
    if (
        raw is None
        or len(raw.inner) < _LARGE
        or not any(f.number == _TYPE and f.value in (_UINT8, _INT8) for f in inner)
    ):
        return part
    where = {"location": file, "offset": str(raw.start), "length": str(len(raw.inner))}
    entries = (field(_EXTERNAL, field(1, key) + field(2, value)) for key, value in where.items())
    made = b"".join(f.whole for f in inner if f.number != _RAW) + b"".join(entries) + field(_LOCATION, 1)
    return next(fields(field(_CONSTANT, made)))


def _quantised(name: str, zero: str) -> Iterator[bytes]:
    """Operators that give the quantised ``name`` and its zero point a sign. The bits of v - 128 with a sign are those
    of v without one, but for the first."""
    for unsigned, signed in ((name, f"{name}_signed"), (zero, f"{name}_signed_zero")):
        yield _node("BitwiseXor", (unsigned, _HALF), f"{signed}_bits")
        yield _node("Cast", (f"{signed}_bits",), signed, to=_INT8)


def _name_of_bytes(constant: Field) -> str:
    """The name of a constant of bytes without a sign, else nothing."""
    known = {f.number: f for f in fields(constant.inner) if f.number in (_TYPE, _NAME)}
    return known[_NAME].text if _NAME in known and _TYPE in known and known[_TYPE].value == _UINT8 else ""


def _node(operator: str, inputs: tuple[str, ...], output: str, **attributes: int) -> bytes:
    made = b"".join(field(_INPUT, name) for name in inputs) + field(_OUTPUT, output) + field(_OPERATOR, operator)
    entries = (field(1, key) + field(3, value) + field(20, 2) for key, value in attributes.items())
    return made + b"".join(field(_ATTRIBUTE, entry) for entry in entries)


def _constant(name: str, value: "np.ndarray | np.generic") -> bytes:
    sizes = b"".join(field(_DIMENSION, size) for size in value.shape)
    return sizes + field(_TYPE, _UINT8) + field(_NAME, name) + field(_RAW, value.tobytes())


def _value(name: str, kind: int, shape: tuple[int | str, ...]) -> bytes:
    sizes = b"".join(field(1, field(2 if isinstance(size, str) else 1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, sizes)))


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
