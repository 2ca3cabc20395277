"""Which encoder writes the picture, in which pixel format, and which codecs each container takes."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from lipdub.errors import OptionError
from lipdub.media.encoder_settings import default_settings, quiet_settings
from lipdub.media.formats import PlanarFormat, frame_from_planes, is_full_range, planar_format
from lipdub.media.probe import ColourTags, PictureFacts
from lipdub.process.scheduling import usual_scheduling
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import PixelLayout

_FILTER = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""File suffix -> FFmpeg's name of the container that is written for it."""

PICTURE_CODECS = {
    "mp4": ("h264", "hevc", "av1", "vp9"),
    "mov": ("h264", "hevc", "prores"),
    "matroska": ("h264", "hevc", "vp9", "av1", "prores", "ffv1"),
    "webm": ("vp9", "av1"),
}
"""Picture codecs that are written into each container, the most widely played first."""

_ENCODERS = {
    "h264": ("libx264", "libx264rgb"),
    "hevc": ("libx265",),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1",),
    "prores": ("prores_ks",),
    "ffv1": ("ffv1",),
}
_CODEC_ALIASES = {
    "h265": "hevc",
    "x264": "h264",
    "x265": "hevc",
    "avc": "h264",
    "libvpx-vp9": "vp9",
    "prores_ks": "prores",
}
_CODEC_ALIASES |= {name: codec for codec, names in _ENCODERS.items() for name in names}

HARDWARE_ENCODERS = {
    "h264": ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_vaapi"),
    "hevc": ("hevc_nvenc", "hevc_videotoolbox", "hevc_qsv", "hevc_vaapi"),
}
"""Hardware encoders. The first one that opens on this machine is used."""

_HARDWARE_FORMATS = {
    ("nvenc", 8): "yuv420p",
    ("nvenc", 10): "p010le",
    ("videotoolbox", 8): "nv12",
    ("videotoolbox", 10): "p010le",
    ("qsv", 8): "nv12",
    ("qsv", 10): "p010le",
    ("vaapi", 8): "nv12",
    ("vaapi", 10): "p010le",
}

# Formats that encoders list but refuse when they open.
_REFUSED = {("libvpx-vp9", "gbrap"), ("libvpx-vp9", "yuva422p"), ("libvpx-vp9", "yuva444p")}
_REFUSED |= {("libx265", "yuva420p"), ("libx265", "yuva420p10le")}

_FIRST = {"tt": "top field first", "tb": "top field first", "bb": "bottom field first", "bt": "bottom field first"}
GLOBAL_HEADER = 1 << 22
"""AV_CODEC_FLAGGLOBAL_HEADER of libavcodec/avcodec.h."""

X265_DELAY = 8
"""Frames. With fewer than it delays, x265 leaves the first decoding times unset if it reorders frames."""

_INTERLACED_ENCODERS = ("libx264", "prores_ks", "ffv1")
"""Encoders that mark interlaced pictures, at any depth. (x265 expects each field as a picture of its own.)"""


@dataclass(frozen=True)
class PictureEncoding:
    """How the picture is encoded. ``pads`` are the columns and rows that are added because the encoder takes even sizes
    only."""

    codec: str
    encoder: str
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)
    pads: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()


def canonical_codec(codec: str) -> str:
    """The codec's usual name: ``"h264"`` for ``"libx264"``, ``"hevc"`` for ``"h265"``. Raises ``OptionError`` if
    unknown."""
    name = _CODEC_ALIASES.get(codec.lower(), codec.lower())
    if name not in _ENCODERS:
        raise OptionError(
            f"'{codec}' is not a picture codec that can be written", remedy=f"Use one of: {', '.join(_ENCODERS)}."
        )
    return name


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """What the choice of a codec depends on: the source's ``codec``, bits per sample (``depth``), and whether its
    frames are ``interlaced``."""

    codec: str = ""
    depth: int = 8
    interlaced: bool = False

    @classmethod
    def of(cls, facts: PictureFacts) -> "SourcePicture":
        """That of a picture stream."""
        return cls(facts.codec, facts.depth, facts.interlaced)


