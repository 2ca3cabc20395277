"""What was measured of a face comes back from its file bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from lipdub.anatomy.face_colours import FaceColours
from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.motion import measure_motion
from lipdub.anatomy.occluders import Occluders
from lipdub.faces.visibility import Visibility
from lipdub.studio.analyse.face_file import read_face, write_face
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.spool import Spool

N = 6


@pytest.mark.parametrize("covered", [False, True])
def test_what_is_before_a_face_is_kept(tmp_path: Path, covered: bool) -> None:
    landmarks = Spool(tmp_path / "landmarks.bin", (478, 3), np.float32)
    thumbs = Spool(tmp_path / "thumbs.bin", (32, 40, 3), np.uint8)
    for row in range(N):
        face = np.concatenate([canonical_face(), np.zeros((10, 3))]) * 80 + 100 + row
        landmarks.append(face.astype(np.float32))
        thumbs.append(np.full((32, 40, 3), row, np.uint8))
    track = FaceTrack(3, Shot(5, 5 + N), 5, landmarks, thumbs, np.ones(N, np.float32), np.ones(N, np.float32))
    noise = np.random.default_rng(0)
    colours = FaceColours(
        noise.integers(-127, 127, (32, 32, 32)).astype(np.int8),
        noise.integers(0, 255, (32, 40, 3)).astype(np.uint8),
        noise.random((32, 40)) < 0.5,
    )
    rows = np.arange(N) > 2
    before = Occluders(colours, rows) if covered else None
    seen = Visibility(np.linspace(0, 1, N).astype(np.float32), rows, ((0, 2, "the face is lost"),), before)
    write_face(tmp_path / "face.npz", track, measure_motion(track), seen)
    entry = {"id": 3, "shot": [5, 5 + N], "first": 5, "landmarks": "landmarks.bin", "thumbs": "thumbs.bin"}
    _, again = read_face(tmp_path, {**entry, "arrays": "face.npz"})
    np.testing.assert_array_equal(again.weight, seen.weight)
    np.testing.assert_array_equal(again.usable, seen.usable)
    assert again.reasons == seen.reasons
    if before is None:
        assert again.occluders is None
        return
    assert again.occluders is not None
    np.testing.assert_array_equal(again.occluders.rows, rows)
    for name in ("odds", "usual", "place"):
        np.testing.assert_array_equal(getattr(again.occluders.colours, name), getattr(colours, name))
