"""Write clips, animations and sound files from pictures and samples that the demo makes."""

import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import atomic_output
from lipdub.errors import OutputError
from lipdub.timeline.picture import Rgb
from lipdub.timeline.sound import Sound

_BT709, _LIMITED, _FULL = 1, 1, 2  # FFmpeg's numbers


def write_synthetic_clip(
    path: Path,
    pictures: Iterable[Rgb],
    rate: Fraction,
    sound: Sound | None = None,
    made: str = "",
    *,
    overwrite: bool = True,
) -> None:
    """Write ``pictures`` (all of one even size) at ``rate`` frames per second as H.264, with ``sound`` as AAC.

    ``made`` is written to the file's metadata (``synthetic_media``): how the clip was made. The file appears when it is
    complete; a former one is replaced unless ``overwrite`` is False. Raises ``OutputError`` if it cannot be written.
    """
    options = {"movflags": "faststart+use_metadata_tags"}
    with _atomic_media_output(path, overwrite) as part, av.open(str(part), "w", format="mp4", options=options) as out:
        if made:
            out.metadata["synthetic_media"] = made
        audio = None if sound is None else out.add_stream("aac", rate=sound.rate, layout=_layout(sound))
        video = out.add_stream("libx264", rate=rate, options={"crf": "16", "preset": "veryfast"})
        video.pix_fmt, video.time_base = "yuv420p", 1 / rate
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        _encode(out, video, pictures, rate)
        if audio is not None and sound is not None:
            for frame in _blocks(sound):
                out.mux(audio.encode(frame))
            out.mux(audio.encode(None))


def write_animation(
    path: Path, pictures: Iterable[Rgb], rate: Fraction, quality: int = 70, *, overwrite: bool = True
) -> None:
    """Write ``pictures`` as an animated WebP that repeats endlessly. Raises ``OutputError``."""
    with (
        _atomic_media_output(path, overwrite) as part,
        av.open(str(part), "w", format="webp", options={"loop": "0"}) as out,
    ):
        options = {"quality": str(quality), "compression_level": "6", "preset": "picture"}
        video = out.add_stream("libwebp_anim", rate=rate, options=options)
        video.pix_fmt, video.time_base = "yuv420p", 1 / rate
        _encode(out, video, pictures, rate)


def write_opus(path: Path, sound: Sound, bits: int = 40_000, *, overwrite: bool = True) -> None:
    """Write ``sound`` (48 kHz) as Opus in Ogg with ``bits`` per second. Raises ``OutputError``."""
    with _atomic_media_output(path, overwrite) as part, av.open(str(part), "w", format="ogg") as out:
        audio = out.add_stream("libopus", rate=sound.rate, layout=_layout(sound))
        audio.bit_rate = bits
        for frame in _blocks(sound, sound.rate // 50):
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))


def write_wave(path: Path, sound: Sound, *, overwrite: bool = True) -> None:
    """Write ``sound`` as 16-bit WAV. Raises ``OutputError``."""
    with _atomic_media_output(path, overwrite) as part, wave.open(str(part), "wb") as out:
        out.setnchannels(len(sound.samples))
        out.setsampwidth(2)
        out.setframerate(sound.rate)
        out.writeframes(np.round(np.clip(sound.samples.T, -1, 1) * 32767).astype("<i2").tobytes())


@contextmanager
def _atomic_media_output(path: Path, overwrite: bool) -> Iterator[Path]:
    """A path to write at; it becomes ``path`` when the block ends without an error, and is removed otherwise."""
    try:
        with atomic_output(path, overwrite=overwrite) as part:
            yield part
    except FFmpegError as refused:
        cause = cause_of(refused)
        raise OutputError(f"cannot be written: {cause.what}", file=path, remedy=cause.remedy) from refused


def _encode(out: OutputContainer, video: VideoStream, pictures: Iterable[Rgb], rate: Fraction) -> None:
    """Encode ``pictures`` for the stream ``video`` of ``out``; its size is that of the first picture."""
    for index, picture in enumerate(_in_yuv(pictures)):
        if index == 0:
            video.width, video.height = picture.width, picture.height
        picture.pts, picture.time_base = index, 1 / rate
        out.mux(video.encode(picture))
    out.mux(video.encode(None))


def _in_yuv(pictures: Iterable[Rgb]) -> Iterator[av.VideoFrame]:
    reformatter = VideoReformatter()
    for picture in pictures:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        out = reformatter.reformat(
            frame, format="yuv420p", src_color_range=_FULL, dst_colorspace=_BT709, dst_color_range=_LIMITED
        )
        out.color_primaries = out.color_trc = _BT709
        yield out


def _layout(sound: Sound) -> str:
    return "mono" if len(sound.samples) == 1 else "stereo"


def _blocks(sound: Sound, size: int = 1024) -> Iterator[av.AudioFrame]:
    samples = np.ascontiguousarray(sound.samples, np.float32)
    for first in range(0, samples.shape[1], size):
        block = np.ascontiguousarray(samples[:, first : first + size])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=_layout(sound))
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, first, Fraction(1, sound.rate)
        yield frame
