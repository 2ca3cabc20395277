"""A cut as AAF (Avid's Media Composer, Resolve, Pro Tools), by pyaaf2.

OpenTimelineIO's adapter looks through what it has made for every clip that it adds, so that a thousand lines take it
some twenty seconds; it writes no markers and no sound that is disabled. What it reads from these files is compared with
the cut in the tests.

The structure is that of the AAF object specification: the composition refers to a master clip for each file, that to
its picture and its sound, and those to a tape that has the timecode embedded in the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import aaf2
from aaf2.misc import LinearInterp
from aaf2.mobid import MobID
from aaf2.rational import AAFRational

from lipdub.edit.cut_list import CutList, EditMedia
from lipdub.edit.marks import line_marks
from lipdub.edit.timecode import Timecode, counted_rate

_PICTURE, _SOUND = "picture", "sound"
_SLOT = {_PICTURE: 1, _SOUND: 2}
"""The slot of picture and of sound, in master clips and tapes."""

_TIMECODE_SLOT, _MARKER_SLOT = 3, 1000

_TRACK = "PhysicalTrackNumber"
"""The number of a track among those of its kind. A timecode is the main one if it has number 1."""

_PAN, _PAN_LEVEL = UUID("9d2ea893-0968-11d3-8a38-0050040ef7d2"), UUID("e4962322-2267-11d3-8a4c-0050040ef7d2")
"""Avid's pan of a mono track, and its parameter."""

_SAMPLE_RATE = 48_000
_LONGEST = 1000
"""Characters of a marker's comment."""

_RGB = {
    "GREEN": (0.0, 1.0, 0.0),
    "CYAN": (0.0, 1.0, 1.0),
    "YELLOW": (1.0, 1.0, 0.0),
    "RED": (1.0, 0.0, 0.0),
    "ORANGE": (1.0, 0.5, 0.0),
    "MAGENTA": (1.0, 0.0, 1.0),
    "WHITE": (1.0, 1.0, 1.0),
}


def write_aaf(cut: CutList, path: Path) -> None:
    """Write ``cut``: V1, the dub as A1, the source's sound as A2, muted, and lines as markers of V1.

    Every file is one master clip, with the same id in every AAF of it, so that an editing program links it once.
    """
    with aaf2.open(str(path), "w") as file:
        composition = _Composition(file, cut)
        file.content.mobs.extend([composition.made(), *composition.media])


@dataclass(frozen=True, slots=True)
class _Clip:
    """Frames ``[first, first + length)`` of a master clip."""

    master: MobID
    first: int
    length: int


class _Pattern:
    """Makes copies of an object that differ in some properties: to make each anew takes four times as long."""

    def __init__(self, made: Any, names: Sequence[str]) -> None:
        self._made, self._ids = made, [made[name].pid for name in names]

    def copy(self, *values: Any) -> Any:
        """A copy with other ``values`` of those properties."""
        made = self._made.copy()
        for id_, value in zip(self._ids, values, strict=True):
            made.property_entries[id_].value = value
        return made


