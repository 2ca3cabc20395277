"""Writing the dubbed clip: the new picture, the dub track, and copies of everything else. Every frame keeps its
time."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from lipdub.disk.os_errors import OUT_OF_MEMORY, cause_of
from lipdub.disk.publish import Outputs, PendingFile, check_output_path, same_file
from lipdub.errors import MachineError, OptionError, OutputError
from lipdub.media.caption_track import Captions, add_caption_track
from lipdub.media.codec_delay import template_with_priming
from lipdub.media.container import open_input
from lipdub.media.dub_track import DubTrack, add_dub_track, dub_loss_notes, dub_notes
from lipdub.media.encoder import (
    CONTAINERS,
    PICTURE_CODECS,
    EncoderInput,
    PictureEncoding,
    SourcePicture,
    canonical_codec,
    choose_codec,
    configure_encoder,
    encoder_opens,
    hardware_encoding,
    software_encoding,
)
from lipdub.media.encoder_settings import check_encoder_settings
from lipdub.media.formats import planar_format
from lipdub.media.languages import container_language
from lipdub.media.probe import PictureFacts, picture_facts, probe
from lipdub.media.side_data import SideDataCopier, side_data_report
from lipdub.media.stream_copy import MuxQueue, PacketLosses, add_stream_copy, attach_cover, copied_packets
from lipdub.media.stream_mapping import (
    MOV_FAMILY,
    PLAYED_TYPES,
    CopiedStream,
    MappingContext,
    StreamMapping,
    StreamReport,
    is_cover,
    map_streams,
    missing_in_output,
    stream_name,
)
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame

__all__ = [
    "WriteOptions",
    "WriteResult",
    "check_output",
    "container_for",
    "encoder_opens",
    "write_clip",
    "write_pending",
]

_CONTAINER_METADATA = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
"""Metadata that describes the container file itself, not its content."""
_LARGEST_TIMESCALE = 2**31 - 1


@dataclass(frozen=True)
class WriteOptions:
    """How an output is written. The defaults are visually lossless and play everywhere.

    ``codec`` h264, hevc, vp9, av1, prores or ffv1 (default: by container and bit depth); ``crf`` and ``preset`` are the
    encoder's own; ``hardware`` tries a hardware encoder first. ``keep_original_audio`` adds the source's sound as
    further tracks. ``metadata`` is added to the file's; ``language`` (BCP 47 or ISO 639) is that of the dub track.
    ``captions`` become a text track in that language, which players can switch on.
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    hardware: bool = False
    keep_original_audio: bool = False
    overwrite: bool = False
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    language: str | None = None
    captions: Captions = ()


@dataclass(frozen=True)
class WriteResult:
    """What was written. ``copied`` and ``encoded`` name streams; ``dropped`` gives the reason for each.

    ``dub_cut`` seconds of the dub were cut at the end of the picture; it ends ``dub_short`` seconds before the picture.
    ``dub_losses`` are sentences on parts of the dub track that cannot be heard, as found while it was written.
    """

    path: Path
    codec: str
    encoder: str
    pixel_format: str
    frames: int
    copied: tuple[str, ...] = ()
    encoded: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    dub_cut: Fraction = Fraction(0)
    dub_short: Fraction = Fraction(0)
    warnings: tuple[str, ...] = ()
    dub_losses: tuple[str, ...] = ()


def check_output(source: Path, output: Path, options: WriteOptions) -> None:
    """Raise now what ``write_clip`` would raise after the work.

    Raises ``OptionError`` for a file type or codec that we do not write, or a crf or preset that its encoder does not
    take; ``OutputError`` if ``output`` is the source, exists (without ``overwrite``), is a folder, or its folder is
    missing or not writable.
    """
    container = container_for(output)
    codec = None if options.codec is None else canonical_codec(options.codec)
    if codec is not None and codec not in PICTURE_CODECS[container]:
        choose_codec(container, SourcePicture(), options.codec)
    if options.crf is not None or options.preset is not None:
        facts = None if codec is not None else probe(source).picture
        known = choose_codec(container, SourcePicture.of(facts), None) if facts is not None else codec
        if known is not None:
            check_encoder_settings(known, options.crf, options.preset)
    check_output_path(output, (source,), overwrite=options.overwrite)


