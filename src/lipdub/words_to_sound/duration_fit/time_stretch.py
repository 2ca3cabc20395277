"""Time-stretch: speech faster or slower at the same pitch."""

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
from av import AudioFrame
from av.error import BlockingIOError as NotYet
from av.error import EOFError as Ended
from av.filter import Graph
from jaxtyping import Float32

Stretcher = Callable[[np.ndarray, int, int], np.ndarray]

_SEED = 20
_SHORTEST, _AFTER = 0.25, 0.05  # seconds of sound that a stretcher needs at least; of silence added, to keep the end


def time_stretch(
    samples: Float32[np.ndarray, "*channels n"], size: int, rate: int
) -> Float32[np.ndarray, "*channels m"]:
    """``samples`` (at ``rate`` hertz; one channel, or several that stay together) stretched to exactly ``size``, at the
    same pitch, with onsets in proportion to within 5 ms. The same samples if their number is ``size`` already.

    It uses Signalsmith Stretch (MIT), which moves the onsets of bursts by 3.4 ms at most; on systems without a wheel of
    it (see ``pyproject.toml``), FFmpeg's ``atempo`` (WSOLA; inner onsets up to 21 ms early).
    """
    length, sides = samples.shape[-1], [(0, 0)] * (samples.ndim - 1)
    if size == length:
        return samples
    if not size or not length:
        return np.zeros((*samples.shape[:-1], size), np.float32)
    more = max(round(_AFTER * rate), round(_SHORTEST * rate) - length)
    longer = np.pad(samples, [*sides, (0, more)])
    out = available_stretcher()(longer, size + round(more * size / length), rate)
    return np.pad(out, [*sides, (0, max(0, size - out.shape[-1]))])[..., :size].astype(np.float32)


def available_stretcher() -> Stretcher:
    """The stretcher that is installed: a function of (samples, wanted number, rate) that gives about that number."""
    return signalsmith_stretch if find_spec("python_stretch") else atempo_stretch


def signalsmith_stretch(
    samples: Float32[np.ndarray, "*channels n"], size: int, rate: int
) -> Float32[np.ndarray, "*channels m"]:
    """Signalsmith Stretch with its latency removed and a fixed seed."""
    from python_stretch.Signalsmith import Stretch

    stretch = Stretch(_SEED)
    channels = samples.reshape(-1, samples.shape[-1])
    stretch.preset(len(channels), rate)
    stretch.setTimeFactor(samples.shape[-1] / size)
    return np.asarray(stretch.process(channels), np.float32).reshape(*samples.shape[:-1], -1)


def atempo_stretch(
    samples: Float32[np.ndarray, "*channels n"], size: int, rate: int
) -> Float32[np.ndarray, "*channels m"]:
    """FFmpeg's filter ``atempo``, channel by channel."""
    if samples.ndim > 1:
        return np.stack([atempo_stretch(channel, size, rate) for channel in samples])
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))
    tempo = graph.add("atempo", f"{len(samples) / size:.9f}")
    sink = graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "flt", "mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    graph.push(frame)
    graph.push(None)
    out = []
    while True:
        try:
            out.append(graph.pull().to_ndarray()[0])
        except (Ended, NotYet):
            break
    return np.concatenate(out) if out else np.zeros(0, np.float32)
