"""Sounds for the tests of the mix, and an independent look at them."""

from fractions import Fraction

import av
import numpy as np
from av.error import EOFError as EndOfFile
from av.filter import Graph

from lipdub.compose.mix.stems import Block, MixFormat, Stem
from lipdub.timeline.time import Span

NAMES = {1: ("FC",), 2: ("FL", "FR"), 6: ("FL", "FR", "FC", "LFE", "BL", "BR")}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def mix_format(seconds: float, rate: int = 48000, channels: int = 2, start: Fraction = Fraction(0)) -> MixFormat:
    """The format of a mix of ``seconds``, rounded to samples."""
    return MixFormat(rate, NAMES[channels], start, round(seconds * rate))


def noise(samples: int, channels: int, level: float, seed: int = 0) -> Block:
    """White noise of RMS ``level``, alike in no two channels."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((channels, samples)) * level).astype(np.float32)


def recorded(samples: np.ndarray) -> np.ndarray:
    """Without what converters take away: all above 0.42 of the rate."""
    lines = np.fft.rfft(samples, axis=1)
    lines[:, int(0.84 * lines.shape[1]) :] = 0
    return np.fft.irfft(lines, samples.shape[1], axis=1).astype(np.float32)


def babble(where: MixFormat, spans: tuple[Span, ...], level: float, channels: int, seed: int = 0) -> Block:
    """Something as uneven as speech in ``spans`` (syllables at 5 Hz), exact silence elsewhere."""
    out = np.zeros((channels, where.samples), np.float32)
    for first, stop in where.ranges(spans):
        first, stop = max(first, 0), min(stop, where.samples)
        if stop > first:
            time = np.arange(stop - first) / where.rate
            shape = (0.6 + 0.4 * np.sin(2 * np.pi * 5 * time)) * np.minimum(1, 100 * np.minimum(time, time[::-1]))
            voice = np.sin(2 * np.pi * 160 * time) + 0.5 * recorded(noise(len(time), 1, 1.0, seed))[0]
            out[:, first:stop] = (level * shape * voice).astype(np.float32)
    return out


def stem(samples: Block, size: int = 1024) -> Stem:
    """``samples`` in blocks of ``size``."""
    channels = NAMES[len(samples)]
    return Stem(channels, lambda: (samples[:, i : i + size] for i in range(0, samples.shape[1], size)))


def joined(blocks) -> Block:
    """All blocks as one."""
    return np.concatenate(list(blocks), 1)


def fine_peak(samples: Block, times: int = 8) -> float:
    """The highest magnitude after ``times`` oversampling by Fourier transform, in dB: nothing in common with ours."""
    padded = np.pad(samples.astype(np.float64), ((0, 0), (256, 256)))
    size = padded.shape[1]
    fine = np.fft.irfft(np.fft.rfft(padded, axis=1), size * times, axis=1) * times
    return 20 * float(np.log10(np.abs(fine).max()))


def by_ffmpeg(samples: Block, rate: int) -> tuple[float, float, float]:
    """Integrated loudness, loudness range and true peak (dB) as FFmpeg's ebur128 filter measures them."""
    layout, base = LAYOUTS[len(samples)], Fraction(1, rate)
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout, time_base=base)
    meter, sink = graph.add("ebur128", "peak=true:metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, base
    graph.push(frame)
    graph.push(None)
    told: dict[str, str] = {}
    while True:
        try:
            told |= graph.pull().metadata
        except EndOfFile:
            break
    peak = 20 * float(np.log10(float(told["lavfi.r128.true_peak"])))
    return float(told["lavfi.r128.I"]), float(told["lavfi.r128.LRA"]), peak
