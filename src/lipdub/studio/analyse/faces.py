"""The faces of a clip: one pass over its frames finds cuts and faces, and lets the engine study every face.

What the pass finds is kept in a folder of the store, so that the next dub of the clip, in whatever language, begins
there.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lipdub import __version__, weights
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.disk.identity import file_stamps
from lipdub.engines.seam import Engine, Study, StudyFacts
from lipdub.faces.cuts import CutDetector
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.faces.tracker import FaceTracker
from lipdub.faces.visibility import Visibility, VisibilityLimits, visibility
from lipdub.media.read import prefetch, read_frames
from lipdub.plugins import Fingerprinted, fingerprint_of
from lipdub.studio.analyse.looks import LookFiles, read_looks
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.progress import Clock
from lipdub.studio.store import key
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip, Shot, shots_between
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.spool import Spool

VERSION = 3
"""Raise when this pass finds anything else in the same clip."""


def faces_name(clip: Clip, digest: str, tools: Tools) -> str:
    """The name under which the faces of ``clip`` (whose file has the content ``digest``) are kept.

    It changes with everything that they depend on: which frames of the file are shown and when, our version, the models
    that find faces, and the engine's version, options and weights.
    """
    engine = tools.engine
    setup = () if isinstance(engine, Fingerprinted) else (tools.setup.options, _files_of(tools.setup.weights))
    models = weights.identity("face-landmarks"), weights.identity("face-detector")
    made_by = (engine.name, engine.limits, fingerprint_of(engine), setup)
    found = VERSION, __version__, digest, clip.stream, models, tools.identifier.identity, made_by
    if clip.filmed is not None:
        found = (*found, clip.filmed.order.tolist(), clip.times.pts.tolist())
    return f"faces-{key(*found)}"


def _files_of(folder: Path | None) -> tuple[object, ...]:
    """The files in a folder of weights, by name, size and time."""
    return () if folder is None else file_stamps(path for path in folder.rglob("*") if path.is_file())


def find_faces(clip: Clip, tools: Tools, folder: Path, clock: Clock) -> None:
    """Read the clip once and fill ``folder`` with its shots, its face tracks, and what the engine learns of each face.

    Raises ``NotMedia`` if not one frame can be decoded, and what the engine's study raises.
    """
    redetect = LandmarkRedetector(tools.landmarker)
    tracker = FaceTracker(folder / "faces", clip.size, tools.landmarker, rate=clip.rate)
    studies: dict[int, Study] = {}
    cuts: list[int] = []
    looks = LookFiles(folder, tools.identifier.identifier)
    for seen in clock.counted("analyse", prefetch(_tracked(clip, tracker, cuts)), len(clip)):
        looks.see(seen)
        for face, view in seen:
            if face not in studies:
                studies[face] = tools.engine.study(_study_folder(folder, face), redetect)
            studies[face].see(view)
    shots = shots_between(cuts, len(clip))
    tracks = tracker.finish()
    looks.finish(track.id for track in tracks)
    for face in studies.keys() - {t.id for t in tracks}:
        shutil.rmtree(_study_folder(folder, face), ignore_errors=True)
    facts = {t.id: _finish(t, studies[t.id], clip, tools.engine) for t in tracks}
    _write_index(folder, shots, tracks, facts)


def _tracked(clip: Clip, tracker: FaceTracker, cuts: list[int]) -> Iterator[list[tuple[int, FaceView]]]:
    """The faces of every frame as they are tracked; the first frames of later shots are added to ``cuts``."""
    detector = CutDetector()
    for frame in prefetch(read_frames(clip, shared=True)):
        cut = detector.starts_shot(frame)
        if cut:
            cuts.append(frame.index)
        yield tracker.track(frame, cut)


def read_faces(clip: Clip, engine: Engine, folder: Path) -> tuple[tuple[Shot, ...], tuple[FaceAnalysis, ...]]:
    """The shots and faces that ``find_faces`` wrote to ``folder``."""
    index = json.loads((folder / "index.json").read_text())
    shots, looks = tuple(Shot(*entry) for entry in index["shots"]), read_looks(folder)
    faces = (_read_face(clip, engine, folder, entry) for entry in index["faces"])
    return shots, tuple(replace(face, look=looks.get(face.id)) for face in faces)


def _finish(track: FaceTrack, study: Study, clip: Clip, engine: Engine) -> StudyFacts:
    motion = measure_motion(track)
    return study.finish(motion, _visibility(track, motion, clip, engine).usable)


def _visibility(track: FaceTrack, motion: FaceMotion, clip: Clip, engine: Engine) -> Visibility:
    limits = VisibilityLimits(engine.limits.smallest_face, engine.limits.largest_yaw)
    return visibility(track, motion, clip.times.seconds()[track.first : track.stop], limits)


def _study_folder(folder: Path, face: int) -> Path:
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


def _read_face(clip: Clip, engine: Engine, folder: Path, entry: dict) -> FaceAnalysis:
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
    return FaceAnalysis(
        track=track,
        motion=motion,
        visibility=_visibility(track, motion, clip, engine),
        study=_study_folder(folder, track.id),
        facts=StudyFacts(known["coverage"], tuple(known["notes"]), dict(known["figures"])),
        learnable=motion.ok & (np.arange(track.first, track.stop) < clip.own_frames),
    )
