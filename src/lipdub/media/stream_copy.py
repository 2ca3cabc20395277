"""Streams that are copied without re-encoding, and how packets wait for their turn in the output."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from lipdub.media.container import discard_other_streams
from lipdub.media.languages import container_language
from lipdub.media.packets import ContinuedClock, ReadErrors, clock_joins, demux_past_errors

PRIMED_CODECS = {"aac": "A_AAC", "mp3": "A_MPEG/L3", "opus": "A_OPUS", "vorbis": "A_VORBIS"}
"""Codecs with priming -> their Matroska codec IDs (RFC 9559 and its codec mappings)."""

_GAP = Fraction(1, 10)
"""Seconds between two packets of sound, or before the stated end, beyond which something counts as missing."""

_COVER_TYPES = {
    "mjpeg": ("cover.jpg", "image/jpeg"),
    "png": ("cover.png", "image/png"),
    "bmp": ("cover.bmp", "image/bmp"),
}


@dataclass
class MuxQueue:
    """Packets of one or more streams in the order in which they are muxed; ``waiting`` is the next one."""

    packets: Iterator[av.Packet]
    waiting: av.Packet | None = None
    exhausted: bool = False

    def mux_until(self, out: OutputContainer, until: Fraction | None) -> None:
        """Mux every packet that begins at ``until`` (s) or before; None: all that are left."""
        while not self.exhausted:
            if self.waiting is None:
                self.waiting = next(self.packets, None)
                if self.waiting is None:
                    self.exhausted = True
                    return
            if until is not None and _muxing_time(self.waiting) > until:
                return
            out.mux_one(self.waiting)
            self.waiting = None


def _muxing_time(packet: av.Packet) -> Fraction:
    at = packet.dts if packet.dts is not None else packet.pts
    return Fraction(at or 0) * packet.time_base


def copy_refusal(container: str, template: Stream) -> str | None:
    """None if ``container`` takes a copy of ``template``, else why not. To find out, a header is written to memory."""
    try:
        with io.BytesIO() as nowhere:
            out = av.open(nowhere, "w", format=container)
            add_stream_copy(out, template)
            out.start_encoding()
            out.close()
    except (FFmpegError, ValueError, OSError, RuntimeError, NotImplementedError):
        return f"{container} does not take {codec_name(template)}"
    return None


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of the codec of a stream."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or "an unknown codec"


def add_stream_copy(out: OutputContainer, template: Stream) -> Stream:
    """Add a stream to ``out`` with the parameters, metadata and disposition of ``template``."""
    if isinstance(template, AttachmentStream):
        return out.add_attachment(template.name or "attachment", template.mimetype or "", template.data)
    copy = out.add_stream_from_template(template, opaque=True)
    if isinstance(copy, VideoStream) and isinstance(template, VideoStream) and template.average_rate:
        copy.codec_context.framerate = template.average_rate
    copy.metadata.update(template.metadata)
    language = container_language(template.language, out.format.name)
    if language and out.format.name in ("mp4", "mov"):
        copy.metadata["language"] = language
    copy.disposition = template.disposition
    return copy


def attach_cover(cover: Stream, out: OutputContainer) -> None:
    """Attach the cover picture ``cover`` to ``out`` as a file, as Matroska stores it."""
    assert isinstance(cover.container, InputContainer)
    name, kind = _COVER_TYPES.get(codec_name(cover), ("cover", "image/" + codec_name(cover)))
    content = next((bytes(packet) for packet in cover.container.demux(cover) if packet.size), b"")
    out.add_attachment(name, kind, content)


@dataclass(eq=False)
class PacketLosses:
    """What could not be read: errors of the file, and for each stream (by index) how many packets were ``received``,
    where they ``end`` (s), and how many seconds are ``missing`` between packets of sound, which should follow each
    other."""

    read_errors: ReadErrors = field(default_factory=ReadErrors)
    received: dict[int, int] = field(default_factory=dict)
    end: dict[int, Fraction] = field(default_factory=dict)
    missing: dict[int, Fraction] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """How often reading the file failed and went on behind the damage."""
        return self.read_errors.count

    def count(self, packet: av.Packet) -> None:
        """Count a packet. Empty packets at the end of a file, which have no time, do not count."""
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None and not packet.size:
            return
        stream = packet.stream_index
        self.received[stream] = self.received.get(stream, 0) + 1
        begins = Fraction(at or 0) * packet.time_base
        gap = begins - self.end.get(stream, begins)
        if packet.stream.type == "audio" and gap > _GAP:
            self.missing[stream] = self.missing.get(stream, Fraction(0)) + gap
        ends = begins + (packet.duration or 0) * packet.time_base
        self.end[stream] = max(self.end.get(stream, ends), ends)

    def describe(self, stream: Stream) -> str:
        """What is missing of ``stream``, in words; "" if nothing is known to be."""
        received, end = self.received.get(stream.index, 0), self.end.get(stream.index, Fraction(0))
        # The index of mp4 and mov lists every packet; other indexes list only some.
        indexed = "mp4" in stream.container.format.name
        listed, stated = len(stream.index_entries) if indexed else 0, _stated_end(stream)
        if received < listed:
            return f"damaged, {received} of {listed} packets could be read"
        words = []
        if self.missing.get(stream.index):
            words.append(f"{float(self.missing[stream.index]):.3f} s are missing in it")
        if stated is not None and end < stated - _GAP:
            words.append(f"it ends at {float(end):.3f} s, the file states {float(stated):.3f} s")
        if self.errors and not words and not indexed:
            words.append(f"the file could not be read in {self.errors} places")
        return f"damaged ({received} packets could be read): {' and '.join(words)}" if words else ""


def _stated_end(stream: Stream) -> Fraction | None:
    """Where a stream of a Matroska file ends (s) by its DURATION tag; None if it has none."""
    text = next((value for key, value in stream.metadata.items() if key.upper().startswith("DURATION")), "")
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    except ValueError:
        return None


def demux_noting_losses(losses: PacketLosses, source: InputContainer, streams: list[Stream]) -> Iterator[av.Packet]:
    """Every non-empty packet of ``streams``, on the clock that continues over joins; what cannot be read is counted in
    ``losses``."""
    discard_other_streams(source, *streams)
    continued = ContinuedClock(clock_joins(source))
    for packet in demux_past_errors(source, streams, losses.read_errors):
        if packet.size:
            continued.retime(packet)
        losses.count(packet)
        if packet.size:
            yield packet


def copied_packets(
    source: InputContainer, copies: list[tuple[Stream, Stream]], matroska: bool, losses: PacketLosses
) -> Iterator[av.Packet]:
    """Packets of the streams of ``source`` for their copies (pairs of stream and copy), unchanged, at their own times.

    ``matroska``: such files hold no negative times except for priming, so sound of codecs without priming begins at 0.
    """
    target = {stream.index: copy for stream, copy in copies}
    for packet in demux_noting_losses(losses, source, [stream for stream, _ in copies]) if copies else ():
        if packet.pts is None and packet.dts is None:
            if not packet.stream.disposition & Disposition.attached_pic:
                continue
            packet.pts = 0
        if packet.dts is None:
            packet.dts = packet.pts
        if matroska and (packet.pts or 0) < 0 and codec_name(packet.stream) not in PRIMED_CODECS:
            continue
        packet.stream = target[packet.stream_index]
        yield packet
