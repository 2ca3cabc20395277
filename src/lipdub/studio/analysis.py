"""What is known of a source, whatever will be said in it: a value that can be pickled."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.seam import StudyFacts
from lipdub.faces.visibility import Visibility
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.people import FaceSample, Person


@dataclass(frozen=True, eq=False)
class FaceLook:
    """What the best views of a track say about whose face it is.

    ``embedding`` (128,) is near those of other tracks of the same person; None if it cannot be known, and then ``why``
    not, as a clause. ``sample`` is where the best view is, ``portrait`` a JPEG of it, and ``value`` 0..1 how good it
    is.
    """

    embedding: Float32[np.ndarray, "128"] | None
    why: str
    sample: FaceSample
    portrait: Path
    value: float


@dataclass(frozen=True, eq=False)
class FaceAnalysis:
    """One face through one shot: its ``track``, its ``motion``, where it is visible, and the folder ``study`` in which
    the engine keeps what it learnt of it, with what it says about that (``facts``).

    ``learnable`` (frames of the track,) marks the frames from which sync and the speaker model are learnt. ``look`` is
    what its best views say about whose face it is (None: no view was good enough).
    """

    track: FaceTrack
    motion: FaceMotion
    visibility: Visibility
    study: Path
    facts: StudyFacts
    learnable: Bool[np.ndarray, " frames"]
    look: FaceLook | None = None

    @property
    def id(self) -> int:
        """The track's id."""
        return self.track.id

    def seconds(self, clip: Clip) -> Float64[np.ndarray, " frames"]:
        """When the track's frames are shown, in seconds of the clip's clock (frames of the track,)."""
        return clip.times.pts[self.track.first : self.track.stop] * float(clip.times.time_base)


@dataclass(frozen=True, eq=False)
class Analysis:
    """The shots of a clip, the faces and people in them, and the speech features of its sound (None: it has none).

    ``notes`` are sentences for the report: which people may be the same, whose faces say too little.
    """

    shots: tuple[Shot, ...]
    faces: tuple[FaceAnalysis, ...]
    people: tuple[Person, ...]
    sound: TrackFeatures | None
    notes: tuple[str, ...] = ()

    def in_shot(self, shot: Shot) -> tuple[FaceAnalysis, ...]:
        """The faces of one shot."""
        return self._of_shots.get(shot, ())

    def face(self, track: int) -> FaceAnalysis:
        """The face whose track has the id ``track``. Raises ``KeyError``."""
        return self._of_tracks[track]

    def faces_of(self, person: Person) -> tuple[FaceAnalysis, ...]:
        """The faces of one person, in the order of the person's tracks."""
        return tuple(self._of_tracks[track] for track in person.tracks)

    def person_of(self, face: int) -> Person:
        """Whose face the track ``face`` is. Raises ``KeyError``."""
        return self._people[face]

    @property
    def recognised(self) -> bool:
        """Whether it was found out which faces are one person; else each track is a person of its own."""
        return any(face.look is not None and face.look.embedding is not None for face in self.faces)

    def portrait_of(self, person: Person) -> Path | None:
        """A picture (JPEG, about 160 pixels high) of this person's face; None if there is no good view."""
        look = None if person.sample is None else self._of_tracks[person.sample.track].look
        return None if look is None or not look.portrait.is_file() else look.portrait

    @cached_property
    def _of_shots(self) -> dict[Shot, tuple[FaceAnalysis, ...]]:
        found: dict[Shot, list[FaceAnalysis]] = {}
        for face in self.faces:
            found.setdefault(face.track.shot, []).append(face)
        return {shot: tuple(faces) for shot, faces in found.items()}

    @cached_property
    def _of_tracks(self) -> dict[int, FaceAnalysis]:
        return {face.id: face for face in self.faces}

    @cached_property
    def _people(self) -> dict[int, Person]:
        return {track: person for person in self.people for track in person.tracks}
