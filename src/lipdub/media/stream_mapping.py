"""What becomes of every stream of the source in the output: decided before it is written, verified afterwards.

``RULES`` are asked in their order; the first rule that applies to a stream decides. Side data inside the picture is
handled by ``side_data.SIDE_DATA_KINDS``.
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
SLOWED = "the picture is slowed and this is not"
"""Why a stream is dropped whose packets would not fit the picture; that is a warning, too."""

PLAYED_TYPES = ("video", "audio", "subtitle")

_KEPT_DISPOSITIONS = Disposition(
    Disposition.dub | Disposition.original | Disposition.comment | Disposition.lyrics | Disposition.karaoke
    | Disposition.forced | Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.clean_effects
    | Disposition.captions | Disposition.descriptions
)  # fmt: skip
"""Dispositions of a stream that matter to viewers; 'default' is set by us."""


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """What becomes of a stream. ``action``: ``copied`` (its packets), ``attached`` (a cover as an attached file),
    ``made`` (the container writes it anew), ``dropped``, or ``picture`` (the one that is dubbed). ``reason`` is for the
    report."""

    action: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MappingContext:
    """What the rules depend on: the source, the index of its dubbed picture stream among all streams, the output's
    container, whether there is a dub track and the source's sound is kept beside it, and whether the picture is
    ``slowed``."""

    source: InputContainer
    picture: int
    container: str
    has_dub: bool
    keep_source_sound: bool
    slowed: bool = False


def _picture(stream: Stream, context: MappingContext) -> StreamMapping | None:
    return StreamMapping("picture") if stream.index == context.picture else None


def _replaced_sound(stream: Stream, context: MappingContext) -> StreamMapping | None:
    if stream.type == "audio" and context.has_dub and not context.keep_source_sound:
        return StreamMapping("dropped", "the dub track takes its place")
    return None


def _chapter_track(stream: Stream, context: MappingContext) -> StreamMapping | None:
    """QuickTime stores chapters in a track of their own. FFmpeg reads it when it opens the file and marks it as
    discarded."""
    if stream.type == "data" and stream.discard == Discard.all and context.source.chapters():
        return StreamMapping("made", f"{len(context.source.chapters())} chapters")
    return None


def _timecode_track(stream: Stream, context: MappingContext) -> StreamMapping | None:
    if stream.type != "data" or "timecode" not in stream.metadata:
        return None
    code = stream.metadata["timecode"]
    return StreamMapping(
        "made", f"timecode {code}" if context.container in MOV_FAMILY else f"timecode {code}, as a tag"
    )


def _cover(stream: Stream, context: MappingContext) -> StreamMapping | None:
    if not stream.disposition & Disposition.attached_pic:
        return None
    if context.container == "matroska":
        return StreamMapping("attached", "cover picture")
    if context.container == "mp4" and copy_refusal("mp4", stream) is None:
        return StreamMapping("copied", "cover picture")
    return StreamMapping("dropped", f"{context.container} holds no cover picture")


def _attachment(stream: Stream, context: MappingContext) -> StreamMapping | None:
    if not isinstance(stream, AttachmentStream):
        return None
    if context.container == "matroska":
        return StreamMapping("copied", stream.name or "")
    return StreamMapping("dropped", f"{context.container} holds no attached files ({stream.name or 'without a name'})")


def _too_fast(stream: Stream, context: MappingContext) -> StreamMapping | None:
    """Sound, other pictures and data cannot be slowed by their time stamps alone; subtitles can."""
    if context.slowed and stream.type != "subtitle":
        return StreamMapping("dropped", SLOWED)
    return None


def _any(stream: Stream, context: MappingContext) -> StreamMapping | None:
    refusal = copy_refusal(context.container, stream)
    if refusal is None:
        return StreamMapping("copied")
    return StreamMapping("dropped", f"data ({codec_name(stream)}): {refusal}" if stream.type == "data" else refusal)


RULES: tuple[Callable[[Stream, MappingContext], StreamMapping | None], ...] = (
    _picture, _replaced_sound, _chapter_track, _timecode_track, _cover, _attachment, _too_fast, _any,
)  # fmt: skip
"""Asked in this order for every stream of the source."""


def map_streams(context: MappingContext) -> list[tuple[Stream, StreamMapping]]:
    """What becomes of every stream of the source, in its order."""
    return [
        (stream, next(mapping for rule in RULES if (mapping := rule(stream, context))))
        for stream in context.source.streams
    ]


def stream_name(stream: Stream) -> str:
    """Name of a stream of the source in reports: ``"stream 2 (subtitle)"``."""
    return f"stream {stream.index} ({stream.type})"


@dataclass
class StreamReport:
    """What was ``copied``, ``encoded`` and ``dropped``, by name and with a reason, and ``warnings``."""

    copied: list[str] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, stream: Stream, mapping: StreamMapping) -> None:
        """Add what becomes of a stream."""
        name = f"{stream_name(stream)}: {mapping.reason}" if mapping.reason else stream_name(stream)
        match mapping.action:
            case "copied" | "attached" | "made":
                self.copied.append(name)
            case "dropped":
                self.dropped.append(name)
                if mapping.reason == SLOWED:
                    self.warnings.append(f"{stream_name(stream)} is dropped: {mapping.reason}")


@dataclass(frozen=True, slots=True)
class CopiedStream:
    """A stream that was copied: its ``name`` in reports, and the properties that its copy must have."""

    name: str
    index: int
    language: str | None
    title: str | None
    dispositions: Disposition

    @classmethod
    def of(cls, template: Stream, copy: Stream) -> "CopiedStream":
        """The properties of ``template`` that its ``copy`` must have."""
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
    """Properties that the written file and its copied streams should have and lack, one sentence each.

    ``made`` are the indices that its streams of the types ``PLAYED_TYPES``, without covers, had when it was written;
    ``metadata`` is that of the whole file.
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
        yield f"its language '{copy.language}' is '{there.language or 'not stated'}' now"
    if copy.title and copy.title != there.metadata.get("title", there.metadata.get("TITLE")):
        yield f"its title '{copy.title}' could not be kept"
    lost = Disposition(copy.dispositions & ~there.disposition)
    if lost:
        words = ", ".join(str(mark.name).replace("_", " ") for mark in lost)
        yield f"it is no longer marked as: {words}"
