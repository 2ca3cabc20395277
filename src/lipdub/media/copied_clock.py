"""Copied streams and chapters of a clip whose picture is slowed, paused or cut: they get its clock and end with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from lipdub.timeline.clip import Clip


@dataclass(eq=False)
class CopiedClock:
    """How times of the source become times of ``clip``.

    With a picture that is cut, what begins after its end is left out, and counted in ``left_out`` by the index of the
    source's stream. With one that is slowed, as a whole or in places, or stands still now and then,
    subtitles and chapters are moved to where their pictures are.
    """

    clip: Clip
    left_out: dict[int, int] = field(default_factory=dict)

    @property
    def end(self) -> Fraction | None:
        """Where copied streams end, in seconds of the source; None if they keep their own end."""
        filmed = self.clip.filmed
        shorter = filmed is not None and len(self.clip) < len(filmed.times)
        return self.clip.span.end if shorter else None

    def packets(self, packets: Iterable[av.Packet], source: Mapping[int, int]) -> Iterator[av.Packet]:
        """The ``packets`` of copied streams, on the clip's clock. ``source`` gives the index of the source's stream for
        that of a copy."""
        end = self.end
        for packet in packets:
            base = packet.time_base
            kind = packet.stream.type
            at = packet.dts if kind == "video" or packet.pts is None else packet.pts
            if end is not None and at is not None and at * base >= end:
                index = source[packet.stream_index]
                self.left_out[index] = self.left_out.get(index, 0) + 1
                continue
            if end is not None and kind == "subtitle" and packet.pts is not None and packet.duration:
                packet.duration = min(packet.duration, max(1, int((end - packet.pts * base) / base)))
            if self.clip.retimed and packet.pts is not None:
                stop = (packet.pts + (packet.duration or 0)) * base
                begin = round(self.clip.instant(packet.pts * base) / base)
                packet.pts = packet.dts = begin  # no other streams than subtitles are here
                packet.duration = max(0, round(self.clip.instant(stop, end=True) / base) - begin)
            yield packet

    def chapters(self, chapters: Iterable[Any]) -> list[Any]:
        """Chapters as PyAV gives them, on the clip's clock; without those that begin after its end."""
        out, stop = [], self.end
        for chapter in chapters:
            base = Fraction(chapter["time_base"])
            begin, end = chapter["start"] * base, chapter["end"] * base
            if stop is not None and begin >= stop:
                continue
            end = end if stop is None else min(end, stop)
            changed = {"start": round(self.clip.instant(begin) / base), "end": round(self.clip.instant(end) / base)}
            out.append({**chapter, **changed})
        return out
