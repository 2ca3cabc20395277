"""When a mouth rests in the pauses of a dub, and how it gets there and back.

Measured on the mouths of 18 filmed clips, at 18 beginnings and 18 ends of pauses of .4 s or more: 15 mouths are shut
when the voice activity falls below its threshold, as that stays high for about 100 ms after a voice; two close within
300 ms. Before a voice mouths open long in advance and slowly: on average from rest 600 ms before it to their full
opening when it begins, half of it 300 ms before.
"""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lipdub.timeline.mouth import AP
from lipdub.timeline.runs import true_runs
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

VOICED = 0.3
"""The voice activity from which there is a voice."""

MARGIN = 50
"""Rows of silence before and after a dub that rests are computed for: more than the widest ramp reaches."""

_STEP = float(FEATURE_STEP)
_SHORTEST = 20  # rows: in pauses shorter than .40 s mouths stay open
_CLOSED_AFTER, _CLOSING = 0.04, 0.24  # seconds after a voice when a mouth is half closed; how long it closes
_EARLY = 4  # rows before the end of the voice activity in which it begins to close
_OPEN_BEFORE, _OPENING = 0.30, 0.60  # seconds before a voice when it is half open; how long it opens
_HANGOVER = 0.1  # seconds before its end in which the voice activity is still high, although the voice has ended


def quiet_rows(dub: SpeechFeatures) -> Bool[np.ndarray, " rows"]:
    """Whether there is no voice, for the rows of ``dub`` and ``MARGIN`` rows before and after it."""
    return np.pad(dub.voice_activity < VOICED, MARGIN, constant_values=True)


def rests(
    quiet: Bool[np.ndarray, " rows"], start: float
) -> tuple[Float32[np.ndarray, " rows"], Float64[np.ndarray, "pauses 2"]]:
    """How much a mouth rests in each row, 0..1, and the silences in which it rests.

    ``quiet`` as ``quiet_rows`` gives it for a dub that begins at ``start`` (clip time). A silence is given by when the
    voice ends and the next one begins (clip time), infinite where the dub has not begun or has ended. In a pause that
    is too short to close and open again, the mouth closes in part.
    """
    gate, silences = np.zeros(len(quiet)), []
    clock = np.arange(len(quiet)) * _STEP
    for first, stop in true_runs(quiet):
        if stop - first < _SHORTEST:
            continue
        early = max(first - _EARLY, 0)
        rows = clock[early:stop]
        closing = _ramp((rows - first * _STEP - _CLOSED_AFTER) / _CLOSING) if first > 0 else np.ones(len(rows))
        opening = _ramp((stop * _STEP - _OPEN_BEFORE - rows) / _OPENING) if stop < len(quiet) else np.ones(len(rows))
        gate[early:stop] = np.maximum(gate[early:stop], np.minimum(closing, opening))
        begin = start + (first - MARGIN) * _STEP if first > 0 else -np.inf
        silences.append((begin, start + (stop - MARGIN) * _STEP if stop < len(quiet) else np.inf))
    return gate.astype(np.float32), np.array(silences, np.float64).reshape(-1, 2)


def settle(
    shapes: Float64[np.ndarray, "n 6"],
    rest: Float64[np.ndarray, " 6"],
    silent: Float64[np.ndarray, " n"],
    seconds: Float64[np.ndarray, " n"],
    silences: Float64[np.ndarray, "pauses 2"],
) -> None:
    """Change ``shapes`` so that lips only close from the end of speech until they rest, and only open from then until
    speech: a prediction without a voice wanders.

    A shape that is open too far is moved towards ``rest``, as a whole. ``silent``: how much the mouth rests. Silences
    in which it never rests fully stay as they are.
    """
    for begin, end in silences:
        rows = np.flatnonzero((seconds >= begin - _HANGOVER) & (seconds <= end))
        resting = rows[silent[rows] > 1 - 1e-6]
        if not len(resting):
            continue
        closing = rows[rows <= resting[0]] if np.isfinite(begin) else rows[:0]
        opening = rows[rows >= resting[-1]] if np.isfinite(end) else rows[:0]
        for some in (closing, opening[::-1]):
            widest = np.minimum.accumulate(shapes[some, AP])
            beyond = np.maximum(shapes[some, AP] - rest[AP], 1e-9)
            part = np.clip((shapes[some, AP] - widest) / beyond, 0, 1)
            shapes[some] += part[:, None] * (rest - shapes[some])


def _ramp(phase: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """A raised cosine from 0 at phase -.5 to 1 at phase .5."""
    return 0.5 + 0.5 * np.sin(np.pi * np.clip(phase, -0.5, 0.5))
