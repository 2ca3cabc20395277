"""What an engine is given: the views of one face, and the sounds that go with them."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from lipdub.anatomy.occluders import Occluders
from lipdub.media.sound_read import SoundReadOptions, read_sound
from lipdub.media.sound_retiming import retimed_blocks, sound_parts
from lipdub.studio.track_features import dub_track
from lipdub.timeline.clip import Clip
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Frame
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.duration_fit.time_stretch import time_stretch


def face_views(frames: Iterable[Frame], track: FaceTrack, size: tuple[int, int]) -> Iterator[FaceView]:
    """The views of a track at its own ``frames``; ``size`` (width, height) is the clip's."""
    return (face_view(frame, track, size) for frame in frames)


def face_view(frame: Frame, track: FaceTrack, size: tuple[int, int], before: Occluders | None = None) -> FaceView:
    """The view of a track at one of its frames; ``size`` (width, height) is the clip's. ``before``: what is before the
    face."""
    row = frame.index - track.first
    landmarks = track.landmarks.read(row, row + 1)[0]
    lost = not np.isfinite(landmarks[0, 0])
    if lost:
        return FaceView(frame.index, size, None, frame.rgb)
    occluder = None if before is None or not before.rows[row] else partial(before.matte, landmarks, size, frame.rgb)
    return FaceView(frame.index, size, landmarks, frame.rgb, occluder)


def source_sound(clip: Clip) -> Sound | None:
    """The clip's own sound on the clip's clock; None if it has none. It is stretched with a slowed picture, and silent
    where the picture stands still."""
    if not clip.has_sound:
        return None
    sound = read_sound(clip.path, stream=clip.sound)
    if not clip.retimed:
        return sound
    parts = sound_parts(clip.clock.pieces(sound.span), sound.start, sound.rate)
    stretch = partial(time_stretch, rate=sound.rate)
    samples = np.concatenate(list(retimed_blocks([sound.samples], parts, stretch, fade=0)), axis=1)
    return Sound(samples, sound.rate, clip.instant(sound.start))


def dub_sound(track: Path, clip: Clip) -> Sound:
    """A dub track on the clip's clock: it begins where players start the clip."""
    read = read_sound(track, reading=SoundReadOptions(dub_track(track, clip).until))
    return Sound(read.samples, read.rate, read.start + clip.start)
