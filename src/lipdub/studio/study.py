"""First pass: find the cuts and the faces, and let the engine study every face. Shared by all languages."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipdub import __version__, weights
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.disk.identity import file_stamps
from lipdub.engines.seam import Engine, EngineSetup, Study, StudyFacts
from lipdub.faces.cuts import CutDetector
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.faces.tracker import FaceTracker
from lipdub.faces.visibility import Visibility, VisibilityLimits, visibility
from lipdub.media.read import PictureDamage, prefetch, read_frames
from lipdub.plugins import Fingerprinted, fingerprint_of
from lipdub.studio.progress import Clock
from lipdub.studio.store import key
from lipdub.timeline.clip import Clip, Shot, shots_between
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Frame
from lipdub.timeline.spool import Spool

VERSION = 2
"""Raise when this stage's result changes for the same input."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A face that was studied: its track, its motion, what the engine knows, and where it can be seen."""

    track: FaceTrack
    motion: FaceMotion
    visibility: Visibility
    study: Study
    facts: StudyFacts


@dataclass(frozen=True, eq=False)
class ClipStudy:
    """The shots of a clip and the faces in them."""

    shots: tuple[Shot, ...]
    subjects: tuple[Subject, ...]

    def in_shot(self, shot: Shot) -> tuple[Subject, ...]:
        """The faces of one shot."""
        return tuple(s for s in self.subjects if s.track.shot == shot)


@dataclass(frozen=True)
class Crew:
    """Who works on the picture: the face finder, and the engine, made with ``setup``."""

    finder: FaceLandmarker
    engine: Engine
    setup: EngineSetup = EngineSetup()


def study_name(clip: Clip, digest: str, crew: Crew) -> str:
    """The name under which the study of ``clip`` (whose file has the content ``digest``) is kept: changes with all that
    it depends on, be it our version, the models that find faces, or the engine's version, options and weights."""
    engine = crew.engine
    told = () if isinstance(engine, Fingerprinted) else (crew.setup.options, _files_of(crew.setup.weights))
    faces = weights.identity("face-landmarks"), weights.identity("face-detector")
    worked_by = (engine.name, engine.limits, fingerprint_of(engine), told)
    return f"study-{key(VERSION, __version__, digest, clip.stream, faces, worked_by)}"


def _files_of(folder: Path | None) -> tuple[object, ...]:
    """The files in a folder of weights, by name, size and time."""
    return () if folder is None else file_stamps(path for path in folder.rglob("*") if path.is_file())


def study_clip(clip: Clip, crew: Crew, folder: Path, clock: Clock, hidden: range = range(0)) -> None:
    """Read the clip once and fill ``folder`` with shots, face tracks and the engine's studies.

    Frames in ``hidden`` are tracked, but no mouth is taken from them (for judging on them).
    """
    eye = LandmarkRedetector(crew.finder)
    tracker = FaceTracker(folder / "faces", clip.size, crew.finder, rate=clip.rate)
    studies: dict[int, Study] = {}
    cuts: list[int] = []
    for seen in clock.counted("study", prefetch(_tracked(clip, tracker, cuts)), len(clip)):
        for face, view in seen:
            if face not in studies:
                studies[face] = crew.engine.study(_place(folder, face), eye)
            studies[face].see(view)
    shots = shots_between(cuts, len(clip))
    tracks = tracker.finish()
    for face in studies.keys() - {t.id for t in tracks}:
        shutil.rmtree(_place(folder, face), ignore_errors=True)
    facts = {t.id: _finish(t, studies[t.id], clip, crew, hidden) for t in tracks}
    _write_index(folder, shots, tracks, facts)


def _tracked(clip: Clip, tracker: FaceTracker, cuts: list[int]) -> Iterator[list[tuple[int, FaceView]]]:
    """The faces of every frame as they are tracked; the first frames of later shots are added to ``cuts``."""
    finder = CutDetector()
    for frame in prefetch(read_frames(clip)):
        cut = finder.starts_shot(frame)
        if cut:
            cuts.append(frame.index)
        yield tracker.track(frame, cut)


def open_study(clip: Clip, crew: Crew, folder: Path) -> ClipStudy:
    """The study that lies finished in ``folder``."""
    index = json.loads((folder / "index.json").read_text())
    subjects = tuple(_open_subject(clip, crew, folder, entry) for entry in index["faces"])
    return ClipStudy(tuple(Shot(*s) for s in index["shots"]), subjects)


def context_rows(track: FaceTrack, hidden: range) -> np.ndarray:
    """(frames of the track,) True where a frame may be learnt from."""
    index = np.arange(track.first, track.stop)
    return (index < hidden.start) | (index >= hidden.stop)


def _finish(track: FaceTrack, study: Study, clip: Clip, crew: Crew, hidden: range) -> StudyFacts:
    motion = measure_motion(track)
    seen = _visibility(track, motion, clip, crew)
    return study.finish(motion, seen.usable & context_rows(track, hidden))


def _visibility(track: FaceTrack, motion: FaceMotion, clip: Clip, crew: Crew) -> Visibility:
    limits = VisibilityLimits(crew.engine.limits.smallest_face, crew.engine.limits.largest_yaw)
    return visibility(track, motion, clip.times.seconds()[track.first : track.stop], limits)


def _place(folder: Path, face: int) -> Path:
    return folder / f"study-{face}"


def _write_index(folder: Path, shots: tuple[Shot, ...], tracks: list[FaceTrack], facts: dict[int, StudyFacts]) -> None:
    entries = []
    for track in tracks:
        np.savez(folder / f"face-{track.id}.npz", redness=track.redness, presence=track.presence)
        known = facts[track.id]
        entries.append(
            {
                "id": track.id,
                "shot": [track.shot.first, track.shot.stop],
                "first": track.first,
                "landmarks": str(track.landmarks.path.relative_to(folder)),
                "thumbs": str(track.thumbs.path.relative_to(folder)),
                "facts": {"coverage": known.coverage, "notes": known.notes, "figures": known.figures},
            }
        )
        track.landmarks.close()
        track.thumbs.close()
    index = {"shots": [[s.first, s.stop] for s in shots], "faces": entries}
    (folder / "index.json").write_text(json.dumps(index))


def _open_subject(clip: Clip, crew: Crew, folder: Path, entry: dict) -> Subject:
    with np.load(folder / f"face-{entry['id']}.npz") as arrays:
        redness, presence = arrays["redness"], arrays["presence"]
    track = FaceTrack(
        id=entry["id"],
        shot=Shot(*entry["shot"]),
        first=entry["first"],
        landmarks=Spool(folder / entry["landmarks"], (478, 3), np.float32),
        thumbs=Spool(folder / entry["thumbs"], (32, 40, 3), np.uint8),
        redness=redness,
        presence=presence,
    )
    motion = measure_motion(track)
    known = entry["facts"]
    return Subject(
        track=track,
        motion=motion,
        visibility=_visibility(track, motion, clip, crew),
        study=crew.engine.study(_place(folder, track.id), LandmarkRedetector(crew.finder)),
        facts=StudyFacts(known["coverage"], tuple(known["notes"]), dict(known["figures"])),
    )


def frames_ahead(clip: Clip, damage: PictureDamage) -> Iterator[Frame]:
    """The clip's frames, decoded ahead in another thread; ``damage`` collects what could not be decoded."""
    return prefetch(read_frames(clip, damage=damage))
