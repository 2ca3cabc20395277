"""The real networks on a real face (skimage's portrait of an astronaut, a NASA picture in the public domain)."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut
from synthetic_faces import frame_of, placed

from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, LIPS
from lipdub.errors import WeightsError
from lipdub.faces.landmarker import FaceLandmarker, FaceRoi
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.faces.tracker import FaceTracker

EYES, MOUTH = (224, 103), (223, 145)
"""Where they are in the picture, to within some pixels, seen with our own."""


def test_the_detector_finds_the_face(finder: FaceLandmarker) -> None:
    (found,) = finder.detect(frame_of(astronaut()))
    left, top, right, bottom = found.box
    assert found.score > 0.7
    assert left < 200 < 250 < right
    assert top < 110 < 170 < bottom


@pytest.mark.parametrize("scale", [1, 2.5])
def test_the_mesh_lies_on_the_face(finder: FaceLandmarker, scale: float) -> None:
    picture = cv2.resize(astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    frame = frame_of(picture)
    size = picture.shape[1::-1]
    mesh = finder.refined_mesh(frame.rgb, size, finder.detect(frame)[0].roi)
    assert mesh is not None
    assert mesh.presence > 0.9
    eyes = mesh.landmarks[[EYE_LEFT, EYE_RIGHT], :2].mean(0) / scale
    mouth = mesh.landmarks[LIPS, :2].mean(0) / scale
    assert np.abs(eyes - EYES).max() < 10
    assert np.abs(mouth - MOUTH).max() < 10


def test_no_face_in_noise_and_in_plain_colour(finder: FaceLandmarker) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    for picture in (noise, np.full_like(noise, 90)):
        frame = frame_of(picture)
        assert finder.detect(frame) == []
        mesh = finder.mesh(frame.rgb, (300, 200), FaceRoi(150.0, 100.0, 120.0, 0.0))
        assert mesh is not None
        assert mesh.presence < 0.5


def test_a_crop_outside_the_picture_is_nothing(finder: FaceLandmarker) -> None:
    frame = frame_of(astronaut())
    assert finder.mesh(frame.rgb, (512, 512), FaceRoi(-400.0, 100.0, 100.0, 0.0)) is None


def test_a_face_is_redetected(finder: FaceLandmarker) -> None:
    frame = frame_of(astronaut())
    mesh = finder.refined_mesh(frame.rgb, (512, 512), finder.detect(frame)[0].roi)
    assert mesh is not None
    crop = np.ascontiguousarray(astronaut()[40:240, 130:330])
    offset = np.array([130, 40, 0], np.float32)
    found = LandmarkRedetector(finder)(crop, mesh.landmarks - offset + np.float32(4))
    assert found is not None
    assert np.abs((found + offset - mesh.landmarks)[:, :2]).mean() < 1.5
    assert LandmarkRedetector(finder)(np.full((200, 200, 3), 90, np.uint8), mesh.landmarks - offset) is None
    known = LandmarkRedetector(finder)
    found = known(crop, mesh.landmarks - offset)
    after = LandmarkRedetector(finder, thorough=False, before=known)
    elsewhere = mesh.landmarks - offset + np.float32(400)
    assert after(crop.copy(), elsewhere) is found, "a picture is measured once"
    assert after(crop[::-1].copy(), elsewhere) is None


def test_a_moving_portrait_is_tracked_in_its_own_motion(finder: FaceLandmarker, tmp_path: Path) -> None:
    tracker = FaceTracker(tmp_path, (512, 512), finder)
    for i in range(12):
        shifted = cv2.warpAffine(astronaut(), np.array([[1, 0, 2.0 * i], [0, 1, 0.5 * i]]), (512, 512))
        tracker.track(frame_of(shifted, i), False)
    (track,) = tracker.finish()
    centre = track.landmarks.read(0, 12)[:, :, :2].mean(1)
    assert np.abs(np.diff(centre, axis=0) - [2, 0.5]).max() < 0.5
    assert np.isfinite(track.redness).all()
    assert track.thumbs.read(0, 1).std() > 5


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="Fetch"):
        FaceLandmarker(tmp_path / "x", tmp_path / "x")


@given(x=st.floats(-100, 900), y=st.floats(-100, 700), side=st.floats(10, 500), angle=st.floats(-3.2, 3.2))
def test_a_window_lies_in_the_picture_and_holds_what_it_can(x: float, y: float, side: float, angle: float) -> None:
    window = FaceRoi(x, y, side, angle).window((800, 600))
    assert 0 <= window.left <= window.right <= 800
    assert 0 <= window.top <= window.bottom <= 600
    if 0 <= x < 800 and 0 <= y < 600:
        assert window.left <= x <= window.right
        assert window.top <= y <= window.bottom


def test_the_crop_around_a_face() -> None:
    roi = FaceRoi.around(placed(300, 200, 80))
    assert abs(roi.x - 300) < 5
    assert abs(roi.angle) < 0.01
    assert 150 < roi.side < 320
    assert roi.is_close(FaceRoi.around(placed(300.3, 200, 80)))
    assert not roi.is_close(FaceRoi.around(placed(310, 200, 80)))


def test_a_crop_that_was_just_measured_is_not_measured_again(finder: FaceLandmarker) -> None:
    runs: list[int] = []

    class Counted:
        def __init__(self, finder: FaceLandmarker) -> None:
            self._run = finder._mesh

        def __call__(self, x: np.ndarray) -> list[np.ndarray]:
            runs.append(1)
            return self._run(x)

    frame = frame_of(astronaut())
    roi = finder.detect(frame)[0].roi
    darker = frame_of(astronaut() // 2)
    expected = finder.mesh(darker.rgb, (512, 512), roi)
    first = finder.mesh(frame.rgb, (512, 512), roi)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "_mesh", Counted(finder))
        again, other = finder.mesh(frame.rgb, (512, 512), roi), finder.mesh(darker.rgb, (512, 512), roi)
        assert not runs
        shifted = finder.mesh(frame.rgb, (512, 512), FaceRoi(roi.x + 9, roi.y, roi.side, roi.angle))
        assert len(runs) == 1
    points = [mesh.landmarks for mesh in (first, again, expected, other, shifted) if mesh is not None]
    assert len(points) == 5
    np.testing.assert_array_equal(points[0], points[1])
    np.testing.assert_array_equal(points[2], points[3])
    assert not np.array_equal(points[0], points[4])
    assert not np.array_equal(points[0], points[2])
