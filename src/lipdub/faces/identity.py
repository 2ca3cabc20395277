"""Whose face it is: a network turns a picture of a face into 128 numbers that are near for one person.

The network is dlib's face recognition ResNet (D. E. King, 2017; after K. He et al., "Deep Residual Learning for Image
Recognition", CVPR 2016, with 29 layers; 99.4 % on Labeled Faces in the Wild). Its weights are in the public domain;
face-api carries them with 8 bits each, which moves an embedding by about 3 % of its length. The face is brought to the
place at which dlib's own training pictures have it.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub.errors import WeightsError
from lipdub.faces.onnx_graph import OnnxGraph
from lipdub.timeline.picture import Rgb, Window

CHIP_SIDE = 150
"""Pixels of a side of the square picture that the network takes."""

EMBEDDING = 128
"""Numbers in an embedding."""

_PADDING = 0.25  # room around the face, in parts of its box
_POINTS = np.array([263, 362, 33, 133, 2])  # landmarks: eye corners (outer, inner), base of the nose
_PLACES = np.array(  # where dlib's mean face has them in its box (dlib, image_transforms/interpolation.h)
    [[0.8596, 0.2135], [0.6461, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]]
)
_MEAN_COLOUR = np.array([122.782, 117.001, 104.298], np.float32)
_COARSE = 0.7  # pixels of the chip per pixel of the picture, below which the picture is smoothed first
_WEIGHTS, _SCALES = "face_recognition_model.bin", "face_recognition_model-weights_manifest.json"


def chip_placement(landmarks: Float32[np.ndarray, "478 3"]) -> tuple[np.ndarray, float]:
    """The similarity (2, 3) from display pixels to a chip, and its scale (pixels of the chip per display pixel)."""
    wanted = (_PADDING + _PLACES) / (2 * _PADDING + 1) * CHIP_SIDE
    found = landmarks[_POINTS, :2].astype(np.float64)
    here, there = (p[:, 0] + 1j * p[:, 1] for p in (found - found.mean(0), wanted - wanted.mean(0)))
    turn = (here.conj() @ there) / (here.conj() @ here)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.c_[matrix, wanted.mean(0) - matrix @ found.mean(0)], float(abs(turn))


def face_chip(
    landmarks: Float32[np.ndarray, "478 3"], size: tuple[int, int], pixels: Callable[[Window], Rgb]
) -> Rgb | None:
    """The face at ``landmarks`` as the network takes it, (150, 150, 3), upright. ``size`` (width, height) is the
    picture's; ``pixels`` returns RGB of a window. None if the face lies outside the picture."""
    placement, scale = chip_placement(landmarks)
    corners = np.array([[0, 0], [CHIP_SIDE, 0], [0, CHIP_SIDE], [CHIP_SIDE, CHIP_SIDE]], np.float64)
    there = (corners - placement[:, 2]) @ np.linalg.inv(placement[:, :2]).T
    low, high = np.floor(there.min(0)).astype(int) - 2, np.ceil(there.max(0)).astype(int) + 3
    window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(size)
    if min(window.width, window.height) < 4:
        return None
    rgb = pixels(window)
    if scale < _COARSE:
        rgb = cv2.GaussianBlur(rgb, (0, 0), 0.45 / scale)
    placement[:, 2] += placement[:, :2] @ [window.left, window.top]
    return cv2.warpAffine(
        rgb, placement, (CHIP_SIDE, CHIP_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


class FaceIdentifier:
    """The network. Two chips of one person have embeddings nearer than about 0.5, of two people farther."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """``folder`` holds the files of the model "face-identity". Raises ``WeightsError`` if they cannot be read."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            model = _resnet(_read_weights(folder))
        except (OSError, ValueError, KeyError) as broken:
            raise WeightsError(
                f"the face identity model cannot be read ({broken})", file=folder, remedy="Fetch it again."
            ) from broken
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def embed(self, chips: Sequence[Rgb]) -> Float32[np.ndarray, "chips 128"]:
        """The embedding of every chip (150, 150, 3). They are about 1.45 long."""
        if not len(chips):
            return np.zeros((0, EMBEDDING), np.float32)
        pictures = (np.stack(chips).astype(np.float32) - _MEAN_COLOUR) / 256
        answer: Any = self._session.run(None, {"input": np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))})[0]
        return np.asarray(answer, np.float32)


def _read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Every array of the network by its name, from 8 bits a weight (tensorflow.js: value = byte * scale + min)."""
    manifest = json.loads((folder / _SCALES).read_text("utf-8"))[0]["weights"]
    content, at, out = (folder / _WEIGHTS).read_bytes(), 0, {}
    for entry in manifest:
        shape, coded = entry["shape"], entry.get("quantization")
        count = int(np.prod(shape))
        if coded is None:
            values = np.frombuffer(content, "<f4", count, at)
        else:
            values = np.frombuffer(content, np.uint8, count, at) * np.float32(coded["scale"]) + np.float32(coded["min"])
        out[entry["name"]] = values.reshape(shape)
        at += count * (4 if coded is None else 1)
    return out


def _resnet(weights: dict[str, np.ndarray]) -> bytes:
    """dlib's network (``dnn_face_recognition_ex.cpp``, ``anet_type``) as an ONNX model."""
    graph = OnnxGraph((3, CHIP_SIDE, CHIP_SIDE))

    def convolution(x: str, name: str, stride: int, padding: int) -> str:
        """A convolution with the affine layer that follows it."""
        scale, offset = weights[f"{name}/scale/weights"], weights[f"{name}/scale/biases"]
        kernel = (weights[f"{name}/conv/filters"] * scale).transpose(3, 2, 0, 1)
        bias = weights[f"{name}/conv/bias"] * scale + offset
        size = list(kernel.shape[2:])
        return graph.apply("Conv", x, kernel, bias, kernel_shape=size, strides=[stride] * 2, pads=[padding] * 4)

    def block(x: str, name: str) -> str:
        inner = graph.apply("Relu", convolution(x, f"{name}/conv1", 1, 1))
        return graph.apply("Relu", graph.apply("Add", convolution(inner, f"{name}/conv2", 1, 1), x))

    def half_block(x: str, name: str, side: int, new_channels: int) -> str:
        """A block that halves the picture: both branches are filled up with zeros to one shape."""
        inner = graph.apply("Relu", convolution(x, f"{name}/conv1", 2, 0))
        inner = convolution(inner, f"{name}/conv2", 1, 1)
        pooled = graph.apply("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        if missing := side // 2 - ((side - 3) // 2 + 1):
            inner = graph.apply("Pad", inner, np.array([0, 0, 0, 0, 0, 0, missing, missing]))
        if new_channels:
            pooled = graph.apply("Pad", pooled, np.array([0, 0, 0, 0, 0, new_channels, 0, 0]))
        return graph.apply("Relu", graph.apply("Add", inner, pooled))

    x = graph.apply("Relu", convolution("input", "conv32_down", 2, 0))
    x = graph.apply("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    side = 35
    for blocks, halved, new_channels in ((3, 64, 32), (3, 128, 64), (2, 256, 128)):
        for number in range(1, blocks + 1):
            x = block(x, f"conv{halved // 2}_{number}")
        x, side = half_block(x, f"conv{halved}_down", side, new_channels), side // 2
    for number in (1, 2):
        x = block(x, f"conv256_{number}")
    x = half_block(x, "conv256_down_out", side, 0)
    mean = graph.apply("Flatten", graph.apply("GlobalAveragePool", x))
    return graph.model(graph.apply("MatMul", mean, weights["fc"]), EMBEDDING)