class _Composition:
    """Makes the objects of one file.

    What an object holds is made before the object is put into the file: adding to one that is in it already looks at
    everything that it holds.
    """

    def __init__(self, file: Any, cut: CutList) -> None:
        self._file, self._new, self._cut = file, file.create, cut
        self._rate = str(cut.rate)
        self.media: list[Any] = []
        """What the composition refers to."""

    def made(self) -> Any:
        """The composition."""
        cut = self._cut
        sounds = [cut.film, *([cut.source] if cut.source.has_sound else ())]
        masters = {media: self._master(media, media in sounds) for media in (cut.film, cut.source)}
        shown = [(masters[cut.film if clip.dubbed else cut.source], clip.first, clip.stop) for clip in cut.clips]
        clips = [_Clip(master, first, stop - first) for master, first, stop in shown]
        slots = [self._track(1, "V1", 1, self._sequence(_PICTURE, self._clips(_PICTURE, clips)))]
        for number, media in enumerate(sounds, 1):
            whole = _Clip(masters[media], 0, min(cut.frames, media.frames))
            clip = self._clips(_SOUND, [whole])[0]
            heard = clip if media is cut.film else self._muted(clip)
            slots.append(self._track(1 + number, f"A{number}", number, self._panned(heard)))
        slots.append(self._track(len(slots) + 1, "TC", 1, self._timecode(cut.source.start, cut.frames)))
        if cut.lines:
            slots.append(self._markers())
        made = self._new.CompositionMob(cut.title)
        made.usage = "Usage_TopLevel"
        made["Slots"].value = slots
        return made

    def _track(self, slot: int, name: str, number: int, segment: Any) -> Any:
        """A track; those of files have no number (0)."""
        made = self._new.TimelineMobSlot(slot, name, segment, edit_rate=self._rate)
        if number:
            made[_TRACK].value = number
        return made

    def _clips(self, kind: str, clips: Sequence[_Clip]) -> list[Any]:
        """Objects for clips of picture or sound."""
        patterns: dict[int, _Pattern] = {}
        for master in {id(clip.master): clip.master for clip in clips}.values():
            made = self._source_clip(kind, (master, _SLOT[kind]), 1)
            patterns[id(master)] = _Pattern(made, ("StartTime", "Length"))
        return [patterns[id(clip.master)].copy(clip.first, clip.length) for clip in clips]

    def _source_clip(self, kind: str, of: tuple[MobID | None, int], length: int) -> Any:
        """A clip of a slot of another object, from its beginning. Clips of nothing end the chain of references."""
        mob, slot = of
        return self._new.SourceClip(start=0, length=length, mob_id=mob, slot_id=slot, media_kind=kind)

    def _sequence(self, kind: str, components: Sequence[Any]) -> Any:
        made = self._new.Sequence(kind, sum(component.length for component in components))
        made.components.value = components
        return made

    def _muted(self, clip: Any) -> Any:
        """A clip as Media Composer keeps one that is muted: nothing is selected, and the clip is the alternative."""
        made = self._new.Selector(_SOUND, clip.length)
        made["Selected"].value = self._new.Filler(_SOUND, clip.length)
        made["Alternates"].value = [clip]
        return made

    def _timecode(self, start: Timecode, frames: int) -> Any:
        made = self._new.Timecode(counted_rate(self._cut.rate), start.drop, frames)
        made.start = start.frames
        return made

    def _master(self, media: EditMedia, sound: bool) -> MobID:
        """The id of the master clip of a file, which is made with all that it refers to."""
        url = media.path.absolute().as_uri()
        kinds = [_PICTURE, *([_SOUND] if sound else ())]
        tape = [(kind, self._source_clip(kind, (None, 0), media.frames)) for kind in kinds]
        tape_id = self._mob("SourceMob", f"{url}#tape", media, tape)
        timecode = self._track(_TIMECODE_SLOT, "", 1, self._timecode(media.start, media.frames))
        self.media[-1]["Slots"].append(timecode)
        self.media[-1].descriptor = self._placed(self._new.TapeDescriptor(), url)
        parts = []
        for kind in kinds:
            on_tape = self._source_clip(kind, (tape_id, _SLOT[kind]), media.frames)
            part = self._mob("SourceMob", f"{url}#{kind}", media, [(kind, on_tape)])
            self.media[-1].descriptor = self._described(kind, media, url)
            parts.append((kind, self._source_clip(kind, (part, _SLOT[kind]), media.frames)))
        return self._mob("MasterMob", url, media, parts)

    def _mob(self, name: str, url: str, media: EditMedia, segments: Iterable[tuple[str, Any]]) -> MobID:
        made = getattr(self._new, name)(media.path.name)
        made.mob_id = MobID(mob_urn(url))
        made["Slots"].value = [self._track(_SLOT[kind], "", 0, segment) for kind, segment in segments]
        self.media.append(made)
        return made.mob_id

    def _described(self, kind: str, media: EditMedia, url: str) -> Any:
        """What a file holds and where it is. The sound is stated as 48 kHz, mono, 16 bits: programs look into the file
        when they link it."""
        told = _sound_facts(media, self._cut.rate) if kind == _SOUND else _picture_facts(media, self._cut)
        made = self._new.PCMDescriptor() if kind == _SOUND else self._new.CDCIDescriptor()
        for name, value in told.items():
            made[name].value = value
        return self._placed(made, url)

    def _placed(self, descriptor: Any, url: str) -> Any:
        """A descriptor that says where the file is."""
        place = self._new.NetworkLocator()
        place["URLString"].value = url
        descriptor["Locator"].value = [place]
        return descriptor

    def _panned(self, clip: Any) -> Any:
        """A track of one clip in the middle, not left or right."""
        registered, length = self._file.dictionary, clip.length
        level = self._new.ParameterDef(_PAN_LEVEL, "Pan", "Pan", registered.lookup_typedef("Rational"))
        linear = self._new.InterpolationDef(LinearInterp, "LinearInterp", "LinearInterp")
        pan = self._new.OperationDef(_PAN, "Audio Pan")
        pan.media_kind = _SOUND
        pan["NumberInputs"].value = 1
        for definition in (level, linear, pan):
            registered.register_def(definition)
        curve = self._new.VaryingValue()
        curve.parameterdef = level
        curve["Interpolation"].value = linear
        curve["PointList"].value = [self._point(at, length) for at in (0, length - 1)]
        made = self._new.OperationGroup(pan, length)
        made.media_kind = _SOUND
        made.parameters.append(curve)
        made.segments.value = [self._sequence(_SOUND, [clip])]
        return made

    def _point(self, at: int, length: int) -> Any:
        made = self._new.ControlPoint()
        made["Time"].value = AAFRational(at, length)
        made["Value"].value = AAFRational(1, 2)
        made["ControlPointSource"].value = 2
        return made

    def _markers(self) -> Any:
        """The lines as markers of V1. They have no length: Media Composer does not show longer ones in a timeline."""
        made = self._new.DescriptiveMarker()
        made["DescribedSlots"].value = {1}
        made["CommentMarkerUser"].value = "lipdub"
        made["Position"].value, made["Comment"].value, made["CommentMarkerColor"].value = 0, "", _rgb("WHITE")
        del made["Length"]
        pattern = _Pattern(made, ("Position", "Comment", "CommentMarkerColor"))
        components = [
            pattern.copy(mark.first, f"{mark.name} ({mark.line.verdict})"[:_LONGEST], _rgb(mark.colour))
            for mark in line_marks(self._cut)
        ]
        sequence = self._new.Sequence("DescriptiveMetadata", self._cut.frames)
        sequence.components.value = components
        made = self._new.EventMobSlot(_MARKER_SLOT, "", sequence)
        made.edit_rate = self._rate
        made[_TRACK].value = 1
        return made


