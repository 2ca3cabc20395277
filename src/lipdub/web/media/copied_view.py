"""A proxy of a film whose picture browsers play well, but not its container or its sound: the picture is copied."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from lipdub.errors import InputError
from lipdub.media.container import open_input
from lipdub.media.packets import demux
from lipdub.media.probe import open_clip
from lipdub.studio.progress import Listener, silent
from lipdub.timeline.clip import Clip
from lipdub.web.media.playable import playable
from lipdub.web.media.proxy import ProxyClock
from lipdub.web.media.proxy_sound import ProxySound

_STAGE = "proxy"
_MOST_REORDERED = 32
"""Packets before the first one with a decoding time; no codec reorders more."""

_CLOSE = 1e-6
"""Seconds by which time stamps may differ."""


def copy_view(clip: Clip, target: Path, listener: Listener = silent) -> bool:
    """Write the picture of ``clip`` as it is, and its sound as AAC, to ``target`` (mp4). False if the result would not
    be played well, or has other frames or times than the clip; then the file is of no use.

    ``listener`` is told of the frames; an exception that it raises ends the work. Raises ``OSError`` (of FFmpeg) if the
    disk refuses.
    """
    if not _copied(clip, target, listener):
        return False
    try:
        made = open_clip(target)
        return _same_times(clip, made) and made.size == clip.size and not playable(made).why
    except InputError:
        return False


def _copied(clip: Clip, target: Path, listener: Listener) -> bool:
    """False if a packet cannot be copied."""
    clock = ProxyClock.of(clip)
    scales = {"video_track_timescale": str(clock.scale), "movie_timescale": str(clock.scale)}
    options = {"movflags": "+faststart", **scales}
    with open_input(clip.path) as source, av.open(str(target), "w", format="mp4", container_options=options) as out:
        video = source.streams.video[clip.stream]
        copy = out.add_stream_from_template(video)
        copy.time_base = clip.times.time_base
        sound = ProxySound(out, clip) if clip.has_sound else None
        for number, packet in enumerate(_with_decoding_times(demux(source, video)), 1):
            if packet.pts is None or packet.dts is None or packet.is_discard or packet.is_corrupt:
                return False
            shown = packet.pts * packet.time_base
            length = (packet.duration or 0) * packet.time_base
            decoded = packet.dts * packet.time_base
            packet.stream, packet.time_base = copy, Fraction(1, clock.scale)
            packet.pts, packet.dts = clock.at(shown), clock.at(decoded)
            packet.duration = round(length * clock.scale)
            out.mux_one(packet)
            if sound is not None:
                sound.write_until(shown - clip.start)
            if number % 64 == 0:
                listener(_STAGE, min(number, len(clip)), len(clip))
        if sound is not None:
            sound.finish()
    return True


def _with_decoding_times(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """``packets``, of which the first ones get decoding times if they have none: Matroska does not tell them."""
    held: list[av.Packet] = []
    for packet in packets:
        held.append(packet)
        if packet.dts is None and len(held) < _MOST_REORDERED:
            continue
        for number, earlier in enumerate(held[:-1]):
            if packet.dts is not None and earlier.dts is None:
                earlier.dts = packet.dts - (len(held) - 1 - number) * max(1, earlier.duration or 1)
        yield from held
        held = []
    yield from held


def _same_times(clip: Clip, made: Clip) -> bool:
    if len(clip) != len(made) or made.start != 0:
        return False
    ours = (clip.times.instant(index) - clip.start for index in range(len(clip)))
    return all(abs(one - made.times.instant(index)) <= _CLOSE for index, one in enumerate(ours))