def choose_codec(container: str, source: SourcePicture, wished: str | None) -> str:
    """The picture codec of the output: ``wished``, else the one that fits container and source and plays most widely.

    8 bit becomes H.264. More bits become HEVC, not H.264 High 10: phones, televisions and browsers decode HEVC Main 10
    in hardware and hardly any decode High 10. Interlaced pictures of 10 bits become High 10, since no HEVC encoder at
    hand keeps fields. ProRes stays ProRes. WebM gets VP9 up to 8 bits, which is all that the encoder at hand can do,
    and AV1 beyond. Raises ``OptionError`` if the container does not take the wished codec.
    """
    taken = PICTURE_CODECS[container]
    if wished is not None:
        codec = canonical_codec(wished)
        if codec not in taken:
            remedy = f"It takes {', '.join(taken)}; or choose another file type."
            raise OptionError(f"{codec} cannot be written into a {container} file", remedy=remedy)
        return codec
    if source.codec == "prores" and "prores" in taken:
        return "prores"
    if container == "webm":
        return "vp9" if source.depth <= 8 else "av1"
    return "h264" if source.depth <= (10 if source.interlaced else 8) else "hevc"


def software_encoding(
    codec: str, facts: PictureFacts, layout: str, crf: int | None, preset: str | None
) -> PictureEncoding:
    """How planes of pixel format ``layout`` are encoded in software with ``codec``.

    The pixel format stays. If no encoder takes it, the nearest one that holds as much is used, with a warning.
    """
    kind = planar_format(layout)
    warnings = []
    encoder, pixel_format = _encoder(codec, kind)
    if pixel_format != layout and (layout, pixel_format) != ("gbrp", "rgb24"):
        warnings.append(f"the picture is written as {pixel_format}: {encoder} does not take {layout}")
    if len(kind.order) == 4 and len(planar_format(pixel_format).order) != 4:
        warnings.append(f"the transparency (alpha channel) of the picture is lost: {encoder} does not take {layout}")
    if facts.interlaced and encoder not in _INTERLACED_ENCODERS:
        first = _FIRST.get(facts.field_order, "field order unknown")
        warnings.append(f"the picture is interlaced ({first}); {codec} is written progressive")
    pads = _padding(encoder, pixel_format, facts.size)
    if any(pads):
        warnings.append("the picture is one pixel larger: its codec takes even sizes only, the edge is repeated")
    options = default_settings(encoder, facts, crf, preset)
    return PictureEncoding(codec, encoder, pixel_format, options, pads, tuple(warnings))


def _encoder(codec: str, kind: PlanarFormat) -> tuple[str, str]:
    """(Encoder, pixel format) that keep a planar format, or come closest."""
    names = _ENCODERS[codec]
    if codec == "h264" and kind.colour == "rgb" and kind.depth == 8:
        return "libx264rgb", "rgb24"
    formats = [form.name for form in av.Codec(names[0], "w").video_formats or ()]
    formats = [name for name in formats if (names[0], name) not in _REFUSED]
    if kind.name in formats:
        return names[0], kind.name
    return names[0], min(formats, key=lambda name: _conversion_loss(kind, name))


def _conversion_loss(kind: PlanarFormat, name: str) -> tuple[int, ...]:
    """How much is lost by converting ``kind`` to format ``name``: alpha, then colour model, chroma, depth; then what is
    only wasted."""
    other = planar_format(name)
    fewer = [max(0, b - a) for a, b in zip(kind.subsampling, other.subsampling, strict=True)]
    more = [max(0, a - b) for a, b in zip(kind.subsampling, other.subsampling, strict=True)]
    alpha = len(kind.order) == 4
    return (
        int(alpha and len(other.order) != 4),
        int(kind.colour == "yuv" and other.colour != "yuv") + int(kind.colour == "rgb" and other.colour == "grey"),
        int(kind.colour != "rgb" and other.colour == "rgb"),
        sum(fewer),
        max(0, kind.depth - other.depth),
        int(kind.colour != other.colour),
        sum(more) + max(0, other.depth - kind.depth) + int(not alpha and len(other.order) == 4),
        int(other.name != name) + int(name.startswith("yuvj") != kind.name.startswith("yuvj")),
    )


