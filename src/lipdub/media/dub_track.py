"""The dub track of the output: its packets are copied if the container takes its codec, else it is encoded once."""

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
from av.stream import Stream

from lipdub.media.codec_delay import padding_duration, priming_duration, template_with_delay
from lipdub.media.container import open_input, sound_stream
from lipdub.media.sound_clock import clock_origin
from lipdub.media.sound_encoding import DecodedSound, SoundEncoding, sound_encoding
from lipdub.media.sound_piece_file import PiecedSound
from lipdub.media.sound_pieces import PIECED_CODECS, encode_in_pieces
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
"""Containers in which players expect PCM."""


@dataclass
class DubTrack:
    """How the dub track is written: ``copied``, or encoded to ``codec`` for the reason ``encode_reason``.

    It ends at ``end`` (s, clip time) at the latest; ``length`` is its own length (s). ``origin`` is the time (s) on its
    file's clock that is placed at the clip's start, ``rate`` its samples per second.
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
        """Its name in reports."""
        return f"dub track ({self.codec})" + (f": {self.encode_reason}" if self.encode_reason else "")


def add_dub_track(
    path: Path, container: str, out: OutputContainer, start: Fraction, end: Fraction, stack: ExitStack
) -> tuple[MuxQueue, DubTrack, Stream]:
    """Add the dub track at ``path``, from ``start`` to ``end`` (s, clip time). Returns its packets, how it is written,
    its stream.

    Its first audible sample is placed at ``start``, or as much later as it comes in its own file. It is copied if its
    codec fits the container; else its samples are encoded once: AAC into mp4, PCM into mov, FLAC into mkv, Opus into
    webm. Raises ``NoSound`` if the file holds no sound.
    """
    dub = DubTrack("", True, end)
    audio, packets, first, priming = _opened(path, dub, stack)
    dub.encode_reason = _copy_obstacle(container, audio, first, priming)
    if not dub.encode_reason and not dub.codec.startswith("pcm_"):
        dub.encode_reason = repair_reason(path, end - start + 1)
    if not dub.encode_reason:
        template = audio
        if first is not None and priming and container in ("matroska", "webm"):
            template = template_with_delay(audio, first, priming, stack)
        stream = add_stream_copy(out, template)
        stream.metadata.clear()
        return MuxQueue(_copied_dub(packets, audio.codec_context.frame_size, stream, start, dub)), dub, stream
    dub.copied = False
    how, notes = sound_encoding(container, DecodedSound.of(audio.codec_context))
    dub.codec = how.codec
    dub.notes += notes
    stream = _encoded_stream(out, how)
    return MuxQueue(_encoded_dub(packets, audio, stream, how, start, dub)), dub, stream


def add_pieced_sound(sound: PiecedSound, out: OutputContainer, end: Fraction) -> tuple[MuxQueue, DubTrack, Stream]:
    """Add the dub track ``sound``, which is encoded already; the rest as ``add_dub_track``. Taking its packets raises
    ``OutputError`` if a file of it is damaged."""
    stream = _encoded_stream(out, sound.how)

    def packets() -> Iterator[av.Packet]:
        for packet in sound.packets():
            packet.stream = stream
            yield packet

    dub = DubTrack(sound.how.codec, False, end, rate=sound.how.rate, length=sound.length)
    return MuxQueue(packets()), dub, stream


def _encoded_stream(out: OutputContainer, how: SoundEncoding) -> AudioStream:
    """A new stream for sound that is encoded."""
    stream = out.add_stream(how.encoder, rate=how.rate, options=how.options, layout=how.layout, format=how.format)
    assert isinstance(stream, AudioStream)
    stream.time_base = Fraction(1, how.rate)
    stream.codec_context.open()
    return stream


def dub_length(path: Path) -> Fraction:
    """How long the sound in ``path`` is in seconds, from its first audible sample to its last, as ``add_dub_track``
    counts it. All packets are read; nothing is decoded. Raises ``InputError``, ``NotMedia`` or ``NoSound``."""
    with ExitStack() as stack:
        dub = DubTrack("", True, Fraction(0))
        audio, packets, _, _ = _opened(path, dub, stack)
        for _ in _timed(packets, audio.codec_context.frame_size, dub):
            pass
    return dub.length


def _opened(
    path: Path, dub: DubTrack, stack: ExitStack
) -> tuple[AudioStream, Iterator[av.Packet], av.Packet | None, Fraction]:
    """(Its sound stream, all its packets, the first of them, its priming (s)) of the file ``path``; codec, rate and
    origin are noted in ``dub``."""
    source = stack.enter_context(open_input(path))
    audio = sound_stream(source, path)
    dub.codec, dub.rate = audio.codec_context.codec.canonical_name, audio.codec_context.sample_rate
    packets = demux_noting_losses(dub.losses, source, [audio])
    first = next(packets, None)
    if first is None:
        return audio, iter(()), None, Fraction(0)
    priming = priming_duration(first, dub.rate)
    if priming:
        first_sample = (first.pts or 0) * first.time_base + priming
        # Matroska files round to milliseconds.
        dub.origin = first_sample if abs(first_sample) <= _ROUNDING else clock_origin(audio)
    return audio, chain((first,), packets), first, priming


def dub_notes(dub: DubTrack) -> list[str]:
    """Notes on how the dub track was written; complete when all of it was read."""
    notes, damage = list(dub.notes), dub.repairs
    if dub.losses.errors or damage.undecodable:
        count = dub.losses.errors + damage.undecodable
        notes.append(f"the dub track is damaged: {count} packets could not be read or decoded")
    if damage.mixed_formats:
        forms = ", then ".join(f"{rate} Hz {layout}" for rate, layout in damage.mixed_formats)
        notes.append(f"the dub track changes its rate or channels ({forms}): all of it is converted to one")
    return notes


def dub_loss_notes(dub: DubTrack) -> list[str]:
    """Notes on what of the dub track cannot be heard; complete when all of it was read."""
    notes, damage = [], dub.repairs
    if dub.length == 0:
        notes.append("the dub track is empty: there is no sound in it")
    if damage.silence:
        notes.append(f"{float(damage.silence):.3f} s are missing in the dub track: they are silent")
    if damage.not_finite:
        notes.append(f"{damage.not_finite} samples of the dub track are not numbers (NaN, infinite): written as 0")
    return notes


def _copy_obstacle(container: str, audio: AudioStream, first: av.Packet | None, priming: Fraction) -> str:
    """Why its packets cannot be copied so that they play as in their own file; "" if they can."""
    name = audio.codec_context.codec.canonical_name
    pcm = name.startswith("pcm_") and container in _PCM and not (container == "mov" and name == "pcm_u8")
    if name not in _SOUND_CODECS[container] and not pcm:
        return f"{container} does not take {name}"
    if first is None:
        return "it holds no packets"
    if container in ("matroska", "webm") and priming and name not in PRIMED_CODECS:
        return f"{container} cannot say how {name} is primed"
    return copy_refusal(container, audio) or ""


def _timed(
    packets: Iterator[av.Packet], frame_size: int, dub: DubTrack
) -> Iterator[tuple[av.Packet, Fraction, Fraction]]:
    """(Packet, when it begins, how long it lasts), in seconds from the dub's origin, to the sample. Packets hold
    ``frame_size`` samples each (0: unknown)."""
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
        yield packet, begins, length


def _copied_dub(
    packets: Iterator[av.Packet], frame_size: int, stream: Stream, start: Fraction, dub: DubTrack
) -> Iterator[av.Packet]:
    """The packets at their times up to the dub's end."""
    for packet, begins, length in _timed(packets, frame_size, dub):
        if start + begins >= dub.end:
            continue
        packet.time_base = Fraction(1, dub.rate)
        packet.pts = packet.dts = round((start + begins) * dub.rate)
        packet.duration = round(length * dub.rate)
        packet.stream = stream
        yield packet


