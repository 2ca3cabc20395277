"""How a sound is encoded for a container: the codec, its rate and its channels."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from lipdub.media.encoder import GLOBAL_HEADER
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_pieces import PIECED_CODECS

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_USUAL = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True)
class DecodedSound:
    """A sound that is to be encoded: samples per second (``rate``), FFmpeg's name of its channel ``layout``, how many
    ``channels`` it has, and the ``bits`` of its samples."""

    rate: int
    layout: str
    channels: int
    bits: int = 16

    @classmethod
    def of(cls, context: AudioCodecContext) -> "DecodedSound":
        """What a decoder gives."""
        return cls(context.sample_rate, context.layout.name, context.channels, _bits(context))


@dataclass(frozen=True)
class SoundEncoding:
    """How sound is encoded: FFmpeg's names of the ``encoder``, the channel ``layout`` and the sample ``format``;
    samples per second (``rate``); the encoder's ``options``."""

    encoder: str
    rate: int
    layout: str
    format: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def codec(self) -> str:
        """The name of the codec in reports."""
        return self.encoder.removeprefix("lib")

    def open(self) -> AudioCodecContext:
        """A new encoder that belongs to no file. Raises ``FFmpegError`` or ``ValueError`` if it takes no such sound."""
        context = av.CodecContext.create(self.encoder, "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = self.rate, self.layout, self.format
        context.time_base = Fraction(1, self.rate)
        context.options = dict(self.options)
        context.flags |= GLOBAL_HEADER
        context.open()
        return context


def sound_encoding(container: str, sound: DecodedSound) -> tuple[SoundEncoding, tuple[str, ...]]:
    """(How ``sound`` is encoded for ``container``, sentences on what that changes): lossless where players of that
    container support it."""
    rate, deep = sound.rate, sound.bits > 16
    match container:
        case "mp4":
            name, sample = "aac", "fltp"
            rate = rate if rate in _AAC_RATES else 48000
        case "mov":
            name, sample = ("pcm_s24le", "s32") if deep else ("pcm_s16le", "s16")
        case "webm":
            name, sample, rate = "libopus", "flt", 48000
        case _:
            name, sample = "flac", "s32" if deep else "s16"
            rate = min(rate, 655350)
    layout = _layout(name, sample, rate, sound)
    channels = len(av.AudioLayout(layout).channels)
    options: dict[str, str] = {}
    if name == "aac":
        kilobits = {1: 192, 2: 256}.get(channels, 512 if channels <= 6 else 640)
        options["b"] = str(min(kilobits * 1000, 6 * rate * channels))
    if name == "libopus":
        options["b"] = str({1: 128_000, 2: 256_000}.get(channels, 510_000))
    how, notes = SoundEncoding(name, rate, layout, sample, options), []
    if channels != sound.channels:
        notes.append(
            f"the {sound.channels} channels of the dub track are mixed to {channels}: {how.codec} takes no more"
        )
    if rate != sound.rate:
        notes.append(f"the dub track is resampled from {sound.rate} to {rate} Hz: {how.codec} takes no other")
    if sound.bits > 24 and name in ("pcm_s24le", "flac"):
        notes.append(f"the {sound.bits}-bit samples of the dub track become 24-bit ones in {how.codec}")
    return how, tuple(notes)


def pieced_encoding(container: str, sound: SoundFormat) -> SoundEncoding | None:
    """How floats in the format ``sound`` are encoded in pieces for ``container``; None if its codec needs no pieces, or
    if they would have to be resampled or mixed to other channels first."""
    if len(sound.channels) > 8:
        return None
    layout = av.AudioLayout("+".join(sound.channels)).name
    how, _ = sound_encoding(container, DecodedSound(sound.rate, layout, len(sound.channels)))
    fits = how.encoder in PIECED_CODECS and how.rate == sound.rate and how.layout == layout
    return how if fits else None


def _bits(context: AudioCodecContext) -> int:
    """Bits per sample; 16 for lossy codecs."""
    name = context.codec.canonical_name
    if name.startswith("pcm_"):
        digits = "".join(filter(str.isdigit, name.split("_")[1]))
        return int(digits) if digits else 16
    if name in ("flac", "alac", "wavpack", "tta", "truehd", "mlp"):
        return 24 if context.format.bytes > 2 else 16
    return 16


def _layout(encoder: str, sample: str, rate: int, sound: DecodedSound) -> str:
    """The closest channel layout that the encoder takes: the stated one, the usual one for this number of channels (WAV
    files often state none), or one with fewer channels."""
    usual = [name for count, name in sorted(_USUAL.items(), reverse=True) if count <= sound.channels]
    for candidate in chain([] if "channels" in sound.layout else [sound.layout], usual):
        if _opens(encoder, sample, rate, candidate):
            return candidate
    return "stereo"


def _opens(encoder: str, sample: str, rate: int, layout: str) -> bool:
    try:
        SoundEncoding(encoder, rate, layout, sample).open()
    except (FFmpegError, ValueError):
        return False
    return True
