"""The faces of whole shots: one pass over the frames of a part of a clip tracks faces and lets the engine study them.

What is found in a shot depends on its own frames alone, and lies in a folder of its own. So a part of a clip can be
analysed by any process, and the files are the same however the clip is divided.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.engines.seam import Engine, SharedDisk, Study, StudyFacts
from lipdub.faces.cuts import CutDetector
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.faces.tracker import FaceTracker, TrackedFrame
from lipdub.faces.visibility import Visibility, VisibilityLimits, visibility
from lipdub.media.read import prefetch, read_frames
from lipdub.studio.analyse.face_file import write_face
from lipdub.studio.analyse.looks import FoundLook, LookFiles
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.picture import Frame

FIRST_LEAD = 24
"""Frames before a part from which its cuts are looked for."""

_LONGER = 8  # times as many, where those were not enough to be sure


@dataclass(frozen=True, eq=False)
class ShotFaces:
    """What was found in one shot; it can be pickled.

    ``faces`` are entries for the index and ``looks`` what their best views say, by the face's number in this shot.
    ``tracked`` is how many faces were tracked here: the kept ones have numbers below it.
    """

    shot: Shot
    tracked: int
    faces: tuple[dict, ...]
    looks: dict[int, FoundLook]


def find_shots(clip: Clip, tools: Tools, folder: Path, part: range, seen: Callable[[], object]) -> Iterator[ShotFaces]:
    """The faces of all shots whose first frame is in ``part``, in order; their files go into folders in ``folder``.

    The last shot is read to its end, also beyond ``part``. ``seen`` is called after each frame of these shots. Raises
    ``NotMedia`` if not one frame can be decoded, and what the engine's study raises.
    """
    shot: _OpenShot | None = None
    with closing(prefetch(_tracked(clip, tools, folder, part))) as tracked:  # type: ignore[type-var]
        for tracker, index, faces in tracked:
            if shot is None or shot.tracker is not tracker:
                if shot is not None:
                    yield shot.finish(index)
                shot = _OpenShot(clip, tools, folder, index, tracker)
            shot.see(faces)
            seen()
            shot.stop = index + 1
    if shot is not None:
        yield shot.finish(shot.stop)


def _tracked(clip: Clip, tools: Tools, folder: Path, part: range) -> Iterator[tuple[FaceTracker, int, TrackedFrame]]:
    """The frames of the shots that begin in ``part``: the tracker of the shot, the frame's index, and the faces in
    it."""
    tracker: FaceTracker | None = None
    for frame, cut in prefetch(_with_cuts(clip, part.start)):
        if cut and frame.index >= part.stop:
            return
        if cut:
            tracker = FaceTracker(shot_folder(folder, frame.index), clip.size, tools.landmarker, rate=clip.rate)
        if tracker is not None:
            yield tracker, frame.index, tracker.follow(frame, cut)
        elif frame.index + 1 >= part.stop:
            return


def _with_cuts(clip: Clip, first: int) -> Iterator[tuple[Frame, bool]]:
    """The frames from ``first`` on, and whether a shot begins with each. The answers are those of a detector that has
    seen all frames."""
    lead = FIRST_LEAD
    while True:
        begin = max(0, first - lead)
        detector, frames = CutDetector(at_start=begin == 0), read_frames(clip, begin, shared=True)
        for frame in frames:
            if frame.index == first and not detector.settled:
                break
            cut = detector.starts_shot(frame) or frame.index == 0
            if frame.index >= first:
                yield frame, cut
        else:
            return
        frames.close()  # type: ignore[attr-defined]
        lead *= _LONGER


@dataclass(eq=False)
class _OpenShot:
    """A shot whose frames are being read. ``stop`` is the frame after the last one that was seen."""

    clip: Clip
    tools: Tools
    folder: Path
    first: int
    tracker: FaceTracker
    stop: int = 0
    studies: dict[int, Study] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.own = shot_folder(self.folder, self.first)
        self.looks = LookFiles(self.own, self.tools.identifier.identifier)
        self.redetect = LandmarkRedetector(self.tools.landmarker)

    def see(self, faces: TrackedFrame) -> None:
        """Take the faces of the next frame."""
        self.tracker.write(faces)
        self.looks.see(faces.views)
        for face, view in faces.views:
            if face not in self.studies:
                self.studies[face] = self.tools.engine.study(self._study(face), self.redetect)
            self.studies[face].see(view)

    def finish(self, stop: int) -> ShotFaces:
        """Write what was found in the shot, which ends before the frame ``stop``."""
        shot, engine = Shot(self.first, stop), self.tools.engine
        if isinstance(engine, SharedDisk):
            engine.limit_disk(self.own, len(shot) / len(self.clip))
        tracks = self.tracker.finish()
        looks = self.looks.finish(track.id for track in tracks)
        for face in self.studies.keys() - {track.id for track in tracks}:
            shutil.rmtree(self._study(face), ignore_errors=True)
        faces = tuple(self._entry(track) for track in tracks)
        if not faces:
            shutil.rmtree(self.own, ignore_errors=True)
        return ShotFaces(shot, self.tracker.started, faces, looks)

    def _study(self, face: int) -> Path:
        """The folder of a study. Its name alone is one of its own: engines tell studies by it."""
        return self.own / f"study-{self.first}-{face}"

    def _entry(self, track: FaceTrack) -> dict:
        """Finish a face's study and files; returns its entry in the index, with paths below the analysis' folder."""
        motion = measure_motion(track)
        seen = _visibility_of(track, motion, self.clip, self.tools.engine)
        facts = self.studies[track.id].finish(motion, seen.usable)
        arrays = track.landmarks.path.with_suffix(".npz")
        write_face(arrays, track, motion, seen)
        track.landmarks.close()
        track.thumbs.close()
        paths = {
            "landmarks": track.landmarks.path,
            "thumbs": track.thumbs.path,
            "arrays": arrays,
            "study": self._study(track.id),
        }
        return {
            "id": track.id,
            "shot": [track.shot.first, track.shot.stop],
            "first": track.first,
            **{name: path.relative_to(self.folder).as_posix() for name, path in paths.items()},
            "facts": {"coverage": facts.coverage, "notes": facts.notes, "figures": facts.figures},
        }


def read_facts(entry: dict) -> StudyFacts:
    """What the engine said about a face, from its entry in the index."""
    known = entry["facts"]
    return StudyFacts(known["coverage"], tuple(known["notes"]), dict(known["figures"]))


def _visibility_of(track: FaceTrack, motion: FaceMotion, clip: Clip, engine: Engine) -> Visibility:
    """Where the mouth of a face can be seen by ``engine``."""
    limits = VisibilityLimits(engine.limits.smallest_face, engine.limits.largest_yaw, engine.limits.occluders)
    return visibility(track, motion, clip.times.seconds()[track.first : track.stop], limits)


def shot_folder(folder: Path, first: int) -> Path:
    """The folder of the shot that begins with frame ``first``, in the folder of an analysis."""
    return folder / f"shot-{first:08d}"
