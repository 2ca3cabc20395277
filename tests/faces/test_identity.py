"""The network that tells whose face it is, on a real face (skimage's portrait of an astronaut)."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from skimage.data import astronaut
from synthetic_faces import frame_of, placed

from lipdub import weights
from lipdub.errors import WeightsError
from lipdub.faces.identity import CHIP_SIDE, FaceIdentifier, chip_placement, face_chip
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.onnx_graph import OnnxGraph

Embed = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def identifier() -> FaceIdentifier:
    try:
        return FaceIdentifier(weights.resolve("face-identity"))
    except WeightsError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def embed(finder: FaceLandmarker, identifier: FaceIdentifier) -> Embed:
    def embedding(picture: np.ndarray) -> np.ndarray:
        frame, size = frame_of(picture), picture.shape[1::-1]
        mesh = finder.refined_mesh(frame.rgb, size, finder.detect(frame)[0].roi)
        assert mesh is not None
        chip = face_chip(mesh.landmarks, size, frame.rgb)
        assert chip is not None
        return identifier.embed([chip])[0]

    return embedding


def test_one_face_stays_near_when_light_size_and_place_change(embed: Embed) -> None:
    filmed = astronaut()
    turn = cv2.getRotationMatrix2D((224, 110), 20, 1)
    others = {
        "half the size": cv2.resize(filmed, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "darker": (filmed * 0.4).astype(np.uint8),
        "warm light": np.clip(filmed * np.array([1.2, 1, 0.7]), 0, 255).astype(np.uint8),
        "leaning": cv2.warpAffine(filmed, turn, (512, 512)),
    }
    reference = embed(filmed)
    assert 1.2 < np.linalg.norm(reference) < 1.7
    for name, picture in others.items():
        assert np.linalg.norm(embed(picture) - reference) < 0.3, name


def test_what_is_no_such_face_is_far(embed: Embed, identifier: FaceIdentifier) -> None:
    reference = embed(astronaut())
    plain = np.full((CHIP_SIDE, CHIP_SIDE, 3), 120, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, plain.shape, np.uint8)
    assert (np.linalg.norm(identifier.embed([plain, noise]) - reference, axis=1) > 0.5).all()


def test_several_chips_at_once_are_as_one_by_one(identifier: FaceIdentifier) -> None:
    chips = list(np.random.default_rng(1).integers(0, 255, (3, CHIP_SIDE, CHIP_SIDE, 3), np.uint8))
    together = identifier.embed(chips)
    assert together.shape == (3, 128)
    assert np.abs(together - np.concatenate([identifier.embed([chip]) for chip in chips])).max() < 1e-4
    assert identifier.embed([]).shape == (0, 128)


def test_the_eyes_come_to_their_places() -> None:
    placement, scale = chip_placement(placed(300, 200, 74))
    left, right = (placement @ [x, 200, 1] for x in (263, 337))
    assert left == pytest.approx([37, 47], abs=4)
    assert right == pytest.approx([111, 47], abs=4)
    assert scale == pytest.approx(1, abs=0.05)


def test_a_face_outside_the_picture_gives_no_chip() -> None:
    frame = frame_of(astronaut())
    assert face_chip(placed(-400, 100, 60), (512, 512), frame.rgb) is None
    assert face_chip(placed(5, 100, 60), (512, 512), frame.rgb) is not None


def test_a_folder_without_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        FaceIdentifier(tmp_path)


def test_a_graph_computes_what_numpy_computes() -> None:
    draw = np.random.default_rng(2)
    kernel, bias = draw.normal(size=(2, 3, 3, 3)).astype(np.float32), np.array([0.5, -200.0], np.float32)
    graph = OnnxGraph((3, 5, 5))
    wide = graph.apply("Conv", "input", kernel, bias, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 0])
    padded = graph.apply("Pad", graph.apply("Relu", wide), np.array([0, 0, 0, 0, 0, 1, 0, 0]))
    model = graph.model(graph.apply("Flatten", padded), 12)
    picture = draw.normal(size=(4, 3, 5, 5)).astype(np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(None, {"input": picture})[0]).reshape(4, 3, 2, 2)
    parts = np.lib.stride_tricks.sliding_window_view(picture, (3, 3), (2, 3))[:, :, ::2, ::2]
    wanted = np.maximum(np.einsum("ncyxij,kcij->nkyx", parts, kernel) + bias[:, None, None], 0)
    assert np.abs(found[:, :2] - wanted).max() < 1e-4
    assert (found[:, 2] == 0).all()
