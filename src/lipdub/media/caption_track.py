"""Subtitles as a text track of the output, which players can switch on."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
from av.container import OutputContainer
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream

from lipdub.media.stream_copy import MuxQueue
from lipdub.timeline.time import Span

Captions = Sequence[tuple[Span, str]]
"""When each caption is shown (clip time) and its text (lines separated by a newline); sorted, disjoint."""

_CODECS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_MILLISECOND = Fraction(1, 1000)

_HEADER = b"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""Header that FFmpeg's text encoders need before they open: SubStation Alpha with its default style."""


def add_caption_track(
    out: OutputContainer, container: str, captions: Captions, language: str | None
) -> tuple[MuxQueue, str]:
    """Add a text track with ``captions``, to the millisecond. Returns its packets and its codec.

    ``language`` is an ISO 639-2 code. The track is not marked as default.
    """
    codec = _CODECS[container]
    stream = out.add_stream(codec)
    assert isinstance(stream, SubtitleStream)
    stream.time_base = _MILLISECOND
    stream.codec_context.subtitle_header = _HEADER
    stream.disposition = Disposition(0)
    if language:
        stream.metadata["language"] = language

    def packets() -> Iterator[av.Packet]:
        for span, text in captions:
            start, end = round(span.start / _MILLISECOND), round(span.end / _MILLISECOND)
            if start < 0 or end <= start:
                continue
            coded = text.encode()
            packet = av.Packet(len(coded).to_bytes(2, "big") + coded if codec == "mov_text" else coded)
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = end - start, _MILLISECOND, stream
            yield packet

    return MuxQueue(packets()), codec
