"""Encoding sound in pieces, so that every packet depends only on samples nearby.

The encoders of AAC and Opus carry a state from packet to packet: a change of one word would change all packets after
it. Here each piece of a few seconds has an encoder of its own. It begins some packets early, and these are dropped
(pre-roll), so that its state has settled where its packets are used. RFC 7845, 4.6, asks for 80 ms of pre-roll for
Opus. AAC packets overlap by half (MDCT): aliasing cancels if the windows of neighbours fit (ISO/IEC 14496-3, 4.6.11).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext

PIECED_CODECS = ("aac", "libopus")
"""Encoders with a state, whose sound is encoded in pieces."""

_PIECE = Fraction(4)
"""Seconds of a piece."""

_PRE_ROLL = 32
"""Packets of a piece that are encoded and dropped. Noise in the twelve packets around joints was compared with that of
sound encoded at once. With 2, AAC is 5 dB noisier and Opus 14 dB. With 8, Opus is equal; AAC is up to 3 dB noisier at
low bit rates, because its rate control settles slowly. With 32, speech at 192 kbit/s (mono) differs by 0.4 dB at
most."""

_SEARCH = 8
"""Packets after a piece's end among which two fitting windows are looked for."""

_SINGLE, _PAIR = 0, 1
"""Ids of the syntax elements of AAC that hold one channel, and two (ISO/IEC 14496-3, table 4.85)."""


def encode_in_pieces(
    frames: Iterable[av.AudioFrame], new_encoder: Callable[[], AudioCodecContext]
) -> Iterator[av.Packet]:
    """The packets of ``frames``, which all have the size that the encoder takes (the last may be shorter) and follow
    each other directly. Borders of pieces lie at fixed numbers of packets."""
    current, following = _Run(new_encoder()), None
    size = current.encoder.frame_size
    piece = max(2 * _PRE_ROLL, round(_PIECE * current.encoder.sample_rate / size))
    border, first = piece, None
    for number, frame in enumerate(frames):
        if number == border - _PRE_ROLL:
            following = _Run(new_encoder())
        if following is not None:
            following.feed(frame)
        current.feed(frame)
        while current.waiting:
            packet = current.waiting.popleft()
            yield packet
            at = packet.pts or 0
            first = at if first is None else first
            late = (at - first) // size + 1 - border
            if following is not None and late >= 0:
                same = following.packet_at(at)
                if late == _SEARCH or _fit(packet, same, current.encoder.name):
                    current, following, border = following, None, border + piece
    current.feed(None)
    yield from current.waiting


class _Run:
    """One encoder, and its packets that are not used yet."""

    def __init__(self, encoder: AudioCodecContext) -> None:
        self.encoder = encoder
        self.waiting: deque[av.Packet] = deque()

    def feed(self, frame: av.AudioFrame | None) -> None:
        """Encode a frame; None: the last packets."""
        self.waiting.extend(self.encoder.encode(frame))

    def packet_at(self, pts: int) -> av.Packet | None:
        """The packet with this time; it and all before it are dropped."""
        found = None
        while self.waiting and (self.waiting[0].pts or 0) <= pts:
            found = self.waiting.popleft()
        return found


def _fit(packet: av.Packet, same: av.Packet | None, encoder: str) -> bool:
    """True if the packet after ``same`` may follow ``packet``; both hold the same samples."""
    if same is None or encoder != "aac":
        return same is not None
    windows = aac_window(bytes(packet))
    return windows is not None and windows == aac_window(bytes(same))


def aac_window(packet: bytes) -> tuple[int, int, int] | None:
    """(Element, window sequence, window shape) of the first channel or pair of channels of an AAC packet
    (ISO/IEC 14496-3, 4.4.2.1 and 4.4.2.2); None if the pair has two windows, or something else comes first."""
    head = int.from_bytes(packet[:4].ljust(4, b"\x00"), "big")

    def bits(first: int, count: int) -> int:
        return head >> (32 - first - count) & ((1 << count) - 1)

    element = bits(0, 3)
    if element == _SINGLE:  # element 3, tag 4, global gain 8, reserved 1
        return element, bits(16, 2), bits(18, 1)
    if element == _PAIR and bits(7, 1):  # element 3, tag 4, common window 1, reserved 1
        return element, bits(9, 2), bits(11, 1)
    return None
