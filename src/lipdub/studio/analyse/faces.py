"""The faces of a clip: its frames are read once to find cuts and faces, and the engine studies every face.

What is found is kept in a folder of the store, so that the next dub of the clip, in whatever language, begins there.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lipdub import __version__, weights
from lipdub.disk.identity import file_stamps
from lipdub.plugins import Fingerprinted, fingerprint_of
from lipdub.studio.analyse.face_file import read_face
from lipdub.studio.analyse.faces_by_workers import find_in_workers, parts_of
from lipdub.studio.analyse.looks import read_looks, write_looks
from lipdub.studio.analyse.shot_faces import ShotFaces, find_shots, read_facts
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip, Shot

VERSION = 8
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


def find_faces(clip: Clip, session: Session, folder: Path) -> None:
    """Read the clip and fill ``folder`` with its shots, its face tracks, and what the engine learns of each face. This
    process does it, or several; the files are the same.

    Raises ``NotMedia`` if not one frame can be decoded, what the engine's study raises, and ``MachineError`` if the
    system ended a worker.
    """
    parts = parts_of(clip, session)
    if len(parts) > 1:
        found = find_in_workers(clip, session, folder, parts)
    else:
        frames = session.clock.counter("analyse", len(clip))
        found = list(find_shots(clip, session.tools, folder, range(len(clip)), frames.add))
    _write_index(folder, found)


def read_faces(clip: Clip, folder: Path) -> tuple[tuple[Shot, ...], tuple[FaceAnalysis, ...]]:
    """The shots and faces that ``find_faces`` wrote to ``folder``."""
    index = json.loads((folder / "index.json").read_text())
    shots, looks = tuple(Shot(*entry) for entry in index["shots"]), read_looks(folder)
    faces = (_read_face(clip, folder, entry) for entry in index["faces"])
    return shots, tuple(replace(face, look=looks.get(face.id)) for face in faces)


def _write_index(folder: Path, found: Sequence[ShotFaces]) -> None:
    """Write the shots, faces and looks of all shots, in order. Ids of faces go on from shot to shot."""
    taken, faces, looks = 0, [], {}
    for shot in found:
        faces += [{**entry, "id": taken + entry["id"]} for entry in shot.faces]
        looks |= {taken + face: look for face, look in shot.looks.items()}
        taken += shot.tracked
    index = {"shots": [[s.shot.first, s.shot.stop] for s in found], "faces": faces}
    (folder / "index.json").write_text(json.dumps(index))
    write_looks(folder, looks)


def _read_face(clip: Clip, folder: Path, entry: dict) -> FaceAnalysis:
    motion, seen = read_face(folder, entry)
    track = motion.track
    return FaceAnalysis(
        track=track,
        motion=motion,
        visibility=seen,
        study=folder / entry["study"],
        facts=read_facts(entry),
        learnable=motion.ok & clip.first_shown[track.first : track.stop],
    )