def _padding(encoder: str, pixel_format: str, size: tuple[int, int]) -> tuple[int, int]:
    if encoder not in ("libx264", "libx265", "libsvtav1"):
        return (0, 0)
    sx, sy = planar_format(pixel_format).subsampling
    return (-size[0] % sx, -size[1] % sy)


def hardware_encoding(soft: PictureEncoding, facts: PictureFacts, crf: int | None) -> PictureEncoding | None:
    """The first hardware encoder for the same codec that opens on this machine; None if there is none."""
    if planar_format(soft.pixel_format).subsampling != (2, 2) or any(soft.pads) or facts.interlaced:
        return None
    for encoder in HARDWARE_ENCODERS.get(soft.codec, ()):
        pixel_format = _HARDWARE_FORMATS.get((encoder.split("_")[1], planar_format(soft.pixel_format).depth))
        if pixel_format is None:
            continue
        quality = str(18 if crf is None else crf)
        if "nvenc" in encoder:
            options = {"rc": "constqp", "qp": quality, "preset": "p4"}
        elif "videotoolbox" in encoder:
            options = {"q:v": "75"}
        elif "qsv" in encoder:
            options = {"global_quality": quality}
        else:
            options = {"qp": quality}
        if _opens(encoder, pixel_format, facts.size, options):
            return PictureEncoding(soft.codec, encoder, pixel_format, options, warnings=soft.warnings)
    return None


def encoder_opens(encoder: str) -> bool:
    """True if FFmpeg has the encoder ``encoder`` and it opens on this machine, with the hardware that it needs."""
    try:
        formats = [form.name for form in av.Codec(encoder, "w").video_formats or ()]
    except ValueError:
        return False
    usual = _HARDWARE_FORMATS.get((encoder.rpartition("_")[2], 8), "yuv420p")
    pixel_format = usual if usual in formats or not formats else formats[0]
    return _opens(encoder, pixel_format, (256, 144), quiet_settings(encoder))


def _opens(encoder: str, pixel_format: str, size: tuple[int, int], options: dict[str, str]) -> bool:
    try:
        context = av.CodecContext.create(encoder, "w")
        if not isinstance(context, av.VideoCodecContext):
            return False
        context.width, context.height = size
        context.pix_fmt = pixel_format
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = options
        with usual_scheduling():
            context.open()
    except (FFmpegError, ValueError, RuntimeError):
        return False
    return True


def configure_encoder(context: VideoCodecContext, clip: Clip, facts: PictureFacts, encoding: PictureEncoding) -> None:
    """Copy the source stream's properties (size, colours, fields) to the encoder."""
    context.width, context.height = (s + p for s, p in zip(facts.size, encoding.pads, strict=True))
    context.pix_fmt = encoding.pixel_format
    context.thread_type = "FRAME"  # PyAV's default, slices, keeps x264 on one core
    context.time_base = clip.times.time_base
    context.framerate = clip.rate
    context.sample_aspect_ratio = facts.pixel_aspect
    colours = output_colours(facts, encoding)
    context.colorspace, context.color_range = colours.matrix, colours.range
    context.color_primaries, context.color_trc = colours.primaries, colours.transfer
    if encoding.codec not in ("prores", "ffv1"):
        context.gop_size = max(1, round(4 * clip.rate))
    options = dict(encoding.options)
    if encoding.encoder == "libx265" and len(clip) < X265_DELAY:
        options["x265-params"] = f"{options['x265-params']}:bframes=0"
    # JPEG and MPEG-1 put chroma samples in the middle of four pixels, later codecs on the left (H.273, 8.7).
    if facts.codec in ("mjpeg", "mpeg1video") and planar_format(encoding.pixel_format).subsampling == (2, 2):
        options["chroma_sample_location"] = "center"
    if facts.interlaced and encoding.encoder in _INTERLACED_ENCODERS:
        options["flags"] = "+ildct+ilme"
        if encoding.encoder == "libx264":  # it takes the field order from its settings, not from the frames
            order = "bff" if facts.field_order in ("bb", "tb") else "tff"
            options["x264-params"] = ":".join(filter(None, (options.get("x264-params"), f"{order}=1")))
    context.options = options
    if facts.field_order != "unknown":
        context.field_order = {"progressive": 1, "tt": 2, "bb": 3, "tb": 4, "bt": 5}[facts.field_order]


