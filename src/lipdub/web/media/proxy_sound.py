"""The sound of a proxy: AAC, from where players begin."""

from fractions import Fraction

import av
import numpy as np
from av.container import OutputContainer

from lipdub.media.sound_blocks import sound_blocks, sound_format
from lipdub.timeline.clip import Clip

_RATE = 48_000


class ProxySound:
    """The sound of a clip as AAC, written as far as the picture is."""

    def __init__(self, out: OutputContainer, clip: Clip) -> None:
        """Add the stream to ``out``, which is not begun yet. Raises ``NoSound`` if the sound cannot be decoded."""
        self._out, self._done = out, 0
        channels = len(sound_format(clip.path, clip.sound).channels)
        layout = "mono" if channels == 1 else "stereo"
        self._stream = out.add_stream("aac", rate=_RATE, layout=layout)
        self._stream.codec_context.bit_rate = 128_000
        self._stream.time_base = Fraction(1, _RATE)
        self._blocks = sound_blocks(clip.path, rate=_RATE, start=clip.start, stream=clip.sound)
        self._layout = _layout_of(channels)
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=_RATE, frame_size=1024)

    def write_until(self, seconds: Fraction) -> None:
        """Write the sound up to ``seconds`` from where players begin, and a little further."""
        while self._done < seconds * _RATE:
            block = next(self._blocks, None)
            if block is None:
                return
            self._write(block)

    def finish(self) -> None:
        """Write what is left."""
        for block in self._blocks:
            self._write(block)
        for part in (*self._resampler.resample(None), None):
            self._out.mux(self._stream.encode(part))

    def _write(self, block: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = _RATE, self._done, Fraction(1, _RATE)
        self._done += block.shape[1]
        for part in self._resampler.resample(frame):
            self._out.mux(self._stream.encode(part))


def _layout_of(channels: int) -> str:
    """FFmpeg's name of the usual layout of so many channels."""
    usual = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
    return usual.get(channels, f"{channels}c")
