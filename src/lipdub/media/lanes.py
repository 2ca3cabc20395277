"""Lanes that run beside the picture into the output: copied streams, and the dub track, copied or encoded once."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from lipdub.media.container import only, opened, sound_stream
from lipdub.media.listen import numbers_only

_SOUND_CODECS = {
    "mp4": "aac mp3 ac3 eac3 alac opus flac".split(),
    "mov": "aac mp3 ac3 eac3 alac".split(),
    "matroska": "aac mp3 ac3 eac3 flac opus vorbis alac dts truehd wavpack".split(),
    "webm": "opus vorbis".split(),
}
_PCM = ("mov", "matroska")
"""Containers that players expect PCM in."""

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


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


@dataclass
class Dub:
    """What became of the dub track: ``copied`` or encoded to ``codec``; ``cut`` seconds of its end did not fit
    beside the picture; it ends ``short`` seconds before the picture does."""

    codec: str
    copied: bool
    end: Fraction
    length: Fraction = Fraction(0)
    notes: list[str] = field(default_factory=list)


def takes(container: str, template: Stream) -> str | None:
    """None if ``container`` takes a copy of ``template``, else why not: its header is written to memory to see."""
    if template.type == "attachment" and container != "matroska":
        return f"{container} holds no attachments"
    if container == "mov" and template.disposition & Disposition.attached_pic:
        return "mov holds no cover picture"
    try:
        with io.BytesIO() as nowhere:
            out = av.open(nowhere, "w", format=container)
            _copy_of(out, template)
            out.start_encoding()
            out.close()
    except (FFmpegError, ValueError, OSError, RuntimeError, NotImplementedError):
        return f"{_codec(template)} does not fit into {container}"
    return None


def _codec(stream: Stream) -> str:
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or "an unknown codec"


def _copy_of(out: OutputContainer, template: Stream) -> Stream:
    """A stream in ``out`` with the parameters, metadata and disposition of ``template``."""
    if isinstance(template, AttachmentStream):
        return out.add_attachment(template.name or "attachment", template.mimetype or "", template.data)
    copy = out.add_stream_from_template(template, opaque=True)
    if isinstance(copy, VideoStream) and isinstance(template, VideoStream) and template.average_rate:
        copy.codec_context.framerate = template.average_rate
    copy.metadata.update(template.metadata)
    copy.disposition = template.disposition
    return copy


def copied(
    source: InputContainer, out: OutputContainer, streams: list[Stream], positive: bool, quiet: frozenset[int]
) -> Lane:
    """A lane of packets of ``streams`` of ``source``, untouched, at their own times.

    ``positive``: the container cannot say negative times; such packets (codec priming) are left out.
    ``quiet`` are indices of streams that lose their 'default' mark.
    """
    copies = {}
    for template in streams:
        copies[template.index] = _copy_of(out, template)
        if template.index in quiet:
            copies[template.index].disposition = Disposition(int(template.disposition) & ~int(Disposition.default))
    flowing = [stream for stream in streams if stream.type != "attachment"]
    return Lane(_flow(source, flowing, copies, positive) if flowing else iter(()))


def _flow(
    source: InputContainer, streams: list[Stream], copies: dict[int, Stream], positive: bool
) -> Iterator[av.Packet]:
    only(source, *streams)
    try:
        for packet in source.demux(streams):
            if packet.size == 0:
                continue
            if packet.pts is None and packet.dts is None:
                if not packet.stream.disposition & Disposition.attached_pic:
                    continue
                packet.pts = 0
            if packet.dts is None:
                packet.dts = packet.pts
            if positive and (packet.pts or 0) < 0:
                continue
            packet.stream = copies[packet.stream_index]
            yield packet
    except FFmpegError:
        return


def dub_lane(
    path: Path, container: str, out: OutputContainer, start: Fraction, end: Fraction, stack: ExitStack
) -> tuple[Lane, Dub, Stream]:
    """The lane of the dub track at ``path``, from ``start`` on the clip's clock and cut at ``end``.

    Copied if its codec fits the container and its clock begins at 0, else encoded once from its own samples:
    AAC into mp4, PCM into mov, FLAC into mkv, Opus into webm. Raises ``NoSound`` if it holds no sound.
    """
    source = stack.enter_context(opened(path))
    heard = sound_stream(source, path)
    dub = Dub(heard.codec_context.codec.canonical_name, True, end)
    first, packets = _first_packet(source, heard)
    if _fits(container, heard, first):
        stream = _copy_of(out, heard)
        stream.metadata.clear()
        return Lane(_copied_dub(packets, stream, start, dub)), dub, stream
    dub.copied = False
    stream, name = _sound_encoder(container, out, heard)
    dub.codec = name
    return Lane(_encoded_dub(packets, heard, stream, start, dub)), dub, stream


def _first_packet(source: InputContainer, heard: AudioStream) -> tuple[av.Packet | None, Iterator[av.Packet]]:
    only(source, heard)
    packets = source.demux(heard)
    first = next(packets, None)
    return first, chain((first,), packets) if first is not None else iter(())


def _fits(container: str, heard: AudioStream, first: av.Packet | None) -> bool:
    """True if packets can be copied and will be heard as they are in their own file."""
    name = heard.codec_context.codec.canonical_name
    pcm = name.startswith("pcm_") and container in _PCM and not (container == "mov" and name == "pcm_u8")
    if name not in _SOUND_CODECS[container] and not pcm:
        return False
    if first is None or (heard.start_time or 0) != 0:
        return False
    # Priming before time 0 can be said in mp4 and mov (edit list); Matroska passes it on from Matroska only.
    own = "matroska" in heard.container.format.name
    if (first.pts or 0) < 0 and container in ("matroska", "webm") and not own:
        return False
    return takes(container, heard) is None


def _copied_dub(packets: Iterator[av.Packet], stream: Stream, start: Fraction, dub: Dub) -> Iterator[av.Packet]:
    for packet in packets:
        if packet.size == 0 or packet.pts is None:
            continue
        begins = packet.pts * packet.time_base
        length = (packet.duration or 0) * packet.time_base
        dub.length = max(dub.length, begins + length)
        if start + begins >= dub.end:
            continue
        shift = round(start / packet.time_base)
        packet.pts += shift
        packet.dts = packet.pts
        packet.stream = stream
        yield packet


def _sound_encoder(container: str, out: OutputContainer, heard: AudioStream) -> tuple[AudioStream, str]:
    """An encoder for the samples of ``heard``: lossless where players of that container know it."""
    context = heard.codec_context
    rate, channels = context.sample_rate, context.channels
    deep = context.format.bytes > 2 and not context.codec.canonical_name.startswith(
        ("mp", "aac", "opus", "vorbis", "ac3", "eac3")
    )
    options: dict[str, str] = {}
    match container:
        case "mp4":
            name, sample = "aac", "fltp"
            rate = rate if rate in _AAC_RATES else 48000
            kilobits = {1: 192, 2: 256}.get(channels, 512 if channels <= 6 else 640)
            options["b"] = str(min(kilobits * 1000, 6 * rate * channels))
        case "mov":
            name, sample = ("pcm_s24le", "s32") if deep else ("pcm_s16le", "s16")
        case "webm":
            name, sample, rate = "libopus", "flt", 48000
            options["b"] = str({1: 128_000, 2: 256_000}.get(channels, 510_000))
        case _:
            name, sample = "flac", "s32" if deep else "s16"
    layout = _layout(context.layout.name, channels)
    stream = out.add_stream(name, rate=rate, options=options, layout=layout, format=sample)
    stream.time_base = Fraction(1, rate)
    stream.codec_context.open()
    return stream, name.removeprefix("lib")


def _layout(stated: str, channels: int) -> str:
    """A channel layout that encoders know: the stated one, or the usual one where a file (WAV) states none."""
    usual = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
    return usual.get(channels, "stereo") if "channels" in stated else stated


def _encoded_dub(
    packets: Iterator[av.Packet], heard: AudioStream, stream: AudioStream, start: Fraction, dub: Dub
) -> Iterator[av.Packet]:
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format, layout=context.layout, rate=context.sample_rate, frame_size=context.frame_size or 4096
    )
    begin = round(start * context.sample_rate)
    for frame in chain(_decoded(packets, heard, start, dub), (None,)):
        for ready in resampler.resample(frame):
            _placed(ready, begin, context.sample_rate)
            yield from stream.encode(ready)
    yield from stream.encode(None)


def _placed(frame: av.AudioFrame, begin: int, rate: int) -> None:
    """Move a frame onto the clip's clock, in samples."""
    frame.pts = round(Fraction(frame.pts or 0) * Fraction(frame.time_base or Fraction(1, rate)) * rate) + begin
    frame.time_base = Fraction(1, rate)


def _decoded(packets: Iterator[av.Packet], heard: AudioStream, start: Fraction, dub: Dub) -> Iterator[av.AudioFrame]:
    """Decoded frames of the dub up to the picture's end, the last one cut to the sample."""
    for packet in packets:
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        for frame in frames:
            begins = Fraction(frame.pts or 0) * (frame.time_base or heard.time_base or Fraction(0))
            dub.length = max(dub.length, begins + Fraction(frame.samples, frame.sample_rate))
            room = int((dub.end - start - begins) * frame.sample_rate)
            if room <= 0:
                continue
            frame = numbers_only(frame)
            yield frame if room >= frame.samples else _shortened(frame, room)


def _shortened(frame: av.AudioFrame, samples: int) -> av.AudioFrame:
    array = frame.to_ndarray()
    width = len(frame.layout.channels) if frame.format.is_packed else 1
    part = av.AudioFrame.from_ndarray(array[:, : samples * width].copy(), frame.format.name, frame.layout.name)
    part.sample_rate, part.pts, part.time_base = frame.sample_rate, frame.pts, frame.time_base
    return part