def open_encoder(clip: Clip, facts: PictureFacts, encoding: PictureEncoding) -> VideoCodecContext:
    """An open encoder that belongs to no file: its header ("extradata") is apart from its packets."""
    context = av.CodecContext.create(encoding.encoder, "w")
    assert isinstance(context, VideoCodecContext)
    configure_encoder(context, clip, facts, encoding)
    context.flags |= GLOBAL_HEADER
    with usual_scheduling():
        context.open()
    return context


def describe_stream(stream: VideoStream, clip: Clip, facts: PictureFacts) -> None:
    """Copy the source stream's time base and rotation to the output's stream."""
    stream.time_base = clip.times.time_base
    if facts.matrix is not None:
        stream.set_display_matrix(facts.matrix)


def output_colours(facts: PictureFacts, encoding: PictureEncoding) -> ColourTags:
    """The colour tags of the output: the source's, unless its colour model could not be kept."""
    tags = facts.colours
    before, after = planar_format(facts.pixel_format).colour, planar_format(encoding.pixel_format).colour
    if after == "rgb":
        return replace(tags, matrix=0, range=2)
    if before == "rgb":
        return replace(tags, matrix=1, range=1)
    matrix = 2 if tags.matrix == 0 else tags.matrix
    return replace(tags, matrix=matrix, range=2 if is_full_range(facts.pixel_format, tags.range) else tags.range)


class EncoderInput:
    """Makes the encoder's frames from planes. Samples change only if no encoder takes their pixel format."""

    def __init__(self, facts: PictureFacts, encoding: PictureEncoding) -> None:
        self._tags = output_colours(facts, encoding)
        self._format = encoding.pixel_format
        self._reformatter = VideoReformatter()

    def frame(self, planes: tuple[np.ndarray, ...], layout: PixelLayout, memory: object = None) -> av.VideoFrame:
        """A frame in the encoder's pixel format, with colour tags.

        ``memory``: the picture in which the planes lie, if they lie in one. It is used itself if its format fits, and
        must not be changed afterwards.
        """
        kind, wanted = planar_format(layout.name), planar_format(self._format)
        if kind.colour == "grey" and wanted.colour == "yuv":
            planes, kind = _with_chroma(planes[0], kind)
        if isinstance(memory, av.VideoFrame) and memory.format.name == kind.name:
            picture = memory
        else:
            picture = frame_from_planes(planes, kind)
        if kind.name != self._format:
            turn = kind.colour == "rgb" and wanted.colour == "yuv"
            spaces = {"src_color_range": 2, "dst_colorspace": 1, "dst_color_range": 1} if turn else {}
            picture = self._reformatter.reformat(picture, format=self._format, interpolation=_FILTER, **spaces)
        tags = self._tags
        picture.colorspace, picture.color_range = tags.matrix, tags.range
        picture.color_primaries, picture.color_trc = tags.primaries, tags.transfer
        return picture


def _with_chroma(luma: np.ndarray, kind: PlanarFormat) -> tuple[tuple[np.ndarray, ...], PlanarFormat]:
    """A grey picture as 4:4:4 with neutral chroma."""
    name = "yuv444p" if kind.depth == 8 else f"yuv444p{kind.depth}le"
    empty = np.full_like(luma, 1 << (kind.depth - 1))
    return (luma, empty, empty), planar_format(name)
