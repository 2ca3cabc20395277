"""What evaluations hear in a finished track, by other means than those it was made with.

Speech is found by its level in a band, not by the voice activity model; loudness is FFmpeg's, not our own meter; what
is left of the clip's own speech is found by regression. All sounds are mono, float64 (samples,).
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import EOFError as Ended
from av.filter import Graph
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.signal import butter, fftconvolve, sosfiltfilt

from lipdub.timeline.runs import true_runs

Samples = NDArray[np.float64]

STEP = 0.01
"""Seconds between two looks at the level."""

_BAND = 150.0, 5000.0  # Hz in which voices are louder than rooms
_BRIDGED, _SHORTEST = 15, 8  # steps: shorter pauses belong to the words, shorter noises are none
_SHARE, _LEAST = 0.35, 9.0  # of the way from the floor to the top, and dB over the floor: speech


def level(sound: Samples, rate: int) -> Samples:
    """Decibels of full scale (RMS) of every step, in the band of voices."""
    nyquist = rate / 2
    band = butter(4, [_BAND[0], min(_BAND[1], 0.95 * nyquist)], "bandpass", fs=rate, output="sos")
    return _decibels(sosfiltfilt(band, sound), rate)


def _decibels(sound: Samples, rate: int) -> Samples:
    edges = np.round(np.arange(int(len(sound) / rate / STEP) + 1) * STEP * rate).astype(int)
    sums = np.concatenate([[0.0], np.cumsum(sound**2)])[edges]
    power = np.maximum(np.diff(sums) / np.diff(edges), 0) + 1e-12
    return 10 * np.log10(power).astype(np.float64)


def spoken(decibels: Samples) -> NDArray[np.bool_]:
    """In which steps somebody speaks."""
    floor, top = np.percentile(decibels, [10, 95])
    loud = decibels > floor + max(_LEAST, _SHARE * (top - floor))
    for value, shortest in ((False, _BRIDGED), (True, _SHORTEST)):
        for a, b in true_runs(loud == value):
            if b - a < shortest and 0 < a and b < len(loud):
                loud[a:b] = not value
    return loud


def onsets(speaks: NDArray[np.bool_], pause: float) -> Samples:
    """Seconds at which speech begins after ``pause`` seconds of silence or more."""
    starts, stops = np.array(true_runs(speaks), int).reshape(-1, 2).T
    before = starts - np.concatenate([[-(10**9)], stops[:-1] - 1])
    return starts[before * STEP >= pause] * STEP


def late(true: Samples, found: Samples, reach: float = 0.6) -> Samples:
    """Seconds by which the nearest of ``found`` comes after each of ``true``; NaN where none is within ``reach``."""
    if not len(found):
        return np.full(len(true), np.nan)
    nearest = found[np.abs(found[None] - true[:, None]).argmin(1)] - true
    nearest[np.abs(nearest) > reach] = np.nan
    return nearest


def seconds_of(rows: NDArray[np.bool_]) -> float:
    """Seconds of steps that are True."""
    return float(rows.sum() * STEP)


@dataclass(frozen=True)
class Loudness:
    """As FFmpeg's ebur128 filter has it: LUFS, LU and dBTP."""

    integrated: float
    loudness_range: float
    true_peak: float


def loudness(path: Path) -> Loudness:
    """Loudness of the first sound track of ``path``."""
    told: dict[str, str] = {}
    with av.open(str(path)) as container:
        lane = container.streams.audio[0]
        graph = Graph()
        source = graph.add_abuffer(template=lane)
        meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        for frame in container.decode(lane):
            graph.push(frame)
            told = _drained(graph, told)
        graph.push(None)
        told = _drained(graph, told)
    peak = float(told["lavfi.r128.true_peak"])
    return Loudness(float(told["lavfi.r128.I"]), float(told["lavfi.r128.LRA"]), 20 * float(np.log10(max(peak, 1e-9))))


