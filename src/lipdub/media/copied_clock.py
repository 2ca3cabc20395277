"""Copied streams and chapters of a clip whose picture is slowed or cut: they get its clock, and end where it ends."""

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
    source's stream. With one that is slowed, all times are stretched by the same factor.
    """

    clip: Clip
    left_out: dict[int, int] = field(default_factory=dict)

    @property
    def end(self) -> Fraction | None:
        """Where copied streams end, in seconds of the source; None if they keep their own end."""
        filmed = self.clip.filmed
        shorter = filmed is not None and len(self.clip) < len(filmed.times)
        return self.clip.span.end if shorter else None

    def instant(self, at: Fraction) -> Fraction:
        """When what is at ``at`` (s) in the source is in the clip."""
        start = self.clip.start
        return at if self.clip.slower == 1 else start + (at - start) * self.clip.slower

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
            if self.clip.slower != 1 and packet.pts is not None:
                begin, stop = (self._units(at, base) for at in (packet.pts, packet.pts + (packet.duration or 0)))
                packet.pts = packet.dts = begin  # subtitles are the only streams that are slowed
                packet.duration = stop - begin
            yield packet

    def _units(self, at: int, base: Fraction) -> int:
        return round(self.instant(at * base) / base)

    def chapters(self, chapters: Iterable[Any]) -> list[Any]:
        """Chapters as PyAV gives them, on the clip's clock; without those that begin after its end."""
        out, stop = [], self.end
        for chapter in chapters:
            base = Fraction(chapter["time_base"])
            begin, end = chapter["start"] * base, chapter["end"] * base
            if stop is not None and begin >= stop:
                continue
            end = end if stop is None else min(end, stop)
            changed = {"start": round(self.instant(begin) / base), "end": round(self.instant(end) / base)}
            out.append({**chapter, **changed})
        return out
