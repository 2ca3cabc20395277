"""The faces of a source at an instant, its people and its shots: from the analysis in the folder of kept work.

Nothing is analysed here, and nothing of the source is opened: without an analysis nobody is known.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from lipdub.errors import InputError, LipdubError
from lipdub.studio.analyse.faces import faces_name, read_faces
from lipdub.studio.analyse.people import find_people
from lipdub.studio.analysis import Analysis
from lipdub.studio.project.people import as_settled
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.remembered_options import ProjectOptions, combined
from lipdub.studio.store import default_root
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.time import Span
from lipdub.web.media.frames import kept_clip
from lipdub.web.media.kept import kept_folder
from lipdub.web.media.project_media import source_of

_LANDMARKS = (478, 3)
_ROW = 4 * _LANDMARKS[0] * _LANDMARKS[1]
"""Bytes of one row of landmarks: float32."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face in one frame: whose it is (``person``, the id as the user settled it), and where, in parts of the picture
    as it is shown: left, top, width and height, 0..1."""

    person: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """Somebody who is seen in a source: ``id``, ``name`` ("": none yet), the spans in which the person is seen (s, from
    where players begin), and a picture (None: there is none)."""

    id: str
    name: str
    spans: tuple[Span, ...]
    picture: Path | None = None


@dataclass(frozen=True, eq=False)
class _KnownFaces:
    """What is known of a clip: its shots, the face tracks ([first, stop) and the file of their landmarks) with whose
    they are, and the people."""

    clip: Clip
    shots: tuple[Shot, ...]
    tracks: tuple[tuple[int, int, Path, str], ...]
    people: tuple[SeenPerson, ...]


def faces_at(project: Path, seconds: Fraction) -> tuple[FaceBox, ...]:
    """The faces in the frame that the source of the project in the folder ``project`` shows at ``seconds`` (from where
    players begin). None are known before the source was analysed. Raises ``InputError`` if there is no such project."""
    known = _known(project)
    if known is None:
        return ()
    frame = known.clip.times.at(seconds + known.clip.start)
    found = []
    for first, stop, landmarks, person in known.tracks:
        if first <= frame < stop and (box := _box(landmarks, frame - first, known.clip.size)) is not None:
            found.append(FaceBox(person, box))
    return tuple(found)


def people_in(project: Path) -> tuple[SeenPerson, ...]:
    """The people in the source of a project, in the order of the analysis; nobody before the source was analysed.
    Raises ``InputError`` if there is no such project."""
    known = _known(project)
    return () if known is None else known.people


def shots_in(project: Path) -> tuple[Span, ...]:
    """The shots of the source of a project (s, from where players begin); none before the source was analysed. Raises
    ``InputError`` if there is no such project."""
    known = _known(project)
    if known is None:
        return ()
    clip = known.clip
    return tuple(clip.times.span(shot.first, shot.stop).shifted(-clip.start) for shot in known.shots)


def picture_of(project: Path, person: str) -> Path | None:
    """The picture (JPEG) of a person by id; None if there is none. ``person`` never becomes part of a path. Raises
    ``InputError`` if there is no such project."""
    kept = _pictures(project).get(person)
    if kept is not None:
        return kept
    return next((one.picture for one in people_in(project) if one.id == person), None)


def _pictures(project: Path) -> dict[str, Path]:
    """The pictures of people in the folder of a project, by the person's id."""
    folder = project / "people"
    if not folder.is_dir():
        return {}
    files = (file for file in folder.iterdir() if file.suffix == ".jpg" and not file.is_symlink() and file.is_file())
    return {file.stem: file for file in files}


def _box(landmarks: Path, row: int, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """The box around one row of landmarks, in parts of the picture; None if the face is lost there, or the file is
    gone."""
    try:
        with landmarks.open("rb") as file:
            file.seek(row * _ROW)
            points = np.frombuffer(file.read(_ROW), np.float32).reshape(_LANDMARKS)[:, :2]
    except (OSError, ValueError):
        return None
    if not np.isfinite(points).all():
        return None
    low, high = (np.clip(edge / size, 0, 1) for edge in (points.min(0), points.max(0)))
    left, top, right, bottom = (round(float(edge), 5) for edge in (*low, *high))
    return (left, top, round(right - left, 5), round(bottom - top, 5))


def _known(project: Path) -> _KnownFaces | None:
    """What the analysis of the project's source found; None if there is none in the folder of kept work."""
    folder = ProjectFolder(project)
    manifest = folder.load()
    try:
        clip = kept_clip(source_of(project))
    except InputError:
        return None
    if clip is None or not any(default_root().glob("faces-*")):
        return None
    name = _name(project, folder.manifest.stat().st_mtime_ns, clip.stream, manifest.source.sha256)
    found = None if name is None else kept_folder(name)
    if found is None:
        return None
    stamps = (folder.manifest.stat().st_mtime_ns, found.stat().st_ino)
    return _read(project, found, clip.path, stamps)


@lru_cache(maxsize=32)
def _name(project: Path, changed: int, stream: int, digest: str) -> str | None:
    """The name of the analysis for the options of a project; None if its engine cannot be made here."""
    folder = ProjectFolder(project)
    try:
        clip = kept_clip(source_of(project))
        tools = Tools(combined(folder.load(), ProjectOptions(), folder.manifest)[0])
        return None if clip is None else faces_name(clip, digest, tools)
    except LipdubError:
        return None


@lru_cache(maxsize=8)
def _read(project: Path, found: Path, source: Path, stamps: tuple[int, int]) -> _KnownFaces | None:
    """What the analysis in the folder ``found`` says, as the manifest settles it; None if it cannot be read."""
    clip = kept_clip(source)
    if clip is None:
        return None
    try:
        shots, faces = read_faces(clip, found)
        analysis = Analysis(shots, faces, find_people(faces).people, None)
        analysis = as_settled(analysis, ProjectFolder(project).load())
    except (LipdubError, OSError, ValueError, KeyError):
        return None
    whose = {track: person.id for person in analysis.people for track in person.tracks}
    tracks = tuple(
        (face.track.first, face.track.stop, face.track.landmarks.path, whose[face.id])
        for face in faces
        if face.id in whose
    )
    spans = {face.id: clip.times.span(face.track.first, face.track.stop).shifted(-clip.start) for face in faces}
    kept = _pictures(project)
    people = tuple(
        SeenPerson(
            person.id,
            person.name,
            tuple(sorted(spans[track] for track in person.tracks)),
            kept.get(person.id) or analysis.portrait_of(person),
        )
        for person in analysis.people
    )
    return _KnownFaces(clip, shots, tracks, people)
