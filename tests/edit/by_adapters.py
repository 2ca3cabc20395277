"""The same cuts as OpenTimelineIO's adapters write them: what lipdub's own writers are compared with.

What the adapters leave out or get wrong is corrected here, each time with a word on it.
"""

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from lipdub.edit.aaf import mob_urn
from lipdub.edit.cut_list import CutList
from lipdub.edit.otio_timeline import otio_timeline
from lipdub.edit.timecode import counted_rate


def without_takes(cut: CutList) -> CutList:
    """The cut without what only OpenTimelineIO's own file holds."""
    return replace(cut, lines=tuple(replace(line, takes=()) for line in cut.lines))


def adapter_edl(cut: CutList, reels: dict[str, str]) -> str:
    """The text of a CMX 3600 list of V1. ``reels`` are the reel names of source and dub: the adapter's are the same for
    both.

    Timecodes that drop no frames count at the whole rate (at 29.97 the adapter always drops frames), record timecodes
    are those of the source, clips are named after their files, and no name has line breaks.
    """
    whole = otio_timeline(without_takes(cut))
    assert whole.global_start_time is not None
    drop, start = cut.source.start.drop, cut.source.start.frames
    rate = whole.global_start_time.rate if drop else float(counted_rate(cut.rate))
    track = whole.video_tracks()[0].deepcopy()
    if start:
        track.insert(0, otio.schema.Gap(source_range=TimeRange(RationalTime(0, rate), RationalTime(start, rate))))
    for clip in track.find_clips():
        kind = clip.media_reference.name
        comments = [f"LINE {' '.join(clip.name.splitlines())}"] if clip.metadata["lipdub"]["lines"] else []
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
    return f"{title}\nFCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}\n{events}"


def _counted_at(span: TimeRange, rate: float) -> TimeRange:
    """The same frame numbers at another rate."""
    return TimeRange(RationalTime(span.start_time.value, rate), RationalTime(span.duration.value, rate))


def adapter_fcp7(cut: CutList) -> ElementTree.Element:
    """The root of Final Cut Pro 7 XML.

    Lines are markers of the sequence: this kind of file counts a clip's markers from the start of its media, which the
    adapter does not. Tracks that are disabled and the size of the picture are added; the second of two equal rates of a
    clip, and the sound of a file that has none, are removed.
    """
    made = otio_timeline(without_takes(cut))
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
    for clip in root.iter("clipitem"):
        clip.remove(clip.findall("rate")[1])
    for file in root.iter("file"):
        sound = file.find("media/audio")
        if file.findtext("name") == "source" and not cut.source.has_sound and sound is not None:
            file.find("media").remove(sound)  # type: ignore[union-attr]
    _describe_picture(root, cut)
    return root


def _describe_picture(root: ElementTree.Element, cut: CutList) -> None:
    """Fill the ``format`` of a Final Cut Pro 7 sequence, which the adapter leaves empty."""
    shape = root.find(".//sequence/media/video/format")
    assert shape is not None
    if cut.size is None:
        return
    told = ElementTree.SubElement(shape, "samplecharacteristics")
    rate = ElementTree.SubElement(told, "rate")
    ElementTree.SubElement(rate, "timebase").text = str(counted_rate(cut.rate))
    ElementTree.SubElement(rate, "ntsc").text = "FALSE" if cut.rate.denominator == 1 else "TRUE"
    for name, value in zip(("width", "height"), cut.size, strict=True):
        ElementTree.SubElement(told, name).text = str(value)
    ElementTree.SubElement(told, "pixelaspectratio").text = "square"


def adapter_aaf(cut: CutList, path: Path) -> None:
    """Write AAF with the dub as the only sound (the adapter cannot disable a track), and one master clip for each file.

    The adapter would write the cut of a file a second time as its marks in and out, and no markers.
    """
    made = otio_timeline(without_takes(cut))
    for track in [track for track in made.tracks if not track.enabled]:
        made.tracks.remove(track)
    for clip in made.find_clips():
        url = clip.media_reference.target_url
        clip.name = unquote(url.rpartition("/")[2])
        clip.metadata["AAF"] = {"MobID": mob_urn(url)}
    otio.adapters.write_to_file(made, str(path), adapter_name="AAF")