def container_for(output: Path) -> str:
    """FFmpeg's name of the container for the suffix of ``output``. Raises ``OptionError`` for an unknown suffix."""
    container = CONTAINERS.get(output.suffix.lower())
    if container is None:
        what = (
            f"'{output.suffix}' is not a file type that can be written"
            if output.suffix
            else "has no file type in its name"
        )
        raise OptionError(what, file=output, remedy=f"Use one of: {' '.join(CONTAINERS)}.")
    return container


def write_clip(
    clip: Clip, frames: Iterable[Frame], dub: Path | None, output: Path, options: WriteOptions
) -> WriteResult:
    """Write ``frames`` with the track ``dub`` to ``output``, as ``write_pending`` does, and publish it.

    ``output`` appears when it is complete, or not at all; an existing file is replaced only if the options allow it.
    Raises ``OutputError``, ``OptionError``, or what reading the inputs raises.
    """
    check_output(clip.path, output, options)
    with Outputs(options.overwrite) as outputs:
        written = write_pending(clip, frames, dub, outputs.part(output), options)
        outputs.publish()
    return written


def write_pending(
    clip: Clip, frames: Iterable[Frame], dub: Path | None, part: PendingFile, options: WriteOptions
) -> WriteResult:
    """Write ``frames`` (every frame of ``clip``, in order) with the track ``dub`` at ``part.path``.

    Every frame keeps its time. The dub begins where players start the clip, is copied if the container takes its codec,
    and is cut where the picture ends. The source's other streams, chapters and metadata are copied; its sound only if
    asked for, or if there is no dub. Nothing is published: the caller does that, perhaps together with other files. The
    container is that of ``part.target``'s name; errors and ``WriteResult.path`` name ``part.target``. Raises
    ``OutputError``, ``OptionError``, or what reading the inputs raises.
    """
    if any(given is not None and same_file(part.target, given) for given in (clip.path, dub)):
        raise OutputError("is one of the inputs", file=part.target, remedy="Choose another name for the output")
    with ExitStack() as stack:
        source = stack.enter_context(open_input(clip.path))
        work = _ClipWriter(clip, source, part.target, options)
        with work.output_errors():
            work.open(part.path, stack)
        work.add_streams(dub, stack)
        work.write_picture(frames)
        return work.finish()


