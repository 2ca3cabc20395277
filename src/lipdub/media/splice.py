"""Whether packets of the source's picture can be copied between newly encoded ones, and how.

H.264: both kinds of packets keep parameter sets of their own, with different numbers, in one avcC record; they meet
where the source has an IDR picture (ITU-T H.264, 7.4.1.2.1: a sequence may be activated there). Intra codecs: every
frame stands alone. Whatever cannot be proven safe here is refused with a reason.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from lipdub.media.container import discard_other_streams, open_input, time_base_of
from lipdub.media.encoder import PictureEncoding, open_encoder
from lipdub.media.h264_parameters import (
    PPS,
    SPS,
    AvcHeader,
    SequenceParameters,
    picture_parameters_number,
    sequence_parameters,
    split_start_codes,
)
from lipdub.media.packets import ReadErrors, clock_joins, demux_past_errors
from lipdub.media.probe import PictureFacts
from lipdub.media.sei import nal_units
from lipdub.media.side_data import SIDE_DATA_KINDS, SideDataKind
from lipdub.timeline.clip import Clip

_WHOLE = {
    "hevc": "its encoder cannot give its parameter sets other numbers than the source's",
    "vp9": "pictures of another encoder may refer to frames that a copy does not have",
    "av1": "pictures of another encoder need a sequence header of their own",
}
"""Codecs of the new picture that are never copied in part -> why."""

_SPLICED = {"h264": "libx264", "prores": "prores_ks", "ffv1": "ffv1"}
"""Codecs that can be copied in part -> the encoder that can write the rest."""

_X264_PROFILES = {66: "baseline", 77: "main", 100: "high", 110: "high10", 122: "high422"}
_PLAIN_UNITS = frozenset({1, 5, 6, SPS, PPS, 9, 10, 11, 12})
"""Types of NAL units in plain H.264: no data partitions, no scalable or multiview extensions."""

_AUD, _SEI, _IDR = 9, 6, 5
_UNREGISTERED = 5
"""Payload type of SEI messages in which encoders write about themselves."""

_UNKNOWN = SideDataKind("")

_REORDERING = ((2, {}), (1, {"b-pyramid": "none"}), (0, {"bframes": "0"}))
"""Frames by which x264's packets are out of order at most -> the settings for it."""


@dataclass(frozen=True, slots=True)
class Splice:
    """How copied and encoded packets become one stream.

    ``header``: the codec's header ("extradata") of that stream. ``prefix``: bytes of the length before each NAL unit, 0
    for codecs without them. ``delay``: frames by which packets are out of order at most. ``keeps_dts``: all packets
    take the decoding times of the source's, as far as their frames are shown at the source's times.
    """

    header: bytes
    prefix: int
    delay: int
    keeps_dts: bool

    def fitted(self, packet: av.Packet) -> av.Packet:
        """An encoder's ``packet`` in the form of the copied ones: lengths for start codes, no parameter sets, and no
        words of the encoder about itself."""
        if not self.prefix:
            return packet
        units = [unit for unit in split_start_codes(bytes(packet)) if not _left_out(unit)]
        data = b"".join(len(unit).to_bytes(self.prefix, "big") + unit for unit in units)
        fitted = av.Packet(len(data))
        fitted.update(data)
        fitted.pts, fitted.dts, fitted.duration = packet.pts, packet.dts, packet.duration
        fitted.time_base, fitted.is_keyframe, fitted.stream = packet.time_base, packet.is_keyframe, packet.stream
        return fitted


@dataclass(frozen=True)
class SpliceAdvice:
    """The result of looking at a source: either ``splice``, the ``encoding`` for the parts that are not copied and the
    ``joins`` (frames where both may meet, the end of the source's packets included), or the ``refusal``, a sentence."""

    encoding: PictureEncoding
    splice: Splice | None = None
    joins: tuple[int, ...] = ()
    refusal: str = ""


