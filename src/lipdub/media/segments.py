"""A film in segments: runs of frames that are copied from the source as packets, or encoded as one.

The bytes of an encoded segment depend on its frames and on the plan, not on the machine's cores or on which process
encodes it, or when. Any process can encode one into a file; the last step muxes all of them.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import av
import numpy as np

from lipdub.disk.publish import PendingFile, same_file
from lipdub.errors import NotMedia, OutputError
from lipdub.media.container import open_input
from lipdub.media.encoder import X265_DELAY, PictureEncoding, open_encoder
from lipdub.media.encoder_settings import reproducible_settings
from lipdub.media.film_writer import FilmWriter
from lipdub.media.frame_encoder import FrameEncoder
from lipdub.media.output_errors import output_errors
from lipdub.media.output_options import WriteOptions, WriteResult, chosen_encoding, container_for
from lipdub.media.packets import demux
from lipdub.media.probe import picture_facts
from lipdub.media.segment_check import PacketDigest, film_fault
from lipdub.media.segment_cuts import SegmentLengths, check_changed, cut_segments
from lipdub.media.segment_file import (
    SegmentFileWriter,
    SegmentHeader,
    SegmentIndex,
    read_index,
    read_packets,
    written_segment,
)
from lipdub.media.sound_piece_file import PiecedSound
from lipdub.media.splice import Splice, advise_splice
from lipdub.process.scheduling import usual_scheduling
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame
from lipdub.timeline.take import Segment


class SegmentMismatch(OutputError):
    """A film made of segments is not what it should be. Planned again with ``copy=False``, it can be written."""


@dataclass(frozen=True)
class SegmentPlan:
    """How a film is made of ``segments``, which cover all frames in order. It can be pickled.

    ``reason`` is a sentence for the report: why nothing, or not all that stays as filmed, is copied; "" if there is
    nothing to say. ``encoding`` is that of the encoded segments; ``splice`` tells how copied packets fit between them
    (None: nothing is copied).
    """

    segments: tuple[Segment, ...]
    reason: str
    encoding: PictureEncoding
    splice: Splice | None = None

    @property
    def encoded(self) -> tuple[int, ...]:
        """Numbers of the segments that must be encoded."""
        return tuple(number for number, segment in enumerate(self.segments) if not segment.copied)

    @property
    def copied_frames(self) -> int:
        """How many frames are copied."""
        return sum(len(segment) for segment in self.segments if segment.copied)


def plan_segments(
    clip: Clip, changed: Sequence[range], output: Path, options: WriteOptions, *, copy: bool = True
) -> SegmentPlan:
    """How the film ``output`` is made of segments, if the frames in ``changed`` differ from those of ``clip``.

    ``changed`` are sorted, disjoint ranges of frames. Each lies in one encoded segment as a whole; ranges that touch
    may be in two. Segments of frames that stay as filmed are copied where that is provably safe, and if ``copy``.
    Raises ``OptionError`` for options that contradict each other, and what reading the clip raises.
    """
    check_changed(changed, len(clip))
    facts = picture_facts(clip)
    encoding = chosen_encoding(facts, container_for(output), options)
    encoding = replace(encoding, options=reproducible_settings(encoding.encoder, encoding.options))
    lengths = SegmentLengths.at_rate(clip.rate)
    if not copy or sum(map(len, changed)) == len(clip):
        return SegmentPlan(cut_segments(len(clip), changed, (), lengths), "", encoding)
    advice = advise_splice(clip, facts, encoding)
    segments = cut_segments(len(clip), changed, advice.joins, lengths)
    if any(segment.copied for segment in segments):
        return SegmentPlan(segments, "", advice.encoding, advice.splice)
    why = advice.refusal or "no closed GOPs of two thirds of a second or more stay as filmed"
    return SegmentPlan(segments, f"the picture of the source is not copied: {why}", encoding)


def segment_recipe(clip: Clip, plan: SegmentPlan, number: int) -> str:
    """A digest of everything that decides the bytes of segment ``number``, except the samples of the file's frames:
    encoder and settings, times, which frames of the file are shown, pixel format, version of FFmpeg. The same
    in every process."""
    segment, encoding = plan.segments[number], plan.encoding
    picture = picture_facts(clip)
    said = [
        asdict(encoding) | {"warnings": ()},
        clip.times.pts[segment.first : segment.stop].tolist(),
        *map(str, (clip.times.time_base, clip.rate, len(clip) < X265_DELAY, picture)),
        av.library_versions["libavcodec"],
    ]
    if clip.filmed is not None:
        said.append(clip.filmed.order[segment.first : segment.stop].tolist())
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def encode_segment(clip: Clip, plan: SegmentPlan, number: int, frames: Iterable[Frame], path: Path) -> None:
    """Encode segment ``number`` of ``plan`` into the file ``path``, which appears when it is complete.

    ``frames`` are exactly its frames, in order; they are taken one by one. Raises ``OutputError`` if the file cannot be
    written, and what reading ``frames`` raises.
    """
    segment = plan.segments[number]
    assert not segment.copied, f"segment {number} is copied, not encoded"
    facts = picture_facts(clip)
    with written_segment(path) as file:
        with output_errors(path):
            context = open_encoder(clip, facts, plan.encoding)
            encoder = FrameEncoder(context, clip, facts, plan.encoding)
        writer = SegmentFileWriter(file)
        for frame in _checked(frames, clip, segment):
            with output_errors(path):
                packets = encoder.flush() if frame is None else encoder.encode(frame)
                if packets and not writer.packets:
                    writer.write_header(_header(clip, segment, plan, context.extradata or b""))
                for packet in packets:
                    writer.write(packet)
        assert writer.packets == len(segment), f"{writer.packets} packets for {len(segment)} frames"


def _header(clip: Clip, segment: Segment, plan: SegmentPlan, extradata: bytes) -> SegmentHeader:
    return SegmentHeader(segment.first, segment.stop, plan.encoding.encoder, extradata, clip.times.time_base)


def _checked(frames: Iterable[Frame], clip: Clip, segment: Segment) -> Iterator[Frame | None]:
    """The frames, which must be those of the segment; then None."""
    index = segment.first
    for frame in frames:
        assert index < segment.stop, "more frames than the segment has"
        assert frame.pts == clip.times.pts[index], f"frame {index} came with the time of another"
        yield frame
        index += 1
    assert index == segment.stop, f"{index - segment.first} frames of {len(segment)} were given"
    yield None


def write_segments(
    clip: Clip,
    plan: SegmentPlan,
    files: Mapping[int, Path],
    dub: Path | PiecedSound | None,
    part: PendingFile,
    options: WriteOptions,
) -> WriteResult:
    """Write the film at ``part.path``: the segments of ``plan`` (``files``: number of each encoded one -> its file),
    the track ``dub`` (a file, or sound that is encoded already), and everything else as ``write_pending`` does.

    The finished film is read again and compared with the source. Raises ``SegmentMismatch`` if it is not right,
    ``OutputError``, ``OptionError``, or what reading the inputs raises.
    """
    if any(isinstance(given, Path) and same_file(part.target, given) for given in (clip.path, dub)):
        raise OutputError("is one of the inputs", file=part.target, remedy="Choose another name for the output")
    indexes = {number: read_index(files[number]) for number in plan.encoded}
    with ExitStack() as stack:
        source = stack.enter_context(open_input(clip.path))
        film = FilmWriter(clip, source, part.target, options, plan.encoding)
        _report_copied(film, plan)
        with film.output_errors():
            film.open(part.path, stack, plan.splice)
        film.add_streams(dub, stack)
        mux = _SegmentMux(film, plan, files, indexes)
        with film.output_errors():
            with usual_scheduling():
                film.out.start_encoding()
            mux.check_headers()
            mux.write(stack)
        result = film.finish()
        header = source.streams.video[clip.stream].codec_context.extradata
    fault = _fault(part.path, clip, plan, mux.digests, header)
    if fault:
        raise SegmentMismatch(f"the picture was not written as planned: {fault}", file=part.target)
    return result


def _fault(path: Path, clip: Clip, plan: SegmentPlan, digests: Mapping[int, bytes], header: bytes | None) -> str:
    try:
        return film_fault(path, clip, plan.segments, digests, header)
    except NotMedia:
        return "it cannot be opened"


def _report_copied(film: FilmWriter, plan: SegmentPlan) -> None:
    copied, whole = plan.copied_frames, len(film.clip)
    if copied:
        name = f"picture ({plan.encoding.codec})"
        film.report.encoded = [f"{name}: {whole - copied} of {whole} frames"] if copied < whole else []
        film.report.copied.append(f"{name}: {copied} of {whole} frames")


class _SegmentMux:
    """Muxes the packets of all segments in order, with decoding times."""

    def __init__(
        self, film: FilmWriter, plan: SegmentPlan, files: Mapping[int, Path], indexes: Mapping[int, SegmentIndex]
    ) -> None:
        self.digests: dict[int, bytes] = {}
        self._film, self._plan, self._files, self._indexes = film, plan, files, indexes
        self._clock = _DecodingTimes(film.clip, self._delay())

    def _delay(self) -> int:
        """Frames by which any packet comes earlier in decoding order than in display order."""
        if self._plan.splice is not None:
            return self._plan.splice.delay
        pts = self._film.clip.times.pts
        delay = 0
        for index in self._indexes.values():
            shown = np.searchsorted(pts, index.pts) - index.header.first
            delay = max(delay, int(np.max(np.arange(len(shown)) - shown)))
        return delay

    def check_headers(self) -> None:
        """Raise ``SegmentMismatch`` if a file holds another segment, or one that another encoder made."""
        plan, film = self._plan, self._film
        own = film.picture.codec_context.extradata or b""
        headers = [self._indexes[number].header for number in plan.encoded]
        expected = own if plan.splice is None else (headers[0].extradata if headers else b"")
        for number, header in zip(plan.encoded, headers, strict=True):
            segment = plan.segments[number]
            if (header.first, header.stop) != (segment.first, segment.stop):
                raise SegmentMismatch("holds another segment", file=self._files[number])
            if header.encoder != plan.encoding.encoder or header.extradata != expected:
                raise SegmentMismatch("was encoded with other settings than the film", file=self._files[number])

    def write(self, stack: ExitStack) -> None:
        """Mux everything of the picture. Raises ``SegmentMismatch`` if the source has other packets than planned."""
        film, plan, splice = self._film, self._plan, self._plan.splice
        reader = None
        if splice is not None:
            container = stack.enter_context(open_input(film.clip.path))
            reader = demux(container, container.streams.video[film.clip.stream])
        position, whole, packets, latest = 0, len(film.clip), len(film.clip.file_times), None
        own = film.clip.own_frames  # what is shown later is decoded later
        for number, segment in enumerate(plan.segments):
            digest = PacketDigest()
            encoded = None if segment.copied else read_packets(self._files[number])
            for _ in range(len(segment)):
                given = self._next(reader) if reader is not None and position < packets else None
                packet = given if encoded is None else next(encoded)
                assert packet is not None
                keeps = splice is not None and splice.keeps_dts and position < own
                dts = given.dts if keeps and given is not None else None
                if dts is None:
                    dts = self._clock.at(position)
                    dts = dts if latest is None else max(dts, latest + 1)
                packet.dts = latest = dts
                if packet.pts is None or packet.dts is None or packet.dts > packet.pts:
                    raise SegmentMismatch("a packet would be decoded after it is shown", file=film.output)
                position += 1
                if segment.copied:
                    digest.add(packet, film.clip.times.at(packet.pts * film.clip.times.time_base))
                film.mux(packet, last=position == whole, copied=segment.copied)
            if segment.copied:
                self.digests[segment.first] = digest.value()

    def _next(self, reader: Iterator[av.Packet]) -> av.Packet:
        packet = next(reader, None)
        if packet is None:
            raise SegmentMismatch("the source has fewer packets than when the film was planned", file=self._film.output)
        return packet


class _DecodingTimes:
    """Decoding times that suit packets which are out of order by up to ``delay`` frames: those of display, shifted."""

    def __init__(self, clip: Clip, delay: int) -> None:
        self._times, self._delay = clip.times, delay

    def at(self, position: int) -> int:
        """The decoding time (units) of the packet at ``position`` in decoding order. Before the first frame it goes on
        at the distance of the first two."""
        pts, index = self._times.pts, position - self._delay
        if index >= 0:
            return int(pts[index])
        step = int(pts[1] - pts[0]) if len(pts) > 1 else self._times.last
        return int(pts[0]) + index * step
