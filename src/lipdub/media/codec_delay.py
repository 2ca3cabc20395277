"""Codec priming: the samples that a decoder returns before the first audible one, and how containers store their
number.

mp4 and mov store it in an edit list, which FFmpeg writes from negative times. Matroska and WebM have a field for it
(CodecDelay, RFC 9559, 5.1.4.1.25). FFmpeg fills that field from the codec parameters alone, and only its Matroska
reader sets those. So a Matroska header is made here in memory and read, and its stream is the template for the copy.
"""

import io
import struct
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream

from lipdub.media.container import discard_other_streams, open_input
from lipdub.media.stream_copy import PRIMED_CODECS


def priming_duration(first: av.Packet, rate: int) -> Fraction:
    """Seconds of priming before the sound that the first packet announces (FFmpeg's side data ``skip_samples``)."""
    if not first.has_sidedata("skip_samples"):
        return Fraction(0)
    (skipped,) = struct.unpack_from("<I", bytes(first.get_sidedata("skip_samples")))
    return Fraction(skipped, rate)


def padding_duration(packet: av.Packet, rate: int) -> Fraction:
    """Seconds at the end of a packet that the encoder added to fill its last frame."""
    if not packet.has_sidedata("skip_samples"):
        return Fraction(0)
    (padded,) = struct.unpack_from("<I", bytes(packet.get_sidedata("skip_samples")), 4)
    return Fraction(padded, rate)


def template_with_priming(path: Path, audio: AudioStream, stack: ExitStack) -> AudioStream:
    """A template for a copy in Matroska of the stream ``audio`` of ``path`` that states its priming; ``audio`` itself
    if it has none."""
    with open_input(path) as again:
        same = again.streams[audio.index]
        discard_other_streams(again, same)
        first = next((packet for packet in again.demux(same) if packet.size), None)
        priming = Fraction(0) if first is None else priming_duration(first, audio.codec_context.sample_rate)
        if first is None or not priming or audio.codec_context.codec.canonical_name not in PRIMED_CODECS:
            return audio
        return template_with_delay(audio, first, priming, stack)


def template_with_delay(audio: AudioStream, first: av.Packet, priming: Fraction, stack: ExitStack) -> AudioStream:
    """A stream with the codec, parameters and private data of ``audio`` that states ``priming`` (s).

    It is a template for ``add_stream_from_template`` and stays open until ``stack`` is left; ``first`` is a packet of
    ``audio``.
    """
    context = audio.codec_context
    sound = _ebml_element("B5", struct.pack(">d", context.sample_rate)) + _ebml_element("9F", bytes([context.channels]))
    track = _ebml_element("D7", b"\x01") + _ebml_element("73C5", b"\x01") + _ebml_element("83", b"\x02")
    track += _ebml_element("86", PRIMED_CODECS[context.codec.canonical_name].encode())
    if context.extradata:
        track += _ebml_element("63A2", context.extradata)
    track += _ebml_element("56AA", round(priming * 10**9).to_bytes(8, "big")) + _ebml_element("E1", sound)
    head = _ebml_element("42F7", b"\x01") + _ebml_element("4282", b"matroska")
    head += _ebml_element("4287", b"\x04") + _ebml_element("4285", b"\x02")
    info = _ebml_element("1549A966", _ebml_element("2AD7B1", (1_000_000).to_bytes(4, "big")))
    tracks = _ebml_element("1654AE6B", _ebml_element("AE", track))
    block = _ebml_element("A3", b"\x81\x00\x00\x80" + bytes(first))
    cluster = _ebml_element("1F43B675", _ebml_element("E7", b"\x00") + block)
    file = io.BytesIO(_ebml_element("1A45DFA3", head) + _ebml_element("18538067", info + tracks + cluster))
    container = stack.enter_context(av.open(file, "r", format="matroska"))
    return container.streams.audio[0]


def _ebml_element(identity: str, body: bytes) -> bytes:
    """One EBML element (RFC 8794): its id, its size in eight bytes, its body."""
    return bytes.fromhex(identity) + (len(body) | 1 << 56).to_bytes(8, "big") + body