def advise_splice(clip: Clip, facts: PictureFacts, encoding: PictureEncoding) -> SpliceAdvice:
    """Whether the packets of ``clip`` can be copied into a picture with this ``encoding``. The file is read once;
    nothing is decoded."""
    refusal = _refusal(clip, facts, encoding)
    if refusal:
        return SpliceAdvice(encoding, refusal=refusal)
    with open_input(clip.path) as container:
        video = container.streams.video[clip.stream]
        if clock_joins(container):
            return SpliceAdvice(encoding, refusal="it is joined from recordings with clocks of their own")
        header = AvcHeader.parse(video.codec_context.extradata or b"") if encoding.codec == "h264" else None
        if encoding.codec == "h264" and (header is None or header.prefix != 4):
            return SpliceAdvice(encoding, refusal="its packets are a stream with start codes (MPEG-TS or a raw file)")
        listing = _list_packets(container, video, header)
        refusal = listing.refusal(clip, time_base_of(video)) or listing.open_gops
        if refusal:
            return SpliceAdvice(encoding, refusal=refusal)
        if header is not None:
            return _advise_h264(clip, facts, encoding, header, listing)
        return _advise_intra(clip, facts, encoding, video.codec_context.extradata or b"", listing)


def _refusal(clip: Clip, facts: PictureFacts, encoding: PictureEncoding) -> str:
    """Why nothing can be copied, as far as that is known before the packets are read; "" if nothing speaks against."""
    if facts.codec != encoding.codec:
        return f"it is {facts.codec}, the new picture is {encoding.codec}"
    if encoding.codec in _WHOLE:
        return f"{encoding.codec}: {_WHOLE[encoding.codec]}"
    if encoding.encoder != _SPLICED.get(encoding.codec):
        return f"the encoder {encoding.encoder} does not let its parameter sets be chosen"
    if facts.interlaced:
        return "it is interlaced"
    if clip.matched_by_order:
        return "its frame times are damaged"
    if not clip.own_frames:
        return "its frames are shown at other times"
    if encoding.pixel_format != facts.pixel_format or any(encoding.pads):
        return f"the new picture is {encoding.pixel_format}, the source {facts.pixel_format}"
    lost = [name for name, _ in facts.side_data if encoding.codec not in SIDE_DATA_KINDS.get(name, _UNKNOWN).codecs]
    if lost:
        return f"new pictures could not carry {SIDE_DATA_KINDS.get(lost[0], SideDataKind(lost[0])).label}"
    return ""


@dataclass(eq=False)
class _PacketListing:
    """All packets of a picture in decoding order: times in units, and whether a decoder can begin at each (``starts``).
    ``keys`` counts those that the container calls key frames. ``trouble`` is the first thing found that speaks against
    copying."""

    pts: np.ndarray
    dts: np.ndarray | None
    starts: np.ndarray
    keys: int
    trouble: str

    def refusal(self, clip: Clip, time_base: Fraction) -> str:
        """Why the packets cannot be copied; "" if they can."""
        if self.trouble:
            return self.trouble
        times = clip.file_times
        if time_base != times.time_base or not np.array_equal(np.sort(self.pts), times.pts):
            return "its packets and frames do not correspond one to one"
        return ""

    @property
    def open_gops(self) -> str:
        """Why no GOP can be copied, if they are open; "" if some are closed."""
        return "its GOPs are open: they refer to each other" if self.keys > 1 and len(self.joins) < 2 else ""

    @property
    def joins(self) -> tuple[int, ...]:
        """Frames that begin a closed GOP: a decoder can begin there, and no packet before is shown after."""
        before = np.concatenate(([np.iinfo(np.int64).min], np.maximum.accumulate(self.pts)[:-1]))
        after = np.minimum.accumulate(self.pts[::-1])[::-1]
        return tuple(np.flatnonzero(self.starts & (before < self.pts) & (after == self.pts)).tolist())

    @property
    def delay(self) -> int:
        """Packets by which decoding order lags behind display order at most."""
        order = np.argsort(np.argsort(self.pts))
        return int(max(0, np.max(np.arange(len(self.pts)) - order)))

    def dts_allow(self, delay: int) -> bool:
        """True if the decoding times suit packets that are out of order by up to ``delay`` frames, too."""
        if self.dts is None or bool(np.any(np.diff(self.dts) <= 0)):
            return False
        shown = np.sort(self.pts)
        return bool(np.all(self.dts <= shown[np.maximum(0, np.arange(len(shown)) - delay)]))


