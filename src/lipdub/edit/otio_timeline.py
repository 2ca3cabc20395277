"""A cut as a timeline of OpenTimelineIO.

V1 shows the source where it is untouched and the film where a mouth is changed; the other picture and the takes of the
line are alternate media of the clip. A1 is the dub, A2 the source's own sound and further tracks the stems, both
disabled. Every line is a marker on the clip in which it begins, with its verdict as colour.

OpenTimelineIO keeps a rate as one float: it is always numerator by denominator, never 23.976, and the exact numbers are
in the metadata.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from lipdub.edit.cut_list import CutClip, CutList, EditLine, EditMedia, EditTake
from lipdub.edit.marks import Mark, clip_names, line_marks
from lipdub.edit.timecode import timecode_text

VERSION = 1
"""Version of the metadata under the key ``lipdub``."""

ACTIVE = "DEFAULT_MEDIA"
"""The key of the media that a clip shows; other programs know no other."""


def write_otio(cut: CutList, path: Path) -> None:
    """Write OpenTimelineIO's own file, which holds everything."""
    path.write_text(otio_timeline(cut).to_json_string() + "\n", "utf-8")


def otio_timeline(cut: CutList) -> otio.schema.Timeline:
    """``cut`` as a timeline that begins at the source's timecode."""
    return _Builder(cut).timeline()


class _Builder:
    """Makes the parts of one timeline."""

    def __init__(self, cut: CutList) -> None:
        self._cut, self._rate = cut, cut.rate.numerator / cut.rate.denominator
        self._lines = {line.id: line for line in cut.lines}

    def timeline(self) -> otio.schema.Timeline:
        cut = self._cut
        made = otio.schema.Timeline(cut.title, global_start_time=self._time(cut.source.start.frames))
        made.metadata["lipdub"] = {
            "version": VERSION,
            "language": cut.language,
            "rate": [cut.rate.numerator, cut.rate.denominator],
            "variable_rate": cut.variable,
            "start": timecode_text(cut.source.start.frames, cut.rate, cut.source.start.drop),
            "drop_frame": cut.source.start.drop,
            **cut.facts,
        }
        made.tracks.append(self._picture())
        made.tracks.extend(self._sounds())
        return made

    def _picture(self) -> otio.schema.Track:
        track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
        named = zip(self._cut.clips, clip_names(self._cut), strict=True)
        clips = [self._clip(clip, name) for clip, name in named]
        for mark in line_marks(self._cut):
            clips[mark.clip].markers.append(self._marker(mark))
        track.extend(clips)
        return track

    def _clip(self, clip: CutClip, name: str) -> otio.schema.Clip:
        shown = self._cut.film if clip.dubbed else self._cut.source
        inside = self._range(shown.start.frames + clip.first, clip.stop - clip.first)
        made = otio.schema.Clip(name, source_range=inside)
        media = {ACTIVE: self._media(shown, "dub" if clip.dubbed else "source")}
        if clip.dubbed:
            if clip.stop <= self._cut.source.frames:
                media["source"] = self._media(self._cut.source, "source")
            for line in (self._lines[id_] for id_ in clip.lines if id_ in self._lines):
                for take in line.takes:
                    media[f"line {line.id} take {take.number}"] = self._take(line, take)
        made.set_media_references(media, ACTIVE)
        made.metadata["lipdub"] = {"dubbed": clip.dubbed, "lines": [id_ for id_ in clip.lines if id_]}
        return made

    def _take(self, line: EditLine, take: EditTake) -> otio.core.MediaReference:
        """The film that shows the take, this one or an earlier one. A take that no film shows is media that is missing:
        it is a picture only when a film is made with it."""
        name = f"line {line.id} take {take.number}"
        film = self._cut.film if take.shown else take.film
        made = otio.schema.MissingReference(name) if film is None else self._media(film, name)
        told: dict[str, Any] = {"line": line.id, "take": take.number, "text": take.text, "shown": take.shown}
        if take.folder is not None:
            told["folder"] = take.folder.as_posix()
        made.metadata["lipdub"] = told
        return made

    def _marker(self, mark: Mark) -> otio.schema.Marker:
        line, dubbed = mark.line, self._cut.clips[mark.clip].dubbed
        media = self._cut.film if dubbed else self._cut.source
        made = otio.schema.Marker(
            name=mark.name,
            marked_range=self._range(media.start.frames + mark.first, mark.length),
            color=mark.colour,
            comment=line.verdict,
        )
        made.metadata["lipdub"] = {
            "line": line.id,
            "person": line.person,
            "text": line.text,
            "verdict": line.verdict,
            "take": line.take,
            "first": line.frames.start,
            "stop": line.frames.stop,
            **{name: told for name, told in (("review", line.review), ("note", line.note)) if told},
        }
        return made

    def _sounds(self) -> Iterator[otio.schema.Track]:
        cut = self._cut
        yield self._sound("A1", f"dub {cut.language}".strip(), cut.film, "dub")
        if cut.source.has_sound:
            yield self._sound("A2", "source sound", cut.source, "source", enabled=False)
        begin = max(0, round(cut.sound_offset * cut.rate))
        for number, (name, path) in enumerate(cut.stems, 3):
            yield self._stem(f"A{number}", name, path, begin)

    def _sound(self, track: str, name: str, media: EditMedia, kind: str, enabled: bool = True) -> otio.schema.Track:
        made = otio.schema.Track(track, kind=otio.schema.TrackKind.Audio)
        frames = min(self._cut.frames, media.frames)
        inside = self._range(media.start.frames, frames)
        made.append(otio.schema.Clip(name, self._media(media, kind), inside))
        made.enabled = enabled
        return made

    def _stem(self, track: str, name: str, path: Path, begin: int) -> otio.schema.Track:
        made = otio.schema.Track(track, kind=otio.schema.TrackKind.Audio)
        media = otio.schema.ExternalReference(path.absolute().as_uri(), self._range(0, begin + self._cut.frames))
        media.name = name
        made.append(otio.schema.Clip(name, media, self._range(begin, self._cut.frames)))
        made.enabled = False
        return made

    def _media(self, media: EditMedia, name: str) -> otio.schema.ExternalReference:
        made = otio.schema.ExternalReference(
            media.path.absolute().as_uri(), self._range(media.start.frames, media.frames)
        )
        made.name = name
        return made

    def _time(self, frame: int) -> RationalTime:
        return RationalTime(frame, self._rate)

    def _range(self, first: int, frames: int) -> TimeRange:
        return TimeRange(self._time(first), self._time(frames))