def _rgb(colour: str) -> dict[str, int]:
    """A colour as 16-bit numbers."""
    return dict(zip(("red", "green", "blue"), (round(65535 * part) for part in _RGB[colour]), strict=True))


def _picture_facts(media: EditMedia, cut: CutList) -> dict[str, Any]:
    width, height = cut.size or (1920, 1080)
    return {
        "ComponentWidth": 8,
        "HorizontalSubsampling": 2,
        "ImageAspectRatio": f"{width}/{height}",
        "StoredWidth": width,
        "StoredHeight": height,
        "FrameLayout": "FullFrame",
        "VideoLineMap": [42, 0],
        "SampleRate": str(cut.rate),
        "Length": media.frames,
    }


def _sound_facts(media: EditMedia, rate: Fraction) -> dict[str, Any]:
    return {
        "AverageBPS": 2 * _SAMPLE_RATE,
        "BlockAlign": 2,
        "QuantizationBits": 16,
        "AudioSamplingRate": _SAMPLE_RATE,
        "Channels": 1,
        "SampleRate": _SAMPLE_RATE,
        "Length": round(media.frames / rate * _SAMPLE_RATE),
    }


def mob_urn(url: str) -> str:
    """A SMPTE ST 330 UMID for what is at ``url``, as AAF writes it: its material number is a UUID of the name."""
    number = uuid5(NAMESPACE_URL, url).hex
    return f"urn:smpte:umid:060a2b34.01010105.01010f00.13000000.{'.'.join(number[k : k + 8] for k in range(0, 32, 8))}"