class _ClipWriter:
    """One output that is being written: its container, the picture's encoder, the queues of other packets, and the
    report."""

    out: OutputContainer
    picture: VideoStream
    side_data: SideDataCopier

    def __init__(self, clip: Clip, source: InputContainer, output: Path, options: WriteOptions) -> None:
        self.clip, self.source, self.output, self.options = clip, source, output, options
        self.container = container_for(output)
        self.facts: PictureFacts = picture_facts(clip)
        self.encoding = self._encoding()
        self._converter = EncoderInput(self.facts, self.encoding)
        self.queues: list[MuxQueue] = []
        self.report = StreamReport(encoded=[f"picture ({self.encoding.codec})"], warnings=list(self.encoding.warnings))
        self.copies: list[CopiedStream] = []
        self.losses = PacketLosses()
        self.dub: DubTrack | None = None
        self._first_decoded: int | None = None
        self._add_container_warnings()

    def _add_container_warnings(self) -> None:
        warnings, facts = self.report.warnings, self.facts
        if self.container not in MOV_FAMILY and self._needs_rounding():
            warnings.append("frame times are rounded to milliseconds, the finest a Matroska file holds")
        stated = self.container in MOV_FAMILY or self.encoding.codec in ("h264", "hevc")
        if facts.pixel_aspect != 1 and not stated:
            codec = self.encoding.codec
            warnings.append(
                f"the pixel aspect ratio {facts.pixel_aspect} is lost: neither {codec} nor its container can store it"
            )

    @contextmanager
    def output_errors(self) -> Iterator[None]:
        """Turn errors of FFmpeg or the system about the output into an ``OutputError``."""
        try:
            yield
        except (FFmpegError, OSError, ValueError) as error:
            cause = cause_of(error)
            if cause is OUT_OF_MEMORY:
                raise MachineError(cause.what, file=self.output, remedy=cause.remedy) from error
            raise OutputError(f"cannot be written: {cause.what}", file=self.output, remedy=cause.remedy) from error

    def _needs_rounding(self) -> bool:
        base = self.clip.times.time_base * 1000
        return bool(np.any(self.clip.times.pts * base.numerator % base.denominator))

    def _encoding(self) -> PictureEncoding:
        options, facts = self.options, self.facts
        codec = choose_codec(self.container, SourcePicture.of(facts), options.codec)
        layout = planar_format(facts.pixel_format).name
        soft = software_encoding(codec, facts, layout, options.crf, options.preset)
        if not options.hardware:
            return soft
        hard = hardware_encoding(soft, facts, options.crf)
        if hard is not None:
            return hard
        note = f"no hardware encoder for {codec} opens here; written with {soft.encoder}"
        return PictureEncoding(
            soft.codec, soft.encoder, soft.pixel_format, soft.options, soft.pads, (*soft.warnings, note)
        )

    def open(self, part: Path, stack: ExitStack) -> None:
        """Open the file and its picture stream."""
        settings = self._container_options()
        name = str(part.absolute())
        self.out = av.open(
            name, "w", format=self.container, container_options=settings, metadata_errors="surrogateescape"
        )
        stack.callback(self._close_quietly)
        picture = self.out.add_stream(self.encoding.encoder, rate=self.clip.rate)
        assert isinstance(picture, VideoStream)
        self.picture = picture
        configure_encoder(self.picture, self.clip, self.facts, self.encoding)
        if self.container in MOV_FAMILY and self.encoding.codec == "hevc":
            self.picture.codec_context.codec_tag = "hvc1"
        own = self.source.streams.video[self.clip.stream]
        metadata = {k: v for k, v in own.metadata.items() if k.lower() not in _CONTAINER_METADATA}
        if metadata.pop("alpha_mode", "0") != "0" and len(planar_format(self.facts.pixel_format).order) != 4:
            self.report.dropped.append("transparency (alpha channel): its decoder does not give it out")
        self.picture.metadata.update(metadata)
        self.picture.disposition = own.disposition | Disposition.default
        metadata = {k: v for k, v in self.source.metadata.items() if k.lower() not in _CONTAINER_METADATA}
        self.out.metadata.update(metadata | dict(self.options.metadata))
        self.out.set_chapters(self.source.chapters())
        self.side_data = SideDataCopier(self.clip.path, self.clip.stream, self.facts, self.encoding.codec, stack)

    def _close_quietly(self) -> None:
        with suppress(FFmpegError, OSError, ValueError):
            self.out.close()

    def _container_options(self) -> dict[str, str]:
        if self.container not in MOV_FAMILY:
            return {"avoid_negative_ts": "disabled"}
        own = self.clip.times.time_base.denominator
        video = _common_timescale(own, [s.time_base for s in self.source.streams.video])
        # Edit lists are in the movie's timescale: the late start of any stream must be exact in it.
        movie = _common_timescale(video, [s.time_base for s in self.source.streams if s.start_time])
        flags = "faststart+use_metadata_tags" if self.options.metadata else "faststart"
        return {"movflags": flags, "video_track_timescale": str(video), "movie_timescale": str(movie)}

    def add_streams(self, dub: Path | None, stack: ExitStack) -> None:
        """Add the dub track first, then the streams that are copied from the source."""
        if dub is not None:
            queue, self.dub, stream = add_dub_track(
                dub, self.container, self.out, self.clip.start, self.clip.span.end, stack
            )
            self.queues.append(queue)
            stream.disposition = Disposition.default
            language = container_language(self.options.language, self.container)
            if language:
                stream.metadata["language"] = language
                self.copies.append(CopiedStream("dub track", stream.index, language, None, Disposition(0)))
            (self.report.copied if self.dub.copied else self.report.encoded).append(self.dub.name)
        if self.options.captions:
            language = container_language(self.options.language, self.container)
            queue, codec = add_caption_track(self.out, self.container, self.options.captions, language)
            self.queues.append(queue)
            self.report.encoded.append(f"subtitles ({codec})")
        own = self.source.streams.video[self.clip.stream].index
        context = MappingContext(self.source, own, self.container, dub is not None, self.options.keep_original_audio)
        pairs: list[tuple[Stream, Stream]] = []
        with self.output_errors():
            for stream, mapping in map_streams(context):
                self.report.add(stream, mapping)
                self._add_stream(stream, mapping, pairs, stack)
        self.queues.append(MuxQueue(copied_packets(self.source, pairs, self.container not in MOV_FAMILY, self.losses)))

    def _add_stream(
        self, stream: Stream, mapping: StreamMapping, pairs: list[tuple[Stream, Stream]], stack: ExitStack
    ) -> None:
        """Add what a stream of the source becomes to the output; streams whose packets are copied are added to
        ``pairs``."""
        if mapping.action == "made" and "timecode" in stream.metadata:
            self.picture.metadata.setdefault("timecode", stream.metadata["timecode"])
        if mapping.action == "attached":
            with open_input(self.clip.path) as again:
                attach_cover(again.streams[stream.index], self.out)
        if mapping.action != "copied":
            return
        template = stream
        if isinstance(stream, AudioStream) and self.container not in MOV_FAMILY:
            template = template_with_priming(self.clip.path, stream, stack)
        copy = add_stream_copy(self.out, template)
        if template is not stream:
            copy.metadata.update(stream.metadata)
        if stream.type == "audio" and self.dub is not None:
            copy.disposition = Disposition(stream.disposition & ~Disposition.default)
        if stream.type != "attachment":
            pairs.append((stream, copy))
            self.copies.append(CopiedStream.of(stream, copy))

    def write_picture(self, frames: Iterable[Frame]) -> None:
        """Encode every frame at its own time; the other packets are muxed in step."""
        count = 0
        pts = self.clip.times.pts
        mark = _field_marker(self.picture, self.facts, self.encoding.pixel_format)
        for frame in frames:
            assert count < len(self.clip), "more frames than the clip has"
            assert frame.pts == pts[count], f"frame {count} came with the time of another"
            with self.output_errors():
                self._mux(self.picture.encode(mark(self._encodable(frame))))
            count += 1
        assert count == len(self.clip), f"{count} frames of {len(self.clip)} were given"
        with self.output_errors():
            rest = self.picture.encode(None)
            self._mux(rest[:-1])
            self._mux(rest[-1:], last=True)

    def _encodable(self, frame: Frame) -> av.VideoFrame:
        planes, kind = frame.planes, planar_format(frame.layout.name)
        if any(self.encoding.pads):
            planes = tuple(
                _padded(plane, self.encoding.pads, kind.pixels_per_sample(i)) for i, plane in enumerate(planes)
            )
        picture = self._converter.frame(planes, frame.layout)
        picture.pts, picture.time_base = frame.pts, self.clip.times.time_base
        return picture

    def _mux(self, packets: Iterable[av.Packet], last: bool = False) -> None:
        """Mux packets of the picture, and before each one the other packets up to its time."""
        for packet in packets:
            packet.duration = self._length(packet, last)
            until = Fraction(packet.dts or 0) * self.clip.times.time_base
            for queue in self.queues:
                queue.mux_until(self.out, until)
            self.out.mux_one(self.side_data.with_side_data(packet))

    def _length(self, packet: av.Packet, last: bool) -> int:
        """Duration of a packet: until the next frame is shown.

        mp4 and mov store durations in decoding order; there the ``last`` packet makes their sum the picture's length.
        """
        times, decoded = self.clip.times, packet.dts or 0
        if self._first_decoded is None:
            self._first_decoded = decoded
        if last and self.container in MOV_FAMILY:
            whole = int(times.pts[-1] - times.pts[0]) + times.last
            return max(1, whole - (decoded - self._first_decoded))
        index = int(np.searchsorted(times.pts, packet.pts or 0))
        return int(times.pts[index + 1] - times.pts[index]) if index + 1 < len(times) else times.last

    def finish(self) -> WriteResult:
        """Write the remaining packets and the index, verify the file, and return what was written."""
        with self.output_errors():
            for queue in self.queues:
                queue.mux_until(self.out, None)
            made = [s.index for s in self.out.streams if s.type in PLAYED_TYPES and not is_cover(s)]
            name = Path(self.out.name)
            self.out.close()
            self.report.warnings += missing_in_output(name, made, self.copies, self.out.metadata)
        for stream in self.source.streams:
            if any(copy.name == stream_name(stream) for copy in self.copies) and (lost := self.losses.describe(stream)):
                self.report.warnings.append(f"{stream_name(stream)}: {lost}")
        kept, lost = side_data_report(self.facts, self.side_data, self.encoding.codec)
        self.report.copied += kept
        self.report.dropped += lost
        cut = short = Fraction(0)
        lost_of_dub: list[str] = []
        if self.dub is not None:
            lost_of_dub = dub_loss_notes(self.dub)
            available = self.clip.span.end - self.clip.start
            cut, short = max(Fraction(0), self.dub.length - available), max(Fraction(0), available - self.dub.length)
            self.report.warnings += dub_notes(self.dub)
            if cut > 0:
                self.report.warnings.append(f"the dub is {float(cut):.3f} s longer than the picture: its end was cut")
        encoding, report = self.encoding, self.report
        return WriteResult(
            self.output, encoding.codec, encoding.encoder, encoding.pixel_format, len(self.clip),
            tuple(report.copied), tuple(report.encoded), tuple(report.dropped), cut, short, tuple(report.warnings),
            tuple(lost_of_dub),
        )  # fmt: skip


