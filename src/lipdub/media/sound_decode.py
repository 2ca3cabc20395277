"""Decoded sound with its time, which stays right across damage."""

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
    """Does nothing."""


def timed_frames(
    packets: Iterable[av.Packet], audio: AudioStream, failed: Callable[[], None] = _ignored
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Time on the file's clock (s), frame) of every frame of ``audio`` that can be decoded from its ``packets``.

    What cannot be decoded is left out, and ``failed`` is called for it. In formats without a clock, damage hides
    several packets in one; the time that follows is shifted by the duration that their bytes would have had. Frames
    with more than seven planes are interleaved (see ``interleaved``).
    """
    expected: tuple[Fraction, int, int] = Fraction(0), 0, 1
    later = Fraction(0)
    counted = audio.container.format.name in _COUNTED
    good = size = 0
    for packet in chain(packets, (None,)):
        try:
            decoded = audio.decode(packet)
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
            if frame.pts is None:
                before, samples, rate = expected
                at = before + Fraction(samples, rate)
            else:
                at = frame.pts * (frame.time_base or time_base_of(audio))
                at = later + at if later else at
            expected = at, frame.samples, frame.sample_rate
            yield at, interleaved(frame)
