"""The face that is longest in the picture of a clip: what training learns from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import NothingToDub
from lipdub.faces.cuts import CutDetector
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.tracker import FaceTracker
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.timeline.clip import Clip


@contextmanager
def longest_face(path: Path, landmarker: FaceLandmarker) -> Iterator[tuple[Clip, FaceMotion]]:
    """The clip at ``path`` and the motion of its longest face, whose files are there while the block runs.

    Raises ``NothingToDub`` without a face.
    """
    clip, cuts = open_clip(path), CutDetector()
    with temporary_folder("footage") as folder:
        tracker = FaceTracker(folder, clip.size, landmarker, rate=clip.rate)
        for frame in read_frames(clip):
            tracker.track(frame, cuts.starts_shot(frame))
        tracks = tracker.finish()
        if not tracks:
            raise NothingToDub("no face to learn from", file=path)
        yield clip, measure_motion(max(tracks, key=len))