def _list_packets(container: InputContainer, video: VideoStream, header: AvcHeader | None) -> _PacketListing:
    """Read all packets of ``video``. ``header``: it is H.264, whose NAL units are looked at."""
    discard_other_streams(container, video)
    pts, dts, starts, keys, trouble, errors = [], [], [], 0, "", ReadErrors()
    known = frozenset((*header.sps, *header.pps)) if header is not None else frozenset()
    for packet in demux_past_errors(container, [video], errors):
        if not packet.size:
            continue
        if packet.is_corrupt or packet.is_discard or packet.pts is None:
            trouble = trouble or "some of its packets are not shown, or are damaged"
            continue
        starts.append(packet.is_keyframe)
        keys += packet.is_keyframe
        if header is not None and not trouble:
            kinds, trouble = _unit_types(bytes(packet), header.prefix, known)
            starts[-1] = _IDR in kinds
        pts.append(packet.pts)
        dts.append(packet.dts)
    if errors.count:
        trouble = "the file is damaged"
    numbers = None if None in dts else np.array(dts, np.int64)
    return _PacketListing(np.array(pts, np.int64), numbers, np.array(starts, bool), keys, trouble)


def _unit_types(data: bytes, prefix: int, known: frozenset[bytes]) -> tuple[set[int], str]:
    """(Types of the NAL units of a packet, what speaks against copying it)."""
    kinds = set()
    for first, end in nal_units(data, prefix):
        kind = data[first] & 31
        kinds.add(kind)
        if kind in (SPS, PPS) and data[first:end] not in known:
            return kinds, "its parameter sets change within the picture"
    return kinds, "" if kinds <= _PLAIN_UNITS else "it uses extensions of H.264 (layers, views or data partitions)"


def _joins_of(clip: Clip, listing: _PacketListing) -> tuple[int, ...]:
    """The joins among the frames that the clip shows as its file does. Nothing refers beyond the end of the file."""
    own, whole = clip.own_frames, len(clip.file_times)
    return tuple(join for join in (*listing.joins, whole) if join <= own)


def _advise_h264(
    clip: Clip, facts: PictureFacts, encoding: PictureEncoding, header: AvcHeader, listing: _PacketListing
) -> SpliceAdvice:
    parsed = [sequence_parameters(sps) for sps in header.sps]
    sources = [one for one in parsed if one is not None]
    refusal = "its parameter sets cannot be read" if not sources or len(sources) < len(parsed) else ""
    refusal = refusal or next(filter(None, map(_source_refusal, sources)), "")
    if refusal:
        return SpliceAdvice(encoding, refusal=refusal)
    number = _free_number(header, sources)
    stated = [listing.delay if one.reorder is None else one.reorder for one in sources]
    allowed = [choice for choice in _REORDERING if choice[0] <= min(stated)]
    settings = _x264_settings(encoding, sources, number)
    for keeps_dts in (True, False):
        for delay, reordering in allowed:
            if keeps_dts and not listing.dts_allow(delay):
                continue
            tried = _with_x264(settings, reordering)
            try:
                ours = split_start_codes(open_encoder(clip, facts, tried).extradata or b"")
            except (FFmpegError, ValueError):
                return SpliceAdvice(encoding, refusal="the encoder does not take its profile or level")
            refusal = _difference(ours, sources, number)
            if not refusal:
                sps = tuple(unit for unit in ours if unit[0] & 31 == SPS)
                pps = tuple(unit for unit in ours if unit[0] & 31 == PPS)
                splice = Splice(header.with_sets(sps, pps), header.prefix, max(delay, listing.delay), keeps_dts)
                return SpliceAdvice(tried, splice, _joins_of(clip, listing))
    return SpliceAdvice(encoding, refusal=refusal or "its decoding times leave no room for new packets")


def _source_refusal(source: SequenceParameters) -> str:
    """Why packets with these parameters are not copied; "" if they can be."""
    if not source.frames_only:
        return "it is interlaced"
    if source.hrd:
        return "it describes the decoder's buffer (HRD), which new packets would break"
    if source.profile not in _X264_PROFILES or source.chroma_format not in (1, 2):
        return f"its H.264 profile (number {source.profile}) is not one that is copied"
    return ""


