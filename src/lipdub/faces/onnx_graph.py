"""Write a small network as an ONNX model in memory, so that onnxruntime can run weights that come in another form.

Only what is needed is written: float tensors, integer attributes, operators of set 13. The fields of the messages and
their numbers are those of ``onnx.proto3`` (ONNX IR version 8); the coding is that of Protocol Buffers.
"""

from collections.abc import Sequence

import numpy as np

_IR_VERSION, _OPERATOR_SET = 8, 13
_FLOAT, _INT64 = 1, 7
_INT, _INTS = 2, 7


class OnnxGraph:
    """A network that is built one operator at a time. Every operator returns the name of its result."""

    def __init__(self, shape: Sequence[int]) -> None:
        """``shape`` is that of one input, without the batch: (channels, rows, columns). The input is called "input"."""
        self._shape = tuple(shape)
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._names = 0

    def apply(self, operator: str, *inputs: "str | np.ndarray", **attributes: "int | Sequence[int]") -> str:
        """The result of ``operator`` (ONNX's name) on ``inputs``: names of results, or constant arrays."""
        names = [entry if isinstance(entry, str) else self._constant(entry) for entry in inputs]
        result = self._new_name()
        node = b"".join(_field(1, name) for name in names) + _field(2, result) + _field(4, operator)
        self._nodes.append(node + b"".join(_field(5, _attribute(*entry)) for entry in attributes.items()))
        return result

    def model(self, result: str, length: int) -> bytes:
        """The model with the single output ``result`` of shape (batch, ``length``)."""
        graph = b"".join(_field(1, node) for node in self._nodes) + _field(2, "network")
        graph += b"".join(_field(5, constant) for constant in self._constants)
        graph += _field(11, _value("input", self._shape)) + _field(12, _value(result, (length,)))
        operators = _field(1, "") + _field(2, _OPERATOR_SET)
        return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, operators)

    def _constant(self, array: np.ndarray) -> str:
        name = self._new_name()
        whole = np.issubdtype(array.dtype, np.integer)
        data = np.ascontiguousarray(array, "<i8" if whole else "<f4")
        sizes = b"".join(_field(1, size) for size in data.shape)
        kind = _field(2, _INT64 if whole else _FLOAT)
        self._constants.append(sizes + kind + _field(8, name) + _field(9, data.tobytes()))
        return name

    def _new_name(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _attribute(name: str, value: "int | Sequence[int]") -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, _INT)
    return _field(1, name) + b"".join(_field(8, entry) for entry in value) + _field(20, _INTS)


def _value(name: str, shape: Sequence[int]) -> bytes:
    """A float input or output of the graph; its first dimension is the batch, of any size."""
    sizes = _field(1, _field(2, "batch")) + b"".join(_field(1, _field(1, size)) for size in shape)
    tensor = _field(1, _FLOAT) + _field(2, sizes)
    return _field(1, name) + _field(2, _field(1, tensor))


def _field(number: int, value: "int | str | bytes") -> bytes:
    """One field of a Protocol Buffers message: a whole number, or text, bytes or an inner message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    assert value >= 0, "negative numbers are not needed"
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
