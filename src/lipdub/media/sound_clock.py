"""Where a file's sound clock begins, and frames of sound that numpy can read."""

from fractions import Fraction

import av
from av.audio.stream import AudioStream

_MOST_PLANES = 7
"""PyAV 18 counts the planes of a frame up to the first empty one. A frame with eight planes has none, and PyAV reads
memory beyond the frame (``AudioFrame.planes``)."""


def interleaved(frame: av.AudioFrame) -> av.AudioFrame:
    """``frame``; if it has more planes than can be read safely, the same samples interleaved in one plane."""
    if frame.format.is_packed or len(frame.layout.channels) <= _MOST_PLANES:
        return frame
    pts, time_base = frame.pts, frame.time_base
    resampler = av.AudioResampler(format=frame.format.packed, layout=frame.layout, rate=frame.sample_rate)
    (packed,) = resampler.resample(frame)
    packed.pts = pts
    if time_base is not None:
        packed.time_base = time_base
    return packed


def clock_origin(audio: AudioStream) -> Fraction:
    """Time (s) on a file's clock that counts as its sound's zero. It is 0 except in MP3 files, whose clock includes the
    priming, so that their first audible sample would come 25 ms late."""
    if audio.container.format.name != "mp3" or not audio.start_time or not audio.time_base:
        return Fraction(0)
    return audio.start_time * audio.time_base
