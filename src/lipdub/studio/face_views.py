"""What an engine is given: the views of one face, and the sounds that go with them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lipdub.media.sound_read import SoundReadOptions, read_sound
from lipdub.studio.track_features import dub_track
from lipdub.timeline.clip import Clip
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Frame
from lipdub.timeline.sound import Sound


def face_views(frames: Iterable[Frame], track: FaceTrack, size: tuple[int, int]) -> Iterator[FaceView]:
    """The views of a track at its own ``frames``; ``size`` (width, height) is the clip's."""
    return (face_view(frame, track, size) for frame in frames)


def face_view(frame: Frame, track: FaceTrack, size: tuple[int, int]) -> FaceView:
    """The view of a track at one of its frames; ``size`` (width, height) is the clip's."""
    row = frame.index - track.first
    landmarks = track.landmarks.read(row, row + 1)[0]
    lost = not np.isfinite(landmarks[0, 0])
    return FaceView(frame.index, size, None if lost else landmarks, frame.rgb)


def source_sound(clip: Clip) -> Sound | None:
    """The clip's own sound on its own clock, as filmed; None if it has none."""
    return read_sound(clip.path, stream=clip.sound) if clip.has_sound else None


def dub_sound(track: Path, clip: Clip) -> Sound:
    """A dub track on the clip's clock: it begins where players start the clip."""
    read = read_sound(track, reading=SoundReadOptions(dub_track(track, clip).until))
    return Sound(read.samples, read.rate, read.start + clip.start)
