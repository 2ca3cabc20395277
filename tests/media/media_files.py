"""Media for tests: small clips whose frames carry their own number, tones, and files with many streams."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lipdub.process.scheduling import usual_scheduling

BITS = 8
"""Frames carry their number as a row of dark and bright blocks along the top: block b is bit b."""


@dataclass(frozen=True)
class Video:
    """What ``make_video`` makes. ``pts`` (default: one frame time apart from 0) are in units of ``time_base``
    (default: 1 / (rate * 512), as mp4 files have). ``colours`` are matrix, primaries, transfer, range (H.273)."""

    size: tuple[int, int] = (128, 96)
    rate: Fraction = Fraction(25)
    count: int = 12
    pts: tuple[int, ...] | None = None
    time_base: Fraction | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    colours: tuple[int, int, int, int] | None = None
    options: tuple[tuple[str, str], ...] = (("crf", "12"), ("preset", "ultrafast"))


@dataclass(frozen=True)
class Extra:
    """What else a file gets: a tone of ``sound_seconds`` from ``sound_start``, streams, chapters, metadata."""

    sound_seconds: float = 0.0
    sound_start: Fraction = Fraction(0)
    sound_codec: str = "aac"
    sound_layout: str = "mono"
    second_video: Video | None = None
    subtitles: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    chapters: bool = False
    container: str | None = None


def picture(index: int, size: tuple[int, int]) -> np.ndarray:
    """(height, width, 3) RGB uint8: smooth colours that move with ``index``, its number on top."""
    w, h = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    red = 128 + 80 * np.sin(x / w * 5 + index / 5)
    green = 128 + 80 * np.cos(y / h * 4 + index / 7)
    blue = 128 + 60 * np.sin((x + y) / (w + h) * 6)
    rgb = np.stack([red, green, blue], -1).clip(0, 255).astype(np.uint8)
    block = w // BITS
    for bit in range(BITS):
        rgb[: h // 4, bit * block : (bit + 1) * block] = 220 if index >> bit & 1 else 30
    return rgb


def number_in(luma: np.ndarray) -> int:
    """The number that a frame with this luma plane (or any channel, full scale 0..1) carries."""
    h, w = luma.shape
    block = w // BITS
    strip = luma[2 : h // 4 - 2].astype(np.float64)
    middles = [strip[:, b * block + 2 : (b + 1) * block - 2].mean() for b in range(BITS)]
    level = (strip.min() + strip.max()) / 2 if strip.max() - strip.min() > 0.2 * strip.max() else np.inf
    return sum((m > level) << b for b, m in enumerate(middles))


def make_video(path: Path, extra: Extra | None = None, **changes: object) -> Path:
    """Write a clip to ``path``; ``changes`` are fields of ``Video``. Returns ``path``."""
    video, extra = replace(Video(), **changes), extra or Extra()  # type: ignore[arg-type]
    base = video.time_base or 1 / (video.rate * 512)
    scale = {} if path.suffix not in (".mp4", ".mov") else {"video_track_timescale": str(base.denominator)}
    scale |= {"movie_timescale": str(base.denominator)} if scale else {}
    with av.open(str(path), "w", format=extra.container, container_options=scale) as out:
        lanes = [_video_packets(out, video, base)]
        if extra.second_video is not None:
            other = extra.second_video
            lanes.append(_video_packets(out, other, other.time_base or 1 / (other.rate * 512)))
        if extra.sound_seconds:
            lanes.append(_tone_packets(out, extra))
        if extra.subtitles:
            lanes.append(_subtitle_packets(out, "subrip" if path.suffix == ".mkv" else "mov_text"))
        out.metadata.update(dict(extra.metadata))
        if extra.chapters:
            base_ms = Fraction(1, 1000)
            out.set_chapters([
                {"id": 1, "start": 0, "end": 200, "time_base": base_ms, "metadata": {"title": "One"}},
                {"id": 2, "start": 200, "end": 480, "time_base": base_ms, "metadata": {"title": "Two"}},
            ])  # fmt: skip
        with usual_scheduling():
            packets = [list(lane) for lane in lanes]
        for packet in sorted((p for lane in packets for p in lane), key=lambda p: p.dts * p.time_base):
            out.mux_one(packet)
    return path


def _video_packets(out, video: Video, base: Fraction):
    stream = out.add_stream(video.codec, rate=video.rate, options=dict(video.options))
    context = stream.codec_context
    context.width, context.height = video.size
    context.pix_fmt = video.pixel_format
    exact = video.codec in ("mpeg1video", "mpeg2video")
    context.time_base = stream.time_base = 1 / video.rate if exact else base
    context.sample_aspect_ratio = video.pixel_aspect
    if video.colours:
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = video.colours
    if video.rotation:
        stream.set_display_rotation(90 * video.rotation)
    step = 1 / video.rate / base
    times = video.pts or tuple(round(i * step) for i in range(video.count))
    for index, at in enumerate(times):
        frame = av.VideoFrame.from_ndarray(picture(index, video.size), "rgb24").reformat(format=video.pixel_format)
        frame.pts, frame.time_base = (index, 1 / video.rate) if exact else (at, base)
        if video.colours:
            frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = video.colours
        for packet in stream.encode(frame):
            packet.duration = packet.duration or int(context.time_base and 1 / video.rate / context.time_base)
            yield packet
    for packet in stream.encode(None):
        packet.duration = packet.duration or int(1 / video.rate / context.time_base)
        yield packet


def tone(seconds: float, rate: int, channels: int, hertz: float = 300.0) -> np.ndarray:
    """(channels, samples) float32: a tone that rises and grows louder, a little different in every channel."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * hertz * (time + 2 * time**2)
    return np.array([np.sin(phase * (1 + c / 4)) * (0.1 + 0.4 * time / seconds) for c in range(channels)], np.float32)


def _tone_packets(out, extra: Extra):
    rate = 48000
    stream = out.add_stream(extra.sound_codec, rate=rate, layout=extra.sound_layout)
    stream.time_base = Fraction(1, rate)
    channels = len(av.AudioLayout(extra.sound_layout).channels)
    frame = av.AudioFrame.from_ndarray(tone(extra.sound_seconds, rate, channels), "fltp", extra.sound_layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    context = stream.codec_context
    context.open()
    size = context.frame_size or 1024
    resampler = av.AudioResampler(format=context.format, layout=extra.sound_layout, rate=rate, frame_size=size)
    begin = round(extra.sound_start * rate)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        part.pts, part.time_base = part.pts + begin, Fraction(1, rate)
        yield from stream.encode(part)
    yield from stream.encode(None)


def _subtitle_packets(out, codec: str):
    stream = out.add_mux_stream(codec)
    stream.time_base = Fraction(1, 1000)
    for at, text in ((100, b"one"), (300, b"two")):
        packet = av.Packet(len(text).to_bytes(2, "big") + text if codec == "mov_text" else text)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = at
        packet.duration = 150
        yield packet


def make_wav(path: Path, seconds: float = 1.0, rate: int = 48000, channels: int = 1, codec: str = "pcm_s16le") -> Path:
    """Write a tone to ``path`` (any sound container; ``codec`` must suit it). Returns ``path``."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.time_base = Fraction(1, rate)
        frame = av.AudioFrame.from_ndarray(tone(seconds, rate, channels), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        context = stream.codec_context
        context.open()
        size = context.frame_size or 1024
        resampler = av.AudioResampler(format=context.format, layout=layout, rate=rate, frame_size=size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path
