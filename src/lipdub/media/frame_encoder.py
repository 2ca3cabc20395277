"""Frames of a clip to packets of the new picture: padded, converted, marked, encoded, each at its own time."""

from collections.abc import Callable
from contextlib import nullcontext

import av
import numpy as np
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext

from lipdub.media.encoder import EncoderInput, PictureEncoding
from lipdub.media.formats import planar_format
from lipdub.media.probe import PictureFacts
from lipdub.process.scheduling import usual_scheduling
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame


class FrameEncoder:
    """Encodes frames of ``clip`` with the encoder ``context``, which is configured for ``encoding``."""

    def __init__(self, context: VideoCodecContext, clip: Clip, facts: PictureFacts, encoding: PictureEncoding) -> None:
        self.context = context
        self._pts, self._time_base = clip.times.pts, clip.times.time_base
        self._pads = encoding.pads
        self._converter = EncoderInput(facts, encoding)
        self._mark = _field_marker(context, facts, encoding.pixel_format)

    def encode(self, frame: Frame) -> list[av.Packet]:
        """The packets that are ready after ``frame``; their times are in the clip's time base."""
        picture = self._mark(self._encodable(frame))
        with nullcontext() if self.context.is_open else usual_scheduling():  # the first frame opens the encoder
            packets = self.context.encode(picture)
        return [self._timed(packet) for packet in packets]

    def flush(self) -> list[av.Packet]:
        """The packets of the frames that are still in the encoder."""
        return [self._timed(packet) for packet in self.context.encode(None)]

    def _timed(self, packet: av.Packet) -> av.Packet:
        """``packet`` with the time of its frame. (libvpx counts in 10 MHz and rounds.)"""
        given = packet.pts
        assert given is not None
        after = min(int(np.searchsorted(self._pts, given)), len(self._pts) - 1)
        nearest = min((int(self._pts[i]) for i in (max(0, after - 1), after)), key=lambda at: abs(at - given))
        if nearest != given:
            packet.dts = nearest if packet.dts == given else packet.dts
            packet.pts = nearest
        return packet

    def _encodable(self, frame: Frame) -> av.VideoFrame:
        planes, kind = frame.planes, planar_format(frame.layout.name)
        if any(self._pads):
            planes = tuple(_padded(plane, self._pads, kind.pixels_per_sample(i)) for i, plane in enumerate(planes))
        memory = None if any(self._pads) else frame.memory
        picture = self._converter.frame(planes, frame.layout, memory)
        picture.pts, picture.time_base = frame.pts, self._time_base
        return picture


def _padded(plane: np.ndarray, pads: tuple[int, int], sites: tuple[int, int]) -> np.ndarray:
    """``plane`` with its last column and row repeated where the padded picture needs another sample."""
    # A chroma plane of an odd picture already has the sample for the added pixel.
    right, below = (pad if site == 1 else 0 for pad, site in zip(pads, sites, strict=True))
    return np.pad(plane, ((0, below), (0, right)), mode="edge")


def _field_marker(
    context: VideoCodecContext, facts: PictureFacts, pixel_format: str
) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that marks frames of an interlaced picture with their first field; other frames are returned as they
    are."""
    if not facts.interlaced or facts.field_order not in ("tt", "bb", "tb", "bt"):
        return lambda frame: frame
    mode = "tff" if facts.field_order in ("tt", "bt") else "bff"
    graph = Graph()
    source = graph.add_buffer(
        width=context.width, height=context.height, format=av.VideoFormat(pixel_format),
        time_base=context.time_base,
    )  # fmt: skip
    marker, sink = graph.add("setfield", mode), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()

    def mark(frame: av.VideoFrame) -> av.VideoFrame:
        graph.push(frame)
        marked = graph.pull()
        assert isinstance(marked, av.VideoFrame)
        return marked

    return mark
