"""Small films and sounds, and what is said about them when they are signed."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lipdub.credentials.manifest import ChangedSpan, DubAccount, Ingredient
from lipdub.credentials.sign import media_type
from lipdub.timeline.time import Span


def film(path: Path, seed: int = 0) -> Path:
    """A film of a few frames of noise."""
    noise = np.random.default_rng(seed)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libvpx-vp9" if path.suffix == ".webm" else "libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(noise.integers(0, 255, (64, 64, 3), dtype=np.uint8), format="rgb24")
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


def sound(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        codec = {".wav": "pcm_s16le", ".flac": "flac", ".m4a": "aac", ".mp3": "libmp3lame"}[path.suffix]
        stream = out.add_stream(codec, rate=48000, layout="mono")
        stream.time_base = Fraction(1, 48000)
        kind = "fltp" if path.suffix in (".m4a", ".mp3") else "s16"
        for number in range(12):
            wave = np.sin(np.arange(1024) / 20) * 0.4
            samples = wave.astype(np.float32) if kind == "fltp" else (wave * 2**15).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], kind, "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 1024 * number, stream.time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux() if packet.size]


def account(*ingredients: Ingredient, title: str = "talk.es.mp4") -> DubAccount:
    return DubAccount(
        title=title,
        version="1.2.3",
        when=datetime(2026, 11, 29, 10, 20, 30, tzinfo=UTC),
        picture="lips were changed",
        changed=(
            ChangedSpan(Span(Fraction(1, 3), Fraction(2)), "a mouth"),
            ChangedSpan(Span(Fraction(3), Fraction(4)), ""),
        ),
        sound="a voice spoke",
        synthetic=True,
        language="es",
        source_language="en",
        translated=True,
        ingredients=ingredients,
    )


def source_of(path: Path) -> Ingredient:
    return Ingredient(path, media_type(path), "parentOf", "source")
