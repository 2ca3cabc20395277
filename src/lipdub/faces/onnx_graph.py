"""Write a small network as an ONNX model in memory, so that onnxruntime can run weights that come in another form.

Only what is needed is written: float tensors, integer attributes, operators of set 13. The fields of the messages and
their numbers are those of ``onnx.proto3`` (ONNX IR version 8); the coding is that of Protocol Buffers.
"""

from collections.abc import Sequence

import numpy as np

from lipdub.disk.protobuf import field

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
        node = b"".join(field(1, name) for name in names) + field(2, result) + field(4, operator)
        self._nodes.append(node + b"".join(field(5, _attribute(*entry)) for entry in attributes.items()))
        return result

    def model(self, result: str, length: int) -> bytes:
        """The model with the single output ``result`` of shape (batch, ``length``)."""
        graph = b"".join(field(1, node) for node in self._nodes) + field(2, "network")
        graph += b"".join(field(5, constant) for constant in self._constants)
        graph += field(11, _value("input", self._shape)) + field(12, _value(result, (length,)))
        operators = field(1, "") + field(2, _OPERATOR_SET)
        return field(1, _IR_VERSION) + field(7, graph) + field(8, operators)

    def _constant(self, array: np.ndarray) -> str:
        name = self._new_name()
        whole = np.issubdtype(array.dtype, np.integer)
        data = np.ascontiguousarray(array, "<i8" if whole else "<f4")
        sizes = b"".join(field(1, size) for size in data.shape)
        kind = field(2, _INT64 if whole else _FLOAT)
        self._constants.append(sizes + kind + field(8, name) + field(9, data.tobytes()))
        return name

    def _new_name(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _attribute(name: str, value: "int | Sequence[int]") -> bytes:
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, _INT)
    return field(1, name) + b"".join(field(8, entry) for entry in value) + field(20, _INTS)


def _value(name: str, shape: Sequence[int]) -> bytes:
    """A float input or output of the graph; its first dimension is the batch, of any size."""
    sizes = field(1, field(2, "batch")) + b"".join(field(1, field(1, size)) for size in shape)
    tensor = field(1, _FLOAT) + field(2, sizes)
    return field(1, name) + field(2, field(1, tensor))
