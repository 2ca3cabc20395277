"""Writing sound files in blocks: WAV or FLAC, 24 bits."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
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
    return write_sounds((path,), ((block,) for block in blocks), sound_format)


def write_sounds(paths: Sequence[Path], blocks: Iterable[tuple[Block, ...]], sound_format: SoundFormat) -> int:
    """Write several sounds of equal length in one pass: ``blocks`` has one for each of ``paths`` at a time. Everything
    else is as in ``write_sound``, which this is for one."""
    for path in paths:
        _check_type(path, sound_format)
    with ExitStack() as files:
        parts = [files.enter_context(atomic_output(path, overwrite=True)) for path in paths]
        with ExitStack() as opened:
            writers = []
            for path, part in zip(paths, parts, strict=True):
                opened.enter_context(_told(path))
                writers.append(opened.enter_context(_Writer(part, _FORMATS[path.suffix.lower()], sound_format)))
            for each in blocks:
                for writer, block in zip(writers, each, strict=True):
                    writer.add(block)
        return writers[0].count


def _check_type(path: Path, sound_format: SoundFormat) -> None:
    if path.suffix.lower() not in _FORMATS:
        raise OptionError(
            "is not a file type for sound that can be written", file=path, remedy="Name it .wav or .flac."
        )
    if path.suffix.lower() == ".flac" and len(sound_format.channels) > 8:
        raise OptionError("FLAC holds up to 8 channels", file=path, remedy="Name it .wav.")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of FFmpeg as ``OutputError`` about ``path``."""
    try:
        yield
    except FFmpegError as refused:
        cause = cause_of(refused)
        raise OutputError(f"cannot be written: {cause.what}", file=path, remedy=cause.remedy) from refused


class _Writer:
    """Writes one sound file; frames of equal size except the last are given to its encoder."""

    def __init__(self, part: Path, file_type: tuple[str, str, dict[str, str]], sound_format: SoundFormat) -> None:
        container, codec, settings = file_type
        self._out = av.open(str(part), "w", format=container, container_options=settings)
        self._layout, self._rate = "+".join(sound_format.channels), sound_format.rate
        stream = self._out.add_stream(codec, rate=sound_format.rate, layout=self._layout, format="s32")
        assert isinstance(stream, AudioStream)
        stream.time_base = Fraction(1, sound_format.rate)
        self._stream, self.count = stream, 0
        self._held: Block | None = None

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        with closing(self._out):
            if error is None:
                if self._held is not None and self._held.shape[1]:
                    self._encode(self._held)
                self._out.mux(self._stream.encode(None))

    def add(self, block: Block) -> None:
        """Write the next samples."""
        held = block if self._held is None else np.concatenate([self._held, block], 1)
        whole = held.shape[1] // _LARGEST * _LARGEST
        for first in range(0, whole, _LARGEST):
            self._encode(held[:, first : first + _LARGEST])
        self._held = held[:, whole:]

    def _encode(self, block: Block) -> None:
        frame = av.AudioFrame.from_ndarray(_packed(block), "s32", self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self.count, self._stream.time_base
        self.count += frame.samples
        self._out.mux(self._stream.encode(frame))


def _packed(block: Float32[np.ndarray, "channels samples"]) -> Int32[np.ndarray, "1 interleaved"]:
    steps = np.round(block.astype(np.float64) * (_FULL // _STEP))
    integers = np.clip(steps, -(_FULL // _STEP), _FULL // _STEP - 1).astype(np.int32) * np.int32(_STEP)
    return np.ascontiguousarray(integers.T).reshape(1, -1)
