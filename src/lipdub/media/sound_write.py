"""Writing sound files in blocks: WAV or FLAC, 24 bits."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError
from jaxtyping import Float32, Int32

from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import atomic_output
from lipdub.errors import OptionError, OutputError
from lipdub.media.sound_blocks import Block, SoundFormat

_FORMATS = {".wav": ("wav", "pcm_s24le", {"rf64": "auto"}), ".flac": ("flac", "flac", {})}

_FULL = 2**31
_STEP = 2**8
"""Encoders take the 24 bits as the upper bits of 32."""

_LARGEST = 4096
"""Samples in a frame for FLAC encoders."""


def write_sound(path: Path, blocks: Iterable[Block], sound_format: SoundFormat) -> int:
    """Write ``blocks`` (channels, samples; -1..1, clipped beyond) to ``path``; returns the number of samples.

    ``.wav`` (RF64 from 4 GB on) or ``.flac`` (up to 8 channels), 24 bits without dither: the rounding error is 144 dB
    below full scale. 16- and 24-bit sound stays bit for bit the same. The file appears when it is complete and replaces
    a former one. Raises ``OptionError`` for another suffix or too many channels, ``OutputError`` if it cannot be
    written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise OptionError(
            "is not a file type for sound that can be written", file=path, remedy="Name it .wav or .flac."
        )
    file_type = _FORMATS[path.suffix.lower()]
    if file_type[0] == "flac" and len(sound_format.channels) > 8:
        raise OptionError("FLAC holds up to 8 channels", file=path, remedy="Name it .wav.")
    try:
        with atomic_output(path, overwrite=True) as part:
            return _written(part, blocks, sound_format, file_type)
    except FFmpegError as refused:
        cause = cause_of(refused)
        raise OutputError(f"cannot be written: {cause.what}", file=path, remedy=cause.remedy) from refused


def _written(
    part: Path, blocks: Iterable[Block], sound_format: SoundFormat, file_type: tuple[str, str, dict[str, str]]
) -> int:
    container, codec, settings = file_type
    count = 0
    with av.open(str(part), "w", format=container, container_options=settings) as out:
        layout = "+".join(sound_format.channels)
        stream = out.add_stream(codec, rate=sound_format.rate, layout=layout, format="s32")
        assert isinstance(stream, AudioStream)
        stream.time_base = Fraction(1, sound_format.rate)
        for samples in _frames(blocks):
            frame = av.AudioFrame.from_ndarray(samples, "s32", layout)
            frame.sample_rate, frame.pts, frame.time_base = sound_format.rate, count, stream.time_base
            count += frame.samples
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return count


def _frames(blocks: Iterable[Block]) -> Iterator[Int32[np.ndarray, "1 interleaved"]]:
    """``blocks`` as packed 24-bit integers, in frames of equal size except the last."""
    held: Block | None = None
    for block in blocks:
        held = block if held is None else np.concatenate([held, block], 1)
        whole = held.shape[1] // _LARGEST * _LARGEST
        for first in range(0, whole, _LARGEST):
            yield _packed(held[:, first : first + _LARGEST])
        held = held[:, whole:]
    if held is not None and held.shape[1]:
        yield _packed(held)


def _packed(block: Float32[np.ndarray, "channels samples"]) -> Int32[np.ndarray, "1 interleaved"]:
    steps = np.round(block.astype(np.float64) * (_FULL // _STEP))
    integers = np.clip(steps, -(_FULL // _STEP), _FULL // _STEP - 1).astype(np.int32) * np.int32(_STEP)
    return np.ascontiguousarray(integers.T).reshape(1, -1)
