"""The sound of every voice: silence at both ends removed, the same level, no clicks."""

import numpy as np
from jaxtyping import Float

from lipdub.errors import ServiceError
from lipdub.timeline.sound import Sound

SPEECH_RMS = 10 ** (-18 / 20)
"""The RMS of speech to which all voices are scaled: -18 dB of full scale."""

_PEAK = 10 ** (-1.0 / 20)
_MOST, _LEAST = 10 ** (15 / 20), 10 ** (-20 / 20)  # limits of the gain
_SILENT, _QUIET = 0.0005, 0.02  # RMS of silence: of full scale; of the loudest block
_BLOCK, _EDGE = 0.01, 0.004  # seconds


def trim_and_level(samples: Float[np.ndarray, " samples"], rate: int) -> Sound:
    """Mono ``samples`` at ``rate`` from the first syllable to the last, speech at -18 dB RMS, peaks at most -1 dB.

    Raises ``ServiceError`` if all is silent or a sample is not a finite number.
    """
    if not np.isfinite(samples).all():
        raise ServiceError("the voice answered with sound that holds values that are no numbers")
    speech = trim_silence(samples, rate)
    if len(speech) == 0:
        raise ServiceError("the voice answered with silence")
    edge = min(max(1, int(_EDGE * rate)), len(speech) // 2)
    out = level_speech(speech, rate)
    if edge:
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
        out[:edge] *= ramp
        out[-edge:] *= ramp[::-1]
    return Sound(out.astype(np.float32)[None], rate)


def trim_silence(samples: Float[np.ndarray, " samples"], rate: int) -> Float[np.ndarray, " speech"]:
    """From the first block of 10 ms that is louder than 2 % of the loudest, to the last; empty if all is silent."""
    levels, block = _blocks(samples, rate)
    if len(levels) == 0 or levels.max() < _SILENT:
        return samples[:0]
    loud = np.flatnonzero(levels > max(_QUIET * float(levels.max()), _SILENT))
    return samples[loud[0] * block : (loud[-1] + 1) * block]


def level_speech(samples: Float[np.ndarray, " samples"], rate: int) -> Float[np.ndarray, " samples"]:
    """``samples`` scaled to ``SPEECH_RMS``, measured on the blocks within 20 dB of the loudest; peaks at most -1 dB."""
    levels, _ = _blocks(samples, rate)
    speaking = levels[levels > 0.1 * levels.max()]
    gain = min(max(SPEECH_RMS / float(np.sqrt((speaking**2).mean())), _LEAST), _MOST)
    return samples.astype(np.float64) * min(gain, _PEAK / float(np.abs(samples).max()))


def _blocks(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """The RMS of blocks of 10 ms (the last one padded with silence), and the length of a block in samples."""
    block = max(1, int(_BLOCK * rate))
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % block)).reshape(-1, block)
    return np.sqrt((padded**2).mean(1)), block
