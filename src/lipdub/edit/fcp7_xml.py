"""A cut as Final Cut Pro 7 XML (``xmeml`` version 4), which Premiere and Resolve open, too.

Written here: OpenTimelineIO's adapter formats and parses its text twice, leaves out tracks that are disabled and the
size of the picture, and counts a clip's markers from timecode 0. What it writes and reads is compared with these files
in the tests.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lipdub.edit.cut_list import CutList, EditMedia
from lipdub.edit.marks import clip_names, line_marks
from lipdub.edit.timecode import Timecode, counted_rate, timecode_text

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have."""


def write_fcp7(cut: CutList, path: Path) -> None:
    """Write ``cut``: V1, the dub as A1, the source's sound and the stems as disabled tracks. Lines are markers of the
    sequence."""
    root = Element("xmeml", version="4")
    project = SubElement(root, "project")
    _texts(project, name=cut.title)
    SubElement(project, "children").append(_Sequence(cut).made())
    indent(root, " ")
    text = tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{text}\n', "utf-8")


@dataclass(frozen=True, slots=True)
class _File:
    """A file as the sequence names it; what is used of it begins at its frame ``begin``."""

    name: str
    media: EditMedia
    begin: int = 0
    picture: bool = True


class _Sequence:
    """Makes the sequence of one cut. A file is described where it is first used, and named by its id after that."""

    def __init__(self, cut: CutList) -> None:
        self._cut, self._clips = cut, 0
        self._files: dict[str, str] = {}

    def made(self) -> Element:
        """The element ``sequence``."""
        cut = self._cut
        made = Element("sequence", id="sequence-1")
        _texts(made, name=cut.title, duration=cut.frames)
        made.append(_rate(cut.rate))
        media = SubElement(made, "media")
        picture, sound = SubElement(media, "video"), SubElement(media, "audio")
        picture.append(self._format())
        self._picture(SubElement(picture, "track"))
        self._sounds(sound)
        for mark in line_marks(cut):
            marker = SubElement(made, "marker")
            comment = f"{mark.line.verdict}: {mark.line.text}"
            _texts(marker, comment=comment, name=mark.name, **{"in": mark.first, "out": mark.first + mark.length})
        made.append(_timecode(cut.source.start, cut.rate))
        return made

    def _format(self) -> Element:
        """The element ``format``; empty if the size of the picture is not known."""
        made = Element("format")
        if self._cut.size is not None:
            told = SubElement(made, "samplecharacteristics")
            told.append(_rate(self._cut.rate))
            width, height = self._cut.size
            _texts(told, width=width, height=height, pixelaspectratio="square")
        return made

    def _picture(self, track: Element) -> None:
        cut = self._cut
        source, film = _File("source", cut.source), _File("dub", cut.film)
        for clip, name in zip(cut.clips, clip_names(cut), strict=True):
            self._clip(track, name, film if clip.dubbed else source, (clip.first, clip.stop, clip.first))

    def _sounds(self, sound: Element) -> None:
        cut = self._cut
        self._sound(sound, f"dub {cut.language}".strip(), _File("dub", cut.film))
        if cut.source.has_sound:
            self._sound(sound, "source sound", _File("source", cut.source), heard=False)
        begin = max(0, round(cut.sound_offset * cut.rate))
        for name, path in cut.stems:
            drop = cut.source.start.drop
            stem = _File(name, EditMedia(path, begin + cut.frames, Timecode(0, drop)), begin, picture=False)
            self._sound(sound, name, stem, heard=False)

    def _sound(self, sound: Element, name: str, file: _File, heard: bool = True) -> None:
        """A track with all of ``file`` that the timeline has frames for."""
        track = SubElement(sound, "track")
        self._clip(track, name, file, (0, min(self._cut.frames, file.media.frames - file.begin), file.begin))
        if not heard:
            _texts(track, enabled="FALSE")

    def _clip(self, track: Element, name: str, file: _File, place: tuple[int, int, int]) -> None:
        """A clip. ``place`` is its first frame and its end in the timeline, and its first frame in the file."""
        first, stop, begin = place
        self._clips += 1
        made = SubElement(track, "clipitem", frameBlend="FALSE", id=f"clipitem-{self._clips}")
        made.append(self._file(file))
        _texts(made, name=name)
        made.append(_rate(self._cut.rate))
        _texts(made, duration=stop - first, start=first, end=stop, **{"in": begin, "out": begin + stop - first})

    def _file(self, file: _File) -> Element:
        url = file.media.path.absolute().as_uri()
        if url in self._files:
            return Element("file", id=self._files[url])
        self._files[url] = f"file-{len(self._files) + 1}"
        made = Element("file", id=self._files[url])
        _texts(made, pathurl=url, name=file.name)
        made.append(_rate(self._cut.rate))
        _texts(made, duration=file.media.frames)
        made.append(_timecode(file.media.start, self._cut.rate))
        media = SubElement(made, "media")
        if file.picture:
            SubElement(media, "video")
        if file.media.has_sound:
            SubElement(media, "audio")
        return made


def _rate(rate: Fraction) -> Element:
    made = Element("rate")
    _texts(made, timebase=counted_rate(rate), ntsc="FALSE" if rate.denominator == 1 else "TRUE")
    return made


def _timecode(start: Timecode, rate: Fraction) -> Element:
    made = Element("timecode")
    made.append(_rate(rate))
    text = timecode_text(start.frames, rate, start.drop)
    _texts(made, string=text, frame=start.frames, displayformat="DF" if start.drop else "NDF")
    return made


def _texts(parent: Element, **texts: str | int) -> None:
    """Add an element for each of ``texts``. Characters that XML does not have become U+FFFD."""
    for name, text in texts.items():
        SubElement(parent, name).text = _NO_XML.sub("\ufffd", text) if isinstance(text, str) else str(text)