def _drained(graph: Graph, told: dict[str, str]) -> dict[str, str]:
    while True:
        try:
            told = dict(graph.pull().metadata) or told
        except (Ended, BlockingIOError):
            return told


def remains(mix: Samples, parts: tuple[Samples, ...], rows: NDArray[np.bool_]) -> tuple[float, ...]:
    """Gains by which each of ``parts`` is in ``mix`` where ``rows`` (samples), by least squares."""
    features = np.stack([part[rows] for part in parts], 1)
    return tuple(float(g) for g in np.linalg.lstsq(features, mix[rows], rcond=None)[0])


def samples_of(rows: NDArray[np.bool_], count: int, rate: int) -> NDArray[np.bool_]:
    """Steps as samples."""
    step = np.minimum((np.arange(count) / (STEP * rate)).astype(int), len(rows) - 1)
    return rows[step]


def grown(rows: NDArray[np.bool_], seconds: float) -> NDArray[np.bool_]:
    """Steps no further than ``seconds`` from one that is True."""
    return np.asarray(binary_dilation(rows, iterations=max(1, round(seconds / STEP))), np.bool_)


def floor_of(sound: Samples, rate: int, rows: NDArray[np.bool_]) -> float:
    """Median level (dB of full scale, RMS over 60 Hz) in the steps ``rows``; NaN for less than 0.1 s of them."""
    high = butter(2, 60.0, "highpass", fs=rate, output="sos")
    decibels = _decibels(sosfiltfilt(high, sound), rate)
    rows = rows[: len(decibels)]
    return float(np.median(decibels[: len(rows)][rows])) if rows.sum() >= 10 else float("nan")


def click(sound: Samples, rate: int, instants: list[Fraction]) -> float:
    """The largest second difference within 2 ms of any of ``instants`` (seconds), over the 99 % of those up to 30 ms
    around it: speech has up to about 3, a cut 10 and more."""
    bends = np.abs(np.diff(sound, 2, prepend=sound[:1], append=sound[-1:]))
    near, around, worst = round(0.002 * rate), round(0.03 * rate), 0.0
    for instant in instants:
        at = round(instant * rate)
        ring = bends[max(0, at - around) : at + around]
        here = bends[max(0, at - near) : at + near]
        if len(here) and len(ring) > near and (usual := float(np.quantile(ring, 0.99))) > 0:
            worst = max(worst, float(here.max()) / usual)
    return worst


def pitch(sound: Samples, rate: int) -> float:
    """Median fundamental frequency in Hz of what is voiced (autocorrelation, 40 ms, 60 to 400 Hz); NaN: nothing is."""
    size, low, high = round(0.04 * rate), rate // 400, rate // 60
    found = []
    top = float(np.abs(sound).max()) if len(sound) else 0.0
    for first in range(0, len(sound) - size - high, round(0.01 * rate)):
        frame = sound[first : first + size + high]
        if np.abs(frame).max() < 0.1 * top:
            continue
        frame = frame - frame.mean()
        both = fftconvolve(frame, frame[:size][::-1], "valid")[: high + 1]
        energy = np.cumsum(np.concatenate([[0.0], frame**2]))
        powers = (energy[size] - energy[0]) * (energy[size : size + high + 1] - energy[: high + 1])
        alike = both / np.sqrt(np.maximum(powers, 1e-20))
        best = low + int(alike[low:].argmax())
        if alike[best] > 0.6:
            first_good = low + int(np.flatnonzero(alike[low:] > 0.9 * alike[best])[0])
            peak = first_good + int(alike[first_good : first_good + low].argmax())
            found.append(rate / peak)
    return float(np.median(found)) if len(found) >= 5 else float("nan")


def speech_level(sound: Samples, rate: int) -> float:
    """Decibels of full scale (RMS) of what is no more than 25 dB under the loudest steps."""
    decibels = _decibels(sound, rate)
    if not len(decibels):
        return float("nan")
    loud = decibels[decibels > decibels.max() - 25]
    return 10 * float(np.log10(np.mean(10 ** (loud / 10))))
