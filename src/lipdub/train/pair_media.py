"""Writes and reads the pictures and sounds of training pairs."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from jaxtyping import Bool, UInt8

from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import atomic_output
from lipdub.errors import OutputError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sound
from lipdub.timeline.picture import Rgb, Window
from lipdub.timeline.sound import Sound

_CRF = "8"
"""Little is lost: what is learnt from is coded once more than the footage was."""

_BT709, _LIMITED, _FULL = 1, 1, 2  # FFmpeg's numbers


def write_pictures(path: Path, pictures: Iterable[Rgb], rate: Fraction) -> None:
    """Write ``pictures`` (all of one even size) at a constant ``rate`` as H.264 in MP4; a file that exists is replaced.

    Raises ``OutputError``.
    """
    try:
        with atomic_output(path, overwrite=True) as part, av.open(str(part), "w", format="mp4") as out:
            video = out.add_stream("libx264", rate=rate, options={"crf": _CRF, "preset": "veryfast"})
            video.pix_fmt, video.time_base = "yuv420p", 1 / rate
            context = video.codec_context
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
            convert = VideoReformatter()
            for index, picture in enumerate(pictures):
                if index == 0:
                    video.height, video.width = picture.shape[:2]
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame = convert.reformat(
                    frame, format="yuv420p", src_color_range=_FULL, dst_colorspace=_BT709, dst_color_range=_LIMITED
                )
                frame.pts, frame.time_base = index, 1 / rate
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
    except FFmpegError as refused:
        cause = cause_of(refused)
        raise OutputError(f"cannot be written: {cause.what}", file=path, remedy=cause.remedy) from refused


def write_mask(path: Path, mask: Bool[np.ndarray, "frames height width"], rate: Fraction) -> None:
    """Write ``mask`` as a video, white where it is True. Raises ``OutputError``."""
    write_pictures(path, (np.repeat(frame[..., None].astype(np.uint8) * 255, 3, axis=2) for frame in mask), rate)


def write_stereo(path: Path, sound: Sound) -> None:
    """Write ``sound`` as 24-bit WAV with two channels: one is doubled, more are mixed to one and doubled. Raises
    ``OutputError``."""
    samples = sound.samples if len(sound.samples) <= 2 else sound.samples.mean(0, keepdims=True)
    stereo = np.ascontiguousarray(np.broadcast_to(samples, (2, samples.shape[1])), np.float32)
    write_sound(path, [stereo], SoundFormat(sound.rate, ("FL", "FR")))


def read_pictures(path: Path, frames: int) -> UInt8[np.ndarray, "frames height width 3"]:
    """The first ``frames`` pictures of a video as RGB. Raises ``InputError``."""
    clip = open_clip(path)
    whole = Window(0, 0, *clip.size)
    return np.stack([frame.rgb(whole) for frame in read_frames(clip, 0, frames)])


def read_mask(path: Path, frames: int) -> Bool[np.ndarray, "frames height width"]:
    """The first ``frames`` pictures of a mask: True where they are brighter than mid-grey. Raises ``InputError``."""
    return read_pictures(path, frames).mean(3) > 127
