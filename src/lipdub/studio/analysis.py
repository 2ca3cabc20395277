"""What is known of a source, whatever will be said in it: a value that can be pickled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.seam import StudyFacts
from lipdub.faces.visibility import Visibility
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.people import Person


@dataclass(frozen=True, eq=False)
class FaceAnalysis:
    """One face through one shot: its ``track``, its ``motion``, where it is visible, and the folder ``study`` in which
    the engine keeps what it learnt of it, with what it says about that (``facts``).

    ``learnable`` (frames of the track,) marks the frames from which sync and the speaker model are learnt.
    """

    track: FaceTrack
    motion: FaceMotion
    visibility: Visibility
    study: Path
    facts: StudyFacts
    learnable: Bool[np.ndarray, " frames"]

    @property
    def id(self) -> int:
        """The track's id."""
        return self.track.id

    def seconds(self, clip: Clip) -> Float64[np.ndarray, " frames"]:
        """When the track's frames are shown, in seconds of the clip's clock (frames of the track,)."""
        return clip.times.seconds()[self.track.first : self.track.stop]


@dataclass(frozen=True, eq=False)
class Analysis:
    """The shots of a clip, the faces and people in them, and the speech features of its sound (None: it has none)."""

    shots: tuple[Shot, ...]
    faces: tuple[FaceAnalysis, ...]
    people: tuple[Person, ...]
    sound: TrackFeatures | None

    def in_shot(self, shot: Shot) -> tuple[FaceAnalysis, ...]:
        """The faces of one shot."""
        return tuple(face for face in self.faces if face.track.shot == shot)

    def person_of(self, face: int) -> Person:
        """Whose face the track ``face`` is."""
        return next(person for person in self.people if face in person.tracks)