def _common_timescale(own: int, others: Iterable[Fraction | None]) -> int:
    """Units per second in which ``own`` (units per second) and all ``others`` (seconds) are whole, if there is one."""
    scale = math.lcm(own, *(base.denominator for base in others if base))
    return scale if scale <= _LARGEST_TIMESCALE else own


def _padded(plane: np.ndarray, pads: tuple[int, int], sites: tuple[int, int]) -> np.ndarray:
    """``plane`` with its last column and row repeated where the padded picture needs another sample."""
    # A chroma plane of an odd picture already has the sample for the added pixel.
    right, below = (pad if site == 1 else 0 for pad, site in zip(pads, sites, strict=True))
    return np.pad(plane, ((0, below), (0, right)), mode="edge")


def _field_marker(
    stream: VideoStream, facts: PictureFacts, pixel_format: str
) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that marks frames of an interlaced picture with their first field; other frames are returned as they
    are."""
    if not facts.interlaced or facts.field_order not in ("tt", "bb", "tb", "bt"):
        return lambda frame: frame
    mode = "tff" if facts.field_order in ("tt", "bt") else "bff"
    graph = Graph()
    context = stream.codec_context
    source = graph.add_buffer(
        width=context.width, height=context.height, format=av.VideoFormat(pixel_format),
        time_base=context.time_base,
    )  # fmt: skip
    marker, sink = graph.add("setfield", mode), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()

    def mark(frame: av.VideoFrame) -> av.VideoFrame:
        graph.push(frame)
        marked = graph.pull()
        assert isinstance(marked, av.VideoFrame)
        return marked

    return mark
