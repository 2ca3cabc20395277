"""A proxy: a small copy of a film that browsers play, and of which a seek shows exactly the frame that was meant.

H.264 without reordered frames in short closed groups, with the time stamps of the film from where players begin,
upright, square pixels, BT.709; and its sound as AAC. Interlaced frames stay woven. A film of any length is decoded,
scaled and encoded frame by frame, in bounded memory.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import lcm
from pathlib import Path

import av
from av.container import OutputContainer
from av.filter import Graph
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from lipdub.media.formats import frame_from_planes, planar_format
from lipdub.media.probe import picture_facts
from lipdub.media.read import prefetch, read_frames
from lipdub.process.scheduling import usual_scheduling
from lipdub.studio.progress import Listener, silent
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame, PixelLayout
from lipdub.web.media.playable import is_high_range
from lipdub.web.media.proxy_sound import ProxySound
from lipdub.web.media.tone_mapping import tone_mapped

MOST_SIDE = 1280
"""Pixels: proxies are not wider, nor higher."""

_MOST_GROUP = 24
"""Frames from one key frame to the next, at most: so many a seek has to decode."""

_FINEST = 50_000_000
"""Units in a second of mp4, at most; its field has 32 bits."""

_STAGE = "proxy"
_BT709, _LIMITED, _FULL, _BT2020 = 1, 1, 2, 9


@dataclass(frozen=True, slots=True)
class ProxyClock:
    """How the time stamps of a proxy are counted: ``start`` (s on the film's clock) is 0, and a second has ``scale``
    units."""

    start: Fraction
    scale: int

    @classmethod
    def of(cls, clip: Clip) -> "ProxyClock":
        """One that tells the times of ``clip`` exactly, if a second then has no more than fifty million units; else one
        of microseconds."""
        exact = lcm(clip.times.time_base.denominator, clip.start.denominator)
        return cls(clip.start, exact if exact <= _FINEST else 1_000_000)

    def at(self, instant: Fraction) -> int:
        """The time stamp of an ``instant`` (s on the film's clock)."""
        return round((instant - self.start) * self.scale)


def proxy_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height, both even, of the proxy of a picture of ``size``; nothing is enlarged."""
    scale = min(1.0, MOST_SIDE / max(size))
    return max(2, round(size[0] * scale / 2) * 2), max(2, round(size[1] * scale / 2) * 2)


def write_proxy(clip: Clip, target: Path, listener: Listener = silent) -> None:
    """Write the proxy of ``clip`` to ``target`` (mp4).

    ``listener`` is told of the frames; an exception that it raises ends the work. Raises ``NotMedia`` if no frame can
    be decoded, and ``OSError`` (of FFmpeg) if the disk refuses.
    """
    clock = ProxyClock.of(clip)
    scales = {"video_track_timescale": str(clock.scale), "movie_timescale": str(clock.scale)}
    options = {"movflags": "+faststart", **scales}
    with av.open(str(target), "w", format="mp4", container_options=options) as out:
        video, lengths = _video_stream(out, clip, clock), _lengths(clip, clock)
        sound = ProxySound(out, clip) if clip.has_sound else None
        with closing(prefetch(_pictures(clip, clock))) as pictures:  # type: ignore[type-var]
            for number, picture in enumerate(pictures, 1):
                with usual_scheduling():
                    out.mux([_lasting(packet, lengths) for packet in video.encode(picture)])
                if sound is not None:
                    sound.write_until(clip.times.instant(number - 1) - clip.start)
                if number % 8 == 0 or number == len(clip):
                    listener(_STAGE, number, len(clip))
        out.mux([_lasting(packet, lengths) for packet in video.encode(None)])
        if sound is not None:
            sound.finish()


def _video_stream(out: OutputContainer, clip: Clip, clock: ProxyClock) -> VideoStream:
    rate = clip.rate.limit_denominator(100_000)
    options = {"preset": "superfast", "crf": "22", "x264-params": "bframes=0:open-gop=0:scenecut=0"}
    video = out.add_stream("libx264", rate=rate, options=options)
    context = video.codec_context
    video.time_base = context.time_base = Fraction(1, clock.scale)
    context.framerate = rate
    context.width, context.height = proxy_size(clip.size)
    context.pix_fmt = "yuv420p"
    context.thread_type = "FRAME"
    context.max_b_frames = 0
    context.gop_size = max(1, min(_MOST_GROUP, round(clip.rate / 2)))
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return video


def _lengths(clip: Clip, clock: ProxyClock) -> Iterator[int]:
    """How long each frame is shown, in units of the proxy."""
    times = clip.times
    ends = (times.instant(index) for index in range(1, len(times)))
    at = clock.at(times.instant(0))
    for end in chain(ends, (times.whole.end,)):
        yield clock.at(end) - at
        at = clock.at(end)


def _lasting(packet: av.Packet, lengths: Iterator[int]) -> av.Packet:
    """The packet of the next frame, which is shown as long as the film shows it."""
    packet.duration = next(lengths)
    return packet


def _pictures(clip: Clip, clock: ProxyClock) -> Iterator[av.VideoFrame]:
    """The pictures of ``clip`` as the proxy shows them, each with its time stamp."""
    shown: Callable[[Frame], av.VideoFrame] | None = None
    with closing(read_frames(clip, shared=True)) as frames:  # type: ignore[type-var]
        for frame in frames:
            shown = shown or _converter(clip, frame)
            picture = shown(frame)
            picture.pts, picture.time_base = clock.at(clip.times.instant(frame.index)), Fraction(1, clock.scale)
            picture.pict_type = 0
            yield picture


def _converter(clip: Clip, first: Frame) -> Callable[[Frame], av.VideoFrame]:
    """What makes pictures of the proxy from frames that are like ``first``."""
    facts, kind = picture_facts(clip), planar_format(first.layout.name)
    high = is_high_range(facts)
    coded = first.planes[0].shape[::-1]
    graph = _scaler(coded, first.layout, proxy_size(clip.size), facts.interlaced, high)
    reformatter, wide = VideoReformatter(), facts.colours.primaries in (2, _BT2020)

    def shown(frame: Frame) -> av.VideoFrame:
        picture = frame_from_planes(frame.planes, kind)
        picture.pts = frame.index
        graph.push(picture)
        scaled = graph.pull()
        assert isinstance(scaled, av.VideoFrame)
        if high:
            rgb = tone_mapped(scaled.to_ndarray(format="rgb48le"), facts.colours.transfer, wide)
            scaled = reformatter.reformat(
                av.VideoFrame.from_ndarray(rgb, format="rgb24"), format="yuv420p",
                src_color_range=_FULL, dst_colorspace=_BT709, dst_color_range=_LIMITED,
            )  # fmt: skip
        scaled.colorspace = scaled.color_primaries = scaled.color_trc = _BT709
        scaled.color_range = _LIMITED
        return scaled

    return shown


def _scaler(coded: tuple[int, int], layout: PixelLayout, size: tuple[int, int], interlaced: bool, high: bool) -> Graph:
    """Scales pictures of the size ``coded`` to ``size`` and turns them upright: to yuv420p of BT.709, or R'G'B' of 16
    bits if they are of ``high`` dynamic range. Fields stay apart where the height changes."""
    width, height = size[::-1] if layout.rotation % 2 else size
    matrix = layout.matrix if layout.matrix != "rgb" else "auto"
    reading = f"in_color_matrix={matrix}:in_range={'full' if layout.full_range else 'limited'}"
    writing = "out_range=full" if high else "out_color_matrix=bt709:out_range=limited"
    woven = f":interl={int(interlaced and height != coded[1])}"
    graph = Graph()
    turns = {0: [], 1: [("transpose", "cclock")], 2: [("hflip", ""), ("vflip", "")], 3: [("transpose", "clock")]}
    source = graph.add_buffer(
        width=coded[0], height=coded[1], format=av.VideoFormat(layout.name), time_base=Fraction(1, 1000)
    )
    filters = [
        graph.add("scale", f"{width}:{height}:flags=bicubic:{reading}:{writing}{woven}"),
        graph.add("format", "rgb48le" if high else "yuv420p"),
        *(graph.add(name, told) if told else graph.add(name) for name, told in turns[layout.rotation % 4]),
        graph.add("buffersink"),
    ]
    for one, other in zip((source, *filters), filters, strict=False):
        one.link_to(other)
    graph.configure()
    return graph
