"""How a cut becomes each kind of file: what OpenTimelineIO's adapters need to be given, and what is added to what they
write."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from lipdub.edit.cut_list import CutList
from lipdub.edit.otio_timeline import otio_timeline
from lipdub.edit.timecode import counted_rate, day_frames
from lipdub.errors import OptionError

_REEL = 8
"""Characters of a reel name in an edit list."""


def write_otio(cut: CutList, path: Path) -> None:
    """OpenTimelineIO's own file, with everything."""
    path.write_text(otio_timeline(cut).to_json_string() + "\n", "utf-8")


def _without_takes(cut: CutList) -> CutList:
    """The cut without what only OpenTimelineIO's own file holds."""
    return replace(cut, lines=tuple(replace(line, takes=()) for line in cut.lines))


def write_edl(cut: CutList, path: Path) -> None:
    """A CMX 3600 list of V1, with record timecodes equal to those of the source.

    Timecodes that drop no frames count at the whole rate: at 29.97 the adapter would drop frames. Clips are named after
    their files, by which programs find them. Raises ``OptionError`` if a timecode would be that of another day.
    """
    if cut.source.start.frames + cut.frames >= day_frames(cut.rate, cut.source.start.drop):
        what = "its timecodes would reach midnight, where an EDL counts from 0 again"
        raise OptionError(what, file=path, remedy="Write .otio instead")
    whole = otio_timeline(_without_takes(cut))
    assert whole.global_start_time is not None
    drop, start = cut.source.start.drop, cut.source.start.frames
    rate = whole.global_start_time.rate if drop else float(counted_rate(cut.rate))
    track, reels = whole.video_tracks()[0].deepcopy(), _reels(cut)
    if start:
        track.insert(0, otio.schema.Gap(source_range=TimeRange(RationalTime(0, rate), RationalTime(start, rate))))
    for clip in track.find_clips():
        kind = clip.media_reference.name
        comments = [f"LINE {clip.name}"] if clip.metadata["lipdub"]["lines"] else []
        clip.metadata["cmx_3600"] = {"reel": reels[kind], "comments": comments}
        clip.name = (cut.film if kind == "dub" else cut.source).path.name
        clip.source_range = _counted_at(clip.source_range, rate)
        for marker in clip.markers:
            marker.marked_range = _counted_at(marker.marked_range, rate)
            marker.name = f"{' '.join(marker.name.split())} ({marker.comment})"
    made = otio.schema.Timeline(cut.title)
    made.tracks.append(track)
    text = otio.adapters.write_to_string(made, "cmx_3600", rate=rate, reelname_len=None)
    title, _, events = text.partition("\n")
    path.write_text(f"{title}\nFCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}\n{events}", "utf-8")


def _counted_at(span: TimeRange, rate: float) -> TimeRange:
    """The same frame numbers at another rate."""
    return TimeRange(RationalTime(span.start_time.value, rate), RationalTime(span.duration.value, rate))


def _reels(cut: CutList) -> dict[str, str]:
    """Reel names of source and dub: up to eight letters and digits, never the same."""
    source, film = (re.sub("[^A-Z0-9]", "", media.path.stem.upper())[:_REEL] for media in (cut.source, cut.film))
    source = source or "SOURCE"
    return {"source": source, "dub": film if film and film != source else f"{source[: _REEL - 3]}DUB"}


def write_fcp7(cut: CutList, path: Path) -> None:
    """Final Cut Pro 7 XML.

    Lines are markers of the sequence: this kind of file counts a clip's markers from the start of its media, which the
    adapter does not. What the adapter leaves out is added: tracks that are disabled, and the size of the picture.
    """
    made = otio_timeline(_without_takes(cut))
    told = {"timecode": {"displayformat": "DF" if cut.source.start.drop else "NDF"}}
    made.metadata["fcp_xml"] = told
    for clip in made.find_clips():
        clip.media_reference.metadata["fcp_xml"] = told
        for marker in list(clip.markers):
            start = marker.marked_range.start_time - clip.source_range.start_time + clip.range_in_parent().start_time
            moved = marker.deepcopy()
            moved.marked_range = TimeRange(start, marker.marked_range.duration)
            moved.metadata["fcp_xml"] = {"comment": f"{marker.comment}: {marker.metadata['lipdub']['text']}"}
            made.tracks.markers.append(moved)
        clip.markers.clear()
    root = ElementTree.fromstring(otio.adapters.write_to_string(made, "fcp_xml"))
    for track in root.findall(".//sequence/media/audio/track")[1:]:
        ElementTree.SubElement(track, "enabled").text = "FALSE"
    _describe_picture(root, cut)
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{text}\n', "utf-8")


def _describe_picture(root: ElementTree.Element, cut: CutList) -> None:
    """Fill the ``format`` of a Final Cut Pro 7 sequence, which the adapter leaves empty."""
    shape = root.find(".//sequence/media/video/format")
    if shape is None or cut.size is None:
        return
    told = ElementTree.SubElement(shape, "samplecharacteristics")
    rate = ElementTree.SubElement(told, "rate")
    ElementTree.SubElement(rate, "timebase").text = str(counted_rate(cut.rate))
    ElementTree.SubElement(rate, "ntsc").text = "FALSE" if cut.rate.denominator == 1 else "TRUE"
    for name, value in zip(("width", "height"), cut.size, strict=True):
        ElementTree.SubElement(told, name).text = str(value)
    ElementTree.SubElement(told, "pixelaspectratio").text = "square"


def write_aaf(cut: CutList, path: Path) -> None:
    """AAF, with the dub as the only sound: the adapter cannot disable a track.

    Every file is one master clip, with the same id in every AAF of it, so that an editing program links it once.
    """
    made = otio_timeline(_without_takes(cut))
    for track in [track for track in made.tracks if not track.enabled]:
        made.tracks.remove(track)
    for clip in made.find_clips():
        url = clip.media_reference.target_url
        clip.name = unquote(url.rpartition("/")[2])
        clip.metadata["AAF"] = {"MobID": _mob_id(url)}
    otio.adapters.write_to_file(made, str(path), adapter_name="AAF")


def _mob_id(url: str) -> str:
    """A SMPTE ST 330 UMID for the file at ``url``, as AAF writes it: its material number is a UUID of the name."""
    number = uuid5(NAMESPACE_URL, url).hex
    return f"urn:smpte:umid:060a2b34.01010105.01010f00.13000000.{'.'.join(number[k : k + 8] for k in range(0, 32, 8))}"
