"""Faster or slower at the same pitch."""

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
_SHORTEST, _AFTER = 0.25, 0.05  # seconds of sound that a stretcher wants, and of silence, not to lose the end


def time_stretch(samples: Float32[np.ndarray, " n"], size: int, rate: int) -> Float32[np.ndarray, " m"]:
    """``samples`` (at ``rate`` per second) in exactly ``size`` samples: onsets stay in proportion to within 5 ms, the
    pitch stays. The same samples if their number is ``size`` already.

    Done by Signalsmith Stretch (MIT), which moves the onsets of bursts by 3.4 ms at most; on machines for which it is
    not built (``pyproject.toml`` says which), by FFmpeg's ``atempo`` (WSOLA; inner onsets up to 21 ms early).
    """
    if size == len(samples):
        return samples
    if not size or not len(samples):
        return np.zeros(size, np.float32)
    more = max(round(_AFTER * rate), round(_SHORTEST * rate) - len(samples))
    longer = np.pad(samples, (0, more))
    out = available_stretcher()(longer, size + round(more * size / len(samples)), rate)
    return np.pad(out, (0, max(0, size - len(out))))[:size].astype(np.float32)


def available_stretcher() -> Stretcher:
    """The one that this machine has: (samples, wished number, rate) to about as many samples."""
    return signalsmith_stretch if find_spec("python_stretch") else atempo_stretch


def signalsmith_stretch(samples: Float32[np.ndarray, " n"], size: int, rate: int) -> Float32[np.ndarray, " m"]:
    """Signalsmith Stretch, its latency already taken off; always seeded alike."""
    from python_stretch.Signalsmith import Stretch

    machine = Stretch(_SEED)
    machine.preset(1, rate)
    machine.setTimeFactor(len(samples) / size)
    return np.asarray(machine.process(samples[None]), np.float32)[0]


def atempo_stretch(samples: Float32[np.ndarray, " n"], size: int, rate: int) -> Float32[np.ndarray, " m"]:
    """FFmpeg's atempo."""
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
