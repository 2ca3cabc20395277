"""Lanes that run beside the picture into the output: streams of the source that are copied as they are."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from lipdub.media.container import only
from lipdub.media.languages import three_letters
from lipdub.media.packets import Continued, joins_of

_PATIENCE = 64
"""Read errors in a row after which a file is taken to have ended."""

_COVER_TYPES = {
    "mjpeg": ("cover.jpg", "image/jpeg"),
    "png": ("cover.png", "image/png"),
    "bmp": ("cover.bmp", "image/bmp"),
}


@dataclass
class Lane:
    """Packets on their way into the output, in order; ``peeked`` is the one that waits for its turn."""

    packets: Iterator[av.Packet]
    peeked: av.Packet | None = None
    done: bool = False

    def pump(self, out: OutputContainer, until: Fraction | None) -> None:
        """Mux every packet that begins before ``until`` (s); all that are left if None."""
        while not self.done:
            if self.peeked is None:
                self.peeked = next(self.packets, None)
                if self.peeked is None:
                    self.done = True
                    return
            if until is not None and _instant(self.peeked) > until:
                return
            out.mux_one(self.peeked)
            self.peeked = None


def _instant(packet: av.Packet) -> Fraction:
    at = packet.dts if packet.dts is not None else packet.pts
    return Fraction(at or 0) * packet.time_base


def takes(container: str, template: Stream) -> str | None:
    """None if ``container`` takes a copy of ``template``, else why not: its header is written to memory to see."""
    try:
        with io.BytesIO() as nowhere:
            out = av.open(nowhere, "w", format=container)
            copy_of(out, template)
            out.start_encoding()
            out.close()
    except (FFmpegError, ValueError, OSError, RuntimeError, NotImplementedError):
        return f"{container} does not take {codec_of(template)}"
    return None


def codec_of(stream: Stream) -> str:
    """FFmpeg's name of the codec of a stream."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or "an unknown codec"


def copy_of(out: OutputContainer, template: Stream) -> Stream:
    """A stream in ``out`` with the parameters, metadata and disposition of ``template``."""
    if isinstance(template, AttachmentStream):
        return out.add_attachment(template.name or "attachment", template.mimetype or "", template.data)
    copy = out.add_stream_from_template(template, opaque=True)
    if isinstance(copy, VideoStream) and isinstance(template, VideoStream) and template.average_rate:
        copy.codec_context.framerate = template.average_rate
    copy.metadata.update(template.metadata)
    if out.format.name in ("mp4", "mov"):  # they hold ISO 639-2 codes and nothing else
        language = three_letters(template.language)
        if language:
            copy.metadata["language"] = language
    copy.disposition = template.disposition
    return copy


def attach_cover(cover: Stream, out: OutputContainer) -> None:
    """Attach the cover picture ``cover`` to ``out`` as Matroska keeps it: as a file."""
    assert isinstance(cover.container, InputContainer)
    name, kind = _COVER_TYPES.get(codec_of(cover), ("cover", "image/" + codec_of(cover)))
    content = next((bytes(packet) for packet in cover.container.demux(cover) if packet.size), b"")
    out.add_attachment(name, kind, content)


@dataclass(eq=False)
class Losses:
    """What could not be read: ``errors`` of the whole file, and how many packets of each stream (by index) came."""

    errors: int = 0
    came: dict[int, int] = field(default_factory=dict)

    def of(self, stream: Stream) -> str:
        """What is missing of ``stream``, in words; "" if nothing is known to be."""
        came, promised = self.came.get(stream.index, 0), stream.frames
        if promised and came < promised:
            return f"damaged, {came} of {promised} packets could be read"
        if self.errors and not promised:
            return f"the file is damaged; {came} packets could be read"
        return ""


def read_on(source: InputContainer, streams: list[Stream], losses: Losses) -> Iterator[av.Packet]:
    """Every packet of ``streams`` that holds something; a read error is counted in ``losses`` and read past."""
    only(source, *streams)
    continued = Continued(joins_of(source))
    failed = 0
    while failed < _PATIENCE:
        try:
            for packet in source.demux(streams):
                failed = 0
                if packet.size:
                    continued.place(packet)
                    losses.came[packet.stream_index] = losses.came.get(packet.stream_index, 0) + 1
                    yield packet
            return
        except FFmpegError:
            failed += 1
            losses.errors += 1


def copied(
    source: InputContainer, copies: list[tuple[Stream, Stream]], positive: bool, losses: Losses
) -> Iterator[av.Packet]:
    """Packets of the streams of ``source`` for their copies (pairs of stream and copy), untouched, at their own times.

    ``positive``: the container cannot say negative times; such packets (codec priming) are left out.
    """
    target = {stream.index: copy for stream, copy in copies}
    for packet in read_on(source, [stream for stream, _ in copies], losses) if copies else ():
        if packet.pts is None and packet.dts is None:
            if not packet.stream.disposition & Disposition.attached_pic:
                continue
            packet.pts = 0
        if packet.dts is None:
            packet.dts = packet.pts
        if positive and (packet.pts or 0) < 0:
            continue
        packet.stream = target[packet.stream_index]
        yield packet