def _encoded_dub(
    packets: Iterator[av.Packet],
    audio: AudioStream,
    stream: AudioStream,
    how: SoundEncoding,
    start: Fraction,
    dub: DubTrack,
) -> Iterator[av.Packet]:
    frames = _frames_for_encoder(packets, audio, stream.codec_context, start, dub)
    if how.encoder in PIECED_CODECS:
        for packet in encode_in_pieces(frames, how.open):
            packet.stream = stream
            yield packet
        return
    for frame in frames:
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _frames_for_encoder(
    packets: Iterator[av.Packet], audio: AudioStream, context: AudioCodecContext, start: Fraction, dub: DubTrack
) -> Iterator[av.AudioFrame]:
    """The sound of the dub up to the picture's end, as the encoder ``context`` takes it, in frames of equal size."""
    resampler = av.AudioResampler(
        format=context.format, layout=context.layout, rate=context.sample_rate, frame_size=context.frame_size or 4096
    )
    begin: int | None = None
    unplaced = audio.codec_context.channels > 8 and "channels" in audio.codec_context.layout.name
    for at, frame in chain(_frames_until_end(packets, audio, start, dub), ((None, None),)):
        if begin is None and at is not None:
            begin = round((start + at) * context.sample_rate)
        if frame is not None and unplaced:
            frame = fold_channels(frame, context.layout.name)
        for ready in resampler.resample(frame):
            # Positions are counted, not taken from the resampler: its frames follow each other without gaps.
            ready.pts, ready.time_base = begin, Fraction(1, context.sample_rate)
            assert begin is not None
            begin += ready.samples
            yield ready


def _frames_until_end(
    packets: Iterator[av.Packet], audio: AudioStream, start: Fraction, dub: DubTrack
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Time from its origin (s), frame) of the dub up to the picture's end; the last frame is cut to the sample."""
    for begins, frame in uniform_frames(packets, audio, dub.origin, dub.repairs):
        dub.length = max(dub.length, begins + Fraction(frame.samples, frame.sample_rate))
        available = int((dub.end - start - begins) * frame.sample_rate)
        if available >= frame.samples:
            yield begins, frame
        elif available > 0:
            last = frame_slice(frame, 0, available)
            last.pts, last.time_base = frame.pts, frame.time_base
            yield begins, last
