"""Decoded sound with its time: damage hides nothing of the clock."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError

from lipdub.media.container import time_base_of
from lipdub.media.sound_clock import interleaved

_COUNTED = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "truehd"})
"""Formats without a clock: their time is the number of packets so far."""


def _ignored() -> None:
    """Nobody counts."""


def timed_frames(
    packets: Iterable[av.Packet], features: AudioStream, failed: Callable[[], None] = _ignored
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Instant on the file's clock (s), frame) of every frame of ``heard`` that can be decoded from its ``packets``.

    What cannot be decoded is left out, and ``failed`` is called for it. In formats without a clock, where damage hides
    several packets in one, what follows is as much later as their bytes would have lasted. Frames of more than seven
    planes come interleaved (see ``interleaved``).
    """
    expected = later = Fraction(0)
    counted = features.container.format.name in _COUNTED
    good = size = 0
    for packet in chain(packets, (None,)):
        try:
            decoded = features.decode(packet)
        except EOFError:
            continue
        except FFmpegError:
            failed()
            if packet is not None and counted and good:
                hidden = max(0, round(packet.size * good / size) - 1)
                later += hidden * (packet.duration or 0) * packet.time_base
            continue
        if packet is not None:
            good, size = good + 1, size + packet.size
        for frame in decoded:
            at = expected if frame.pts is None else later + frame.pts * (frame.time_base or time_base_of(features))
            expected = at + Fraction(frame.samples, frame.sample_rate)
            yield at, interleaved(frame)
