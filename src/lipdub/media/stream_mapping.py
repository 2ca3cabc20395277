"""What becomes of every stream of the source in the new file, decided before the work and checked after it.

One table, ``RULES``, is asked in its order; the first rule that knows a stream decides. What encoders cannot carry
inside the picture stands in ``sidedata.KINDS``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import AttachmentStream, Discard, Disposition, Stream

from lipdub.media.languages import same_container_language
from lipdub.media.stream_copy import codec_name, copy_refusal

MOV_FAMILY = ("mp4", "mov")
PLAYED_TYPES = ("video", "audio", "subtitle")

_KEPT_DISPOSITIONS = Disposition(
    Disposition.dub | Disposition.original | Disposition.comment | Disposition.lyrics | Disposition.karaoke
    | Disposition.forced | Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.clean_effects
    | Disposition.captions | Disposition.descriptions
)  # fmt: skip
"""Marks of a stream that matter to who watches; 'default' is ours to give."""


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """What becomes of a stream. ``how``: ``copied`` (its packets), ``attached`` (a cover as attached file), ``made``
    (the container writes it anew), ``dropped``, or ``picture`` (the one that is dubbed). ``why`` is for the report."""

    action: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MappingContext:
    """What rules look at: the source, the number of its dubbed picture stream among all streams, the new container,
    and whether there is a dub track and the source's sound is kept beside it."""

    source: InputContainer
    picture: int
    container: str
    has_dub: bool
    keep_source_sound: bool


def _picture(stream: Stream, now: MappingContext) -> StreamMapping | None:
    return StreamMapping("picture") if stream.index == now.picture else None


def _replaced_sound(stream: Stream, now: MappingContext) -> StreamMapping | None:
    if stream.type == "audio" and now.has_dub and not now.keep_source_sound:
        return StreamMapping("dropped", "the dub track takes its place")
    return None


def _chapter_track(stream: Stream, now: MappingContext) -> StreamMapping | None:
    """QuickTime keeps chapters in a track of its own; FFmpeg reads it at once and marks it as not to be read again."""
    if stream.type == "data" and stream.discard == Discard.all and now.source.chapters():
        return StreamMapping("made", f"{len(now.source.chapters())} chapters")
    return None


def _timecode_track(stream: Stream, now: MappingContext) -> StreamMapping | None:
    if stream.type != "data" or "timecode" not in stream.metadata:
        return None
    code = stream.metadata["timecode"]
    return StreamMapping("made", f"timecode {code}" if now.container in MOV_FAMILY else f"timecode {code}, as a tag")


def _cover(stream: Stream, now: MappingContext) -> StreamMapping | None:
    if not stream.disposition & Disposition.attached_pic:
        return None
    if now.container == "matroska":
        return StreamMapping("attached", "cover picture")
    if now.container == "mp4" and copy_refusal("mp4", stream) is None:
        return StreamMapping("copied", "cover picture")
    return StreamMapping("dropped", f"{now.container} holds no cover picture")


def _attachment(stream: Stream, now: MappingContext) -> StreamMapping | None:
    if not isinstance(stream, AttachmentStream):
        return None
    if now.container == "matroska":
        return StreamMapping("copied", stream.name or "")
    return StreamMapping("dropped", f"{now.container} holds no attached files ({stream.name or 'without a name'})")


def _any(stream: Stream, now: MappingContext) -> StreamMapping | None:
    refusal = copy_refusal(now.container, stream)
    if refusal is None:
        return StreamMapping("copied")
    return StreamMapping("dropped", f"data ({codec_name(stream)}): {refusal}" if stream.type == "data" else refusal)


RULES: tuple[Callable[[Stream, MappingContext], StreamMapping | None], ...] = (
    _picture, _replaced_sound, _chapter_track, _timecode_track, _cover, _attachment, _any,
)  # fmt: skip
"""Asked in this order for every stream of the source."""


def map_streams(now: MappingContext) -> list[tuple[Stream, StreamMapping]]:
    """What becomes of every stream of the source, in its order."""
    return [(stream, next(fate for rule in RULES if (fate := rule(stream, now)))) for stream in now.source.streams]


def stream_name(stream: Stream) -> str:
    """How a stream of the source is called in reports: ``"stream 2 (subtitle)"``."""
    return f"stream {stream.index} ({stream.type})"


@dataclass
class StreamReport:
    """What is reported: names of what was ``copied``, ``encoded`` and ``dropped``, each with a reason, and
    ``warnings``."""

    copied: list[str] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, stream: Stream, fate: StreamMapping) -> None:
        """Note what becomes of a stream."""
        name = f"{stream_name(stream)}: {fate.reason}" if fate.reason else stream_name(stream)
        match fate.action:
            case "copied" | "attached" | "made":
                self.copied.append(name)
            case "dropped":
                self.dropped.append(name)


@dataclass(frozen=True, slots=True)
class CopiedStream:
    """A stream that was copied: its ``name`` in reports, and what it said of itself."""

    name: str
    index: int
    language: str | None
    title: str | None
    dispositions: Disposition

    @classmethod
    def of(cls, template: Stream, copy: Stream) -> "CopiedStream":
        """What has to be found again of ``template`` in its ``copy``."""
        title = template.metadata.get("title", template.metadata.get("TITLE"))
        return cls(
            stream_name(template),
            copy.index,
            template.language,
            title,
            Disposition(template.disposition & _KEPT_DISPOSITIONS),
        )


def missing_in_output(
    written: Path, made: Sequence[int], copies: Iterable[CopiedStream], metadata: Mapping[str, str]
) -> list[str]:
    """What a complete file does not say of itself and its copied streams though it should, a sentence each.

    ``made`` are the indices that its streams of the kinds ``PLAYED_TYPES``, covers left out, had when it was written;
    ``metadata`` is what it was told about the whole file.
    """
    lost = []
    with av.open(str(written), "r", metadata_errors="surrogateescape") as file:
        there = [s for s in file.streams if s.type in PLAYED_TYPES and not is_cover(s)]
        if len(there) != len(made):
            lost.append(f"the file should hold {len(made)} streams and holds {len(there)}")
        keys = {key.lower() for key in file.metadata}
        gone = [key for key in metadata if key.lower() not in keys and metadata[key]]
        if gone:
            lost.append(f"metadata that this kind of file does not hold: {', '.join(sorted(gone))}")
        found = dict(zip(made, there, strict=False))
        for copy in copies:
            if copy.index in found:
                lost += [f"{copy.name}: {what}" for what in _differences(copy, found[copy.index])]
    return lost


def is_cover(stream: Stream) -> bool:
    """True for a cover picture."""
    return bool(stream.disposition & Disposition.attached_pic)


def _differences(copy: CopiedStream, there: Stream) -> Iterable[str]:
    if copy.language not in (None, "und") and not same_container_language(copy.language, there.language):
        yield f"its language '{copy.language}' is '{there.language or 'not told'}' now"
    if copy.title and copy.title != there.metadata.get("title", there.metadata.get("TITLE")):
        yield f"its title '{copy.title}' could not be kept"
    lost = Disposition(copy.dispositions & ~there.disposition)
    if lost:
        words = ", ".join(str(mark.name).replace("_", " ") for mark in lost)
        yield f"it is no longer marked as: {words}"