def _free_number(header: AvcHeader, sources: list[SequenceParameters]) -> int:
    """An id for new parameter sets that neither an SPS nor a PPS of the source has; x264 gives both the same."""
    taken = {one.number for one in sources} | {picture_parameters_number(pps) for pps in header.pps}
    return next(number for number in range(1, 32) if number not in taken)


def _x264_settings(encoding: PictureEncoding, sources: list[SequenceParameters], number: int) -> PictureEncoding:
    """``encoding`` with the profile, level and chroma position of the source, and parameter sets with ``number``."""
    first = sources[0]
    settings = {"sps-id": str(number), "open-gop": "0", "level": f"{first.level / 10:.1f}"}
    if first.chroma_location[0]:
        settings["chromaloc"] = str(first.chroma_location[0])
    options = encoding.options | {"profile": _X264_PROFILES[first.profile]}
    return _with_x264(replace(encoding, options=options), settings)


def _with_x264(encoding: PictureEncoding, settings: dict[str, str]) -> PictureEncoding:
    words = [encoding.options.get("x264-params", ""), *(f"{name}={value}" for name, value in settings.items())]
    return replace(encoding, options=encoding.options | {"x264-params": ":".join(filter(None, words))})


def _difference(ours: list[bytes], sources: list[SequenceParameters], number: int) -> str:
    """Why a decoder of the source might not take packets with the parameter sets ``ours``; "" if it does."""
    parsed = [sequence_parameters(unit) for unit in ours if unit[0] & 31 == SPS]
    numbers = {picture_parameters_number(unit) for unit in ours if unit[0] & 31 == PPS}
    new = parsed[0] if len(parsed) == 1 else None
    if new is None or new.number != number or numbers != {number}:
        return "the encoder did not take a number of its own for its parameter sets"
    for source in sources:
        alike = [_described(new) == _described(source), new.profile <= source.profile, new.level <= source.level]
        alike.append(new.frames_only and not new.hrd)
        if source.reorder is not None and new.reorder is not None:
            alike.append(new.reorder <= source.reorder)
        if source.buffered is not None:
            alike.append(new.buffered is not None and new.buffered <= source.buffered)
        if not all(alike):
            return "its size, colours, profile or level differ from what the encoder writes"
    return ""


def _described(one: SequenceParameters) -> tuple[object, ...]:
    """What must be equal in the source's parameters and in new ones. Square pixels may be stated or not."""
    left, right, top, bottom = one.cropping
    across, down = (1 if one.chroma_format in (0, 3) else 2), (2 if one.chroma_format == 1 else 1)
    shown = (one.coded_size[0] - across * (left + right), one.coded_size[1] - down * (top + bottom), left, top)
    aspect = one.aspect if 0 not in one.aspect else (1, 1)
    pixel = Fraction(*aspect)
    return (one.chroma_format, one.depths, shown, pixel, one.full_range, one.colours, one.chroma_location)


def _advise_intra(
    clip: Clip, facts: PictureFacts, encoding: PictureEncoding, extradata: bytes, listing: _PacketListing
) -> SpliceAdvice:
    """ProRes needs no header; FFV1 is copied only if the source's header is exactly the one that is written here."""
    if encoding.codec != "prores" and (open_encoder(clip, facts, encoding).extradata or b"") != extradata:
        return SpliceAdvice(encoding, refusal="it was encoded with other settings than new pictures are")
    if listing.delay:
        return SpliceAdvice(encoding, refusal="its packets are out of order")
    splice = Splice(extradata, 0, 0, listing.dts_allow(0))
    return SpliceAdvice(encoding, splice, _joins_of(clip, listing))


def _left_out(unit: bytes) -> bool:
    """True for parameter sets and delimiters, which copied packets do not have, and for messages of the encoder about
    itself."""
    kind = unit[0] & 31
    return kind in (SPS, PPS, _AUD) or (kind == _SEI and len(unit) > 1 and unit[1] == _UNREGISTERED)
