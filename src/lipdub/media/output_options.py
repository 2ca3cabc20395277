"""How an output is written: what a user may choose, how the picture is encoded, and what is reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

from lipdub.disk.publish import check_output_path
from lipdub.errors import OptionError
from lipdub.media.caption_track import Captions
from lipdub.media.encoder import (
    CONTAINERS,
    PICTURE_CODECS,
    PictureEncoding,
    SourcePicture,
    canonical_codec,
    choose_codec,
    hardware_encoding,
    software_encoding,
)
from lipdub.media.encoder_settings import check_encoder_settings
from lipdub.media.formats import planar_format
from lipdub.media.probe import PictureFacts, probe


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


def chosen_encoding(facts: PictureFacts, container: str, options: WriteOptions) -> PictureEncoding:
    """How a picture with these ``facts`` is encoded for ``container`` (FFmpeg's name). Raises ``OptionError`` if the
    container does not take the wished codec."""
    codec = choose_codec(container, SourcePicture.of(facts), options.codec)
    layout = planar_format(facts.pixel_format).name
    soft = software_encoding(codec, facts, layout, options.crf, options.preset)
    if not options.hardware:
        return soft
    hard = hardware_encoding(soft, facts, options.crf)
    if hard is not None:
        return hard
    note = f"no hardware encoder for {codec} opens here; written with {soft.encoder}"
    return replace(soft, warnings=(*soft.warnings, note))
