"""Frames of sound that numpy can look into, and where their clock begins."""

from fractions import Fraction

import av
from av.audio.stream import AudioStream

_MOST_PLANES = 7
"""PyAV 18 counts the planes of a frame up to the first empty one; with eight planes there is none, and it reads memory
that is not the frame's (``AudioFrame.planes``)."""


def interleaved(frame: av.AudioFrame) -> av.AudioFrame:
    """``frame``, or, if it has more planes than can be read safely, the same samples interleaved in one plane."""
    if frame.format.is_packed or len(frame.layout.channels) <= _MOST_PLANES:
        return frame
    pts, time_base = frame.pts, frame.time_base
    resampler = av.AudioResampler(format=frame.format.packed, layout=frame.layout, rate=frame.sample_rate)
    (packed,) = resampler.resample(frame)
    packed.pts = pts
    if time_base is not None:
        packed.time_base = time_base
    return packed


def clock_origin(features: AudioStream) -> Fraction:
    """The instant (s) on a file's clock at which its sound begins to count: 0, but MP3 files count from their priming
    on, so their first audible sample would come 25 ms late."""
    if features.container.format.name != "mp3" or not features.start_time or not features.time_base:
        return Fraction(0)
    return features.start_time * features.time_base
