"""Muxing a film: the picture's packets, the dub track, and copies of everything else, with the report on them."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from lipdub.media.caption_track import add_caption_track
from lipdub.media.codec_delay import template_with_priming
from lipdub.media.container import open_input
from lipdub.media.copied_clock import CopiedClock
from lipdub.media.dub_track import DubTrack, add_dub_track, add_pieced_sound, dub_loss_notes, dub_notes
from lipdub.media.encoder import PictureEncoding, configure_encoder, describe_stream
from lipdub.media.formats import planar_format
from lipdub.media.languages import container_language
from lipdub.media.output_errors import output_errors
from lipdub.media.output_options import WriteOptions, WriteResult, container_for
from lipdub.media.probe import PictureFacts, picture_facts
from lipdub.media.side_data import SideDataCopier, side_data_report
from lipdub.media.sound_piece_file import PiecedSound
from lipdub.media.splice import Splice
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
from lipdub.timeline.time import timecode

_CONTAINER_METADATA = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
"""Metadata that describes the container file itself, not its content."""
_LARGEST_TIMESCALE = 2**31 - 1


class FilmWriter:
    """One output that is being written: its container, the picture's stream, the queues of other packets, and the
    report.

    Packets of the picture come from outside, by ``mux``; the other streams are muxed in step with them.
    """

    out: OutputContainer
    picture: VideoStream
    side_data: SideDataCopier
    splice: Splice | None

    def __init__(
        self, clip: Clip, source: InputContainer, output: Path, options: WriteOptions, encoding: PictureEncoding
    ) -> None:
        """``source`` is the open file of ``clip``."""
        self.clip, self.source, self.output, self.options = clip, source, output, options
        self.encoding = encoding
        self.container = container_for(output)
        self.facts: PictureFacts = picture_facts(clip)
        self.queues: list[MuxQueue] = []
        self.report = StreamReport(encoded=[f"picture ({self.encoding.codec})"], warnings=list(self.encoding.warnings))
        self.copies: list[CopiedStream] = []
        self.losses = PacketLosses()
        self.dub: DubTrack | None = None
        self._clock = CopiedClock(clip)
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

    def output_errors(self) -> AbstractContextManager[None]:
        """Turn errors of FFmpeg or the system about the output into an ``OutputError``."""
        return output_errors(self.output)

    def _needs_rounding(self) -> bool:
        base = self.clip.times.time_base * 1000
        return bool(np.any(self.clip.times.pts * base.numerator % base.denominator))

    def open(self, part: Path, stack: ExitStack, splice: Splice | None = None) -> None:
        """Open the file and its picture stream.

        With ``splice``, some packets are copied, and the stream is described as the source's is; else as the encoder of
        ``encoding`` describes it.
        """
        self.splice = splice
        settings = self._container_options()
        name = str(part.absolute())
        self.out = av.open(
            name, "w", format=self.container, container_options=settings, metadata_errors="surrogateescape"
        )
        stack.callback(self._close_quietly)
        own = self.source.streams.video[self.clip.stream]
        if splice is None:
            picture = self.out.add_stream(self.encoding.encoder, rate=self.clip.rate)
            assert isinstance(picture, VideoStream)
            configure_encoder(picture.codec_context, self.clip, self.facts, self.encoding)
            describe_stream(picture, self.clip, self.facts)
        else:
            picture = self.out.add_stream_from_template(own, opaque=True)
            picture.codec_context.extradata = splice.header or None
            picture.codec_context.framerate = self.clip.rate
            picture.time_base = self.clip.times.time_base
            if self.encoding.codec == "prores":  # its tag tells the profile
                picture.codec_context.codec_tag = own.codec_context.codec_tag
        self.picture = picture
        if self.container in MOV_FAMILY and self.encoding.codec == "hevc":
            picture.codec_context.codec_tag = "hvc1"
        metadata = {k: v for k, v in own.metadata.items() if k.lower() not in _CONTAINER_METADATA}
        if metadata.pop("alpha_mode", "0") != "0" and len(planar_format(self.facts.pixel_format).order) != 4:
            self.report.dropped.append("transparency (alpha channel): its decoder does not give it out")
        self.picture.metadata.update(metadata)
        self.picture.disposition = own.disposition | Disposition.default
        metadata = {k: v for k, v in self.source.metadata.items() if k.lower() not in _CONTAINER_METADATA}
        self.out.metadata.update(metadata | dict(self.options.metadata))
        self.out.set_chapters(self._clock.chapters(self.source.chapters()))
        self.side_data = SideDataCopier(self.clip.path, self.clip.stream, self.facts, self.encoding.codec, stack)
        self.side_data.until = self._clock.end

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

    def add_streams(self, dub: Path | PiecedSound | None, stack: ExitStack) -> None:
        """Add the dub track first, then the streams that are copied from the source."""
        if dub is not None:
            end = self.clip.span.end
            if isinstance(dub, PiecedSound):
                queue, self.dub, stream = add_pieced_sound(dub, self.out, end)
            else:
                queue, self.dub, stream = add_dub_track(dub, self.container, self.out, self.clip.start, end, stack)
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
        context = MappingContext(
            source=self.source,
            picture=own,
            container=self.container,
            has_dub=dub is not None,
            keep_source_sound=self.options.keep_original_audio,
            retimed=self.clip.retimed,
        )
        pairs: list[tuple[Stream, Stream]] = []
        with self.output_errors():
            for stream, mapping in map_streams(context):
                self.report.add(stream, mapping)
                self._add_stream(stream, mapping, pairs, stack)
        packets = copied_packets(self.source, pairs, self.container not in MOV_FAMILY, self.losses)
        self.queues.append(MuxQueue(self._clock.packets(packets, {copy.index: own.index for own, copy in pairs})))

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

    def mux(self, packet: av.Packet, *, last: bool = False, copied: bool = False) -> None:
        """Mux a packet of the picture, and before it the other packets up to its time. ``last``: none follows.
        ``copied`` packets hold the side data of their frame already."""
        packet.stream = self.picture
        packet.duration = self._length(packet, last)
        until = Fraction(packet.dts or 0) * self.clip.times.time_base
        for queue in self.queues:
            queue.mux_until(self.out, until)
        if copied:
            self.side_data.count_copied(packet)
        else:
            packet = self.side_data.with_side_data(packet, self._file_instant(packet))
            packet = packet if self.splice is None else self.splice.fitted(packet)
        self.out.mux_one(packet)

    def _file_instant(self, packet: av.Packet) -> Fraction | None:
        """When the file itself shows the frame of ``packet``, if the clip has another clock; None: at the packet's own
        time."""
        if not self.clip.retimed:
            return None
        index = int(np.searchsorted(self.clip.times.pts, packet.pts or 0))
        return self.clip.file_times.instant(self.clip.file_frame(min(index, len(self.clip) - 1)))

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
        end = timecode(self.clip.span.end - self.clip.start)
        for index in self._clock.left_out:
            name = stream_name(self.source.streams[index])
            self.report.warnings.append(f"{name}: cut where the picture is cut, at {end}")
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
