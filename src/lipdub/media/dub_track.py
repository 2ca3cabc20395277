"""The dub track on its way into the output: copied if the container takes its codec, else encoded once."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Stream

from lipdub.media.codec_delay import padding_duration, priming_duration, template_with_delay
from lipdub.media.container import open_input, sound_stream
from lipdub.media.sound_clock import clock_origin
from lipdub.media.sound_repair import SoundRepairs, fold_channels, frame_slice, repair_reason, uniform_frames
from lipdub.media.stream_copy import (
    PRIMED_CODECS,
    MuxQueue,
    PacketLosses,
    add_stream_copy,
    copy_refusal,
    demux_noting_losses,
)

_SOUND_CODECS = {
    "mp4": "aac mp3 ac3 eac3 alac opus flac".split(),
    "mov": "aac mp3 ac3 eac3 alac".split(),
    "matroska": "aac mp3 ac3 eac3 flac opus vorbis alac dts truehd wavpack".split(),
    "webm": "opus vorbis".split(),
}
_ROUNDING = Fraction(1, 1000)
_PCM = ("mov", "matroska")
"""Containers that players expect PCM in."""

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_USUAL = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass
class DubTrack:
    """What became of the dub track: ``copied`` or encoded to ``codec``, and ``why`` it was not copied.

    It ends at ``end`` (s, clip's clock) at the latest; ``length`` is its own (s). ``origin`` is the instant on its
    file's clock that comes where players start the clip, ``rate`` its samples per second.
    """

    codec: str
    copied: bool
    end: Fraction
    encode_reason: str = ""
    origin: Fraction = Fraction(0)
    rate: int = 1
    length: Fraction = Fraction(0)
    notes: list[str] = field(default_factory=list)
    losses: PacketLosses = field(default_factory=PacketLosses)
    repairs: SoundRepairs = field(default_factory=SoundRepairs)

    @property
    def name(self) -> str:
        """How it is called in reports."""
        return f"dub track ({self.codec})" + (f": {self.encode_reason}" if self.encode_reason else "")


def add_dub_track(
    path: Path, container: str, out: OutputContainer, start: Fraction, end: Fraction, stack: ExitStack
) -> tuple[MuxQueue, DubTrack, Stream]:
    """The lane of the dub track at ``path``, from ``start`` on the clip's clock and cut at ``end``.

    Its first audible sample comes at ``start``, or as much later as it comes in its own file. Copied if its codec fits
    the container, else encoded once from its own samples: AAC into mp4, PCM into mov, FLAC into mkv, Opus into webm.
    Raises ``NoSound`` if it holds no sound.
    """
    source = stack.enter_context(open_input(path))
    features = sound_stream(source, path)
    dub = DubTrack(features.codec_context.codec.canonical_name, True, end)
    packets = demux_noting_losses(dub.losses, source, [features])
    first = next(packets, None)
    packets = chain((first,), packets) if first is not None else iter(())
    priming = Fraction(0) if first is None else priming_duration(first, features.codec_context.sample_rate)
    dub.rate = features.codec_context.sample_rate
    if first is not None and priming:
        heard_at = (first.pts or 0) * first.time_base + priming
        # Matroska files round to milliseconds.
        dub.origin = heard_at if abs(heard_at) <= _ROUNDING else clock_origin(features)
    dub.encode_reason = _copy_obstacle(container, features, first, priming)
    if not dub.encode_reason and not dub.codec.startswith("pcm_"):
        dub.encode_reason = repair_reason(path, end - start + 1)
    if not dub.encode_reason:
        pattern = features
        if first is not None and priming and container in ("matroska", "webm"):
            pattern = template_with_delay(features, first, priming, stack)
        stream = add_stream_copy(out, pattern)
        stream.metadata.clear()
        return MuxQueue(_copied_dub(packets, features.codec_context.frame_size, stream, start, dub)), dub, stream
    dub.copied = False
    stream, dub.codec = _sound_encoder(container, out, features, dub)
    return MuxQueue(_encoded_dub(packets, features, stream, start, dub)), dub, stream


def dub_notes(dub: DubTrack) -> list[str]:
    """What is to be said of how the dub track was written, once all of it went by."""
    notes, damage = list(dub.notes), dub.repairs
    if dub.losses.errors or damage.undecodable:
        count = dub.losses.errors + damage.undecodable
        notes.append(f"the dub track is damaged: {count} packets could not be read or decoded")
    if damage.mixed_formats:
        forms = ", then ".join(f"{rate} Hz {layout}" for rate, layout in damage.mixed_formats)
        notes.append(f"the dub track changes its rate or channels ({forms}): all of it is converted to one")
    return notes


def dub_loss_notes(dub: DubTrack) -> list[str]:
    """What of the dub track is not to be heard, once all of it went by."""
    notes, damage = [], dub.repairs
    if dub.length == 0:
        notes.append("the dub track is empty: there is no sound in it")
    if damage.silence:
        notes.append(f"{float(damage.silence):.3f} s are missing in the dub track: they are silent")
    if damage.not_finite:
        notes.append(f"{damage.not_finite} samples of the dub track are no numbers (NaN, infinite): written as 0")
    return notes


def _copy_obstacle(container: str, features: AudioStream, first: av.Packet | None, priming: Fraction) -> str:
    """Why packets cannot be copied so that they are heard as in their own file; "" if they can."""
    name = features.codec_context.codec.canonical_name
    pcm = name.startswith("pcm_") and container in _PCM and not (container == "mov" and name == "pcm_u8")
    if name not in _SOUND_CODECS[container] and not pcm:
        return f"{container} does not take {name}"
    if first is None:
        return "it holds no packets"
    if container in ("matroska", "webm") and priming and name not in PRIMED_CODECS:
        return f"{container} cannot say how {name} is primed"
    return copy_refusal(container, features) or ""


def _copied_dub(
    packets: Iterator[av.Packet], frame_size: int, stream: Stream, start: Fraction, dub: DubTrack
) -> Iterator[av.Packet]:
    """Packets at their times, to the sample: ``frame_size`` samples (0: unknown) lie between two of them."""
    following: Fraction | None = None
    for packet in packets:
        if packet.pts is None:
            continue
        begins = packet.pts * packet.time_base - dub.origin
        if following is not None and abs(begins - following) <= 2 * _ROUNDING:
            begins = following
        length = Fraction(frame_size, dub.rate) or (packet.duration or 0) * packet.time_base
        following = begins + length
        dub.length = max(dub.length, following - padding_duration(packet, dub.rate))
        if start + begins >= dub.end:
            continue
        packet.time_base = Fraction(1, dub.rate)
        packet.pts = packet.dts = round((start + begins) * dub.rate)
        packet.duration = round(length * dub.rate)
        packet.stream = stream
        yield packet


def _sound_encoder(
    container: str, out: OutputContainer, features: AudioStream, dub: DubTrack
) -> tuple[AudioStream, str]:
    """An encoder for the samples of ``heard``: lossless where players of that container know it. What it changes is
    noted in ``dub``."""
    context = features.codec_context
    rate, deep = context.sample_rate, _bits(context) > 16
    match container:
        case "mp4":
            name, sample = "aac", "fltp"
            rate = rate if rate in _AAC_RATES else 48000
        case "mov":
            name, sample = ("pcm_s24le", "s32") if deep else ("pcm_s16le", "s16")
        case "webm":
            name, sample, rate = "libopus", "flt", 48000
        case _:
            name, sample = "flac", "s32" if deep else "s16"
            rate = min(rate, 655350)
    layout = _layout(name, sample, rate, context)
    channels = len(av.AudioLayout(layout).channels)
    options: dict[str, str] = {}
    if name == "aac":
        kilobits = {1: 192, 2: 256}.get(channels, 512 if channels <= 6 else 640)
        options["b"] = str(min(kilobits * 1000, 6 * rate * channels))
    if name == "libopus":
        options["b"] = str({1: 128_000, 2: 256_000}.get(channels, 510_000))
    short = name.removeprefix("lib")
    if channels != context.channels:
        dub.notes.append(
            f"the {context.channels} channels of the dub track are mixed to {channels}: {short} takes no more"
        )
    if rate != context.sample_rate:
        dub.notes.append(f"the dub track is resampled from {context.sample_rate} to {rate} Hz: {short} takes no other")
    if _bits(context) > 24 and name in ("pcm_s24le", "flac"):
        dub.notes.append(f"the {_bits(context)}-bit samples of the dub track become 24-bit ones in {short}")
    stream = out.add_stream(name, rate=rate, options=options, layout=layout, format=sample)
    assert isinstance(stream, AudioStream)
    stream.time_base = Fraction(1, rate)
    stream.codec_context.open()
    return stream, short


def _bits(context: AudioCodecContext) -> int:
    """Bits of a sample; 16 for codecs that do not keep samples."""
    name = context.codec.canonical_name
    if name.startswith("pcm_"):
        digits = "".join(filter(str.isdigit, name.split("_")[1]))
        return int(digits) if digits else 16
    if name in ("flac", "alac", "wavpack", "tta", "truehd", "mlp"):
        return 24 if context.format.bytes > 2 else 16
    return 16


def _layout(encoder: str, sample: str, rate: int, context: AudioCodecContext) -> str:
    """The channel layout that comes closest and that the encoder takes: the stated one, the usual one for so many
    channels (WAV files often state none), or one with fewer."""
    stated = context.layout.name
    usual = [name for count, name in sorted(_USUAL.items(), reverse=True) if count <= context.channels]
    for candidate in ([] if "channels" in stated else [stated]) + usual:
        if _opens(encoder, sample, rate, candidate):
            return candidate
    return "stereo"


def _opens(encoder: str, sample: str, rate: int, layout: str) -> bool:
    try:
        context = av.CodecContext.create(encoder, "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = rate, layout, sample
        context.time_base = Fraction(1, rate)
        context.open()
    except (FFmpegError, ValueError):
        return False
    return True


def _encoded_dub(
    packets: Iterator[av.Packet], features: AudioStream, stream: AudioStream, start: Fraction, dub: DubTrack
) -> Iterator[av.Packet]:
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format, layout=context.layout, rate=context.sample_rate, frame_size=context.frame_size or 4096
    )
    begin: int | None = None
    unplaced = features.codec_context.channels > 8 and "channels" in features.codec_context.layout.name
    for at, frame in chain(_frames_until_end(packets, features, start, dub), ((None, None),)):
        if begin is None and at is not None:
            begin = round((start + at) * context.sample_rate)
        if frame is not None and unplaced:
            frame = fold_channels(frame, context.layout.name)
        for ready in resampler.resample(frame):
            # Where a frame comes is counted, not taken from what the resampler says: samples follow each other.
            ready.pts, ready.time_base = begin, Fraction(1, context.sample_rate)
            assert begin is not None
            begin += ready.samples
            yield from stream.encode(ready)
    yield from stream.encode(None)


def _frames_until_end(
    packets: Iterator[av.Packet], features: AudioStream, start: Fraction, dub: DubTrack
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Instant, frame) of the dub up to the picture's end, counted from its origin, the last one cut to the sample."""
    for begins, frame in uniform_frames(packets, features, dub.origin, dub.repairs):
        dub.length = max(dub.length, begins + Fraction(frame.samples, frame.sample_rate))
        room = int((dub.end - start - begins) * frame.sample_rate)
        if room >= frame.samples:
            yield begins, frame
        elif room > 0:
            last = frame_slice(frame, 0, room)
            last.pts, last.time_base = frame.pts, frame.time_base
            yield begins, last
