"""Features from the third layer of whisper-base's encoder, projected onto 128 principal components.

Lower layers tell more of the mouth than the last one, which tells of words. The log-mel spectrogram is whisper's (80
bands, 25 ms windows, 10 ms hop, Slaney's mel scale). Each chunk is projected at once, so that the features of an hour
of speech need little memory.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float32, Float64

from lipdub.acoustics.chunks import HOP, Chunk, overlapping_chunks, padded, rows_of
from lipdub.process.blas_threads import one_blas_thread
from lipdub.sound_to_mouth.encoder_network import WIDTH, EncoderNetwork
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE

IDENTITY = "whisper-base, 3 layers, 128 components, 3"
"""What changes when the features of the same sound do: raise the number with the network, the basis or the chunks."""

COMPONENTS = 128
_BANDS, _WINDOW, _MEL_HOP = 80, 400, 160
_LONGEST, _TRIM = 500, 50  # rows
_CEILING = 1.5  # log10 of mel power that speech at the RMS ACTIVE_RMS just reaches
_RANGE = 8.0


class SpeechEncoder:
    """Runs the encoder: ``project`` gives components in the shipped basis, ``rows`` the third layer's output."""

    def __init__(self) -> None:
        """Load the network in the package. Raises ``WeightsError`` if its file is damaged."""
        self._network = EncoderNetwork.shipped()

    def project(self, samples: Samples, gain: float = 1.0) -> Float32[np.ndarray, "rows 128"]:
        """Whitened leading components for every row of 16 kHz ``samples``, multiplied by ``gain`` first."""
        basis = EncoderBasis.shipped()
        with one_blas_thread():
            parts = [
                basis.project(self._encode_chunk(samples, gain, chunk))
                for chunk in overlapping_chunks(len(samples), _LONGEST, _TRIM)
            ]
        return np.concatenate([np.zeros((0, COMPONENTS), np.float32), *parts])

    def rows(self, samples: Samples, gain: float = 1.0, place: int = 0) -> Float32[np.ndarray, "rows 512"]:
        """The third layer's output for every row, from which training makes the basis. The first row of a chunk is
        taken for row ``place`` of a sound."""
        with one_blas_thread():
            parts = [
                self._encode_chunk(samples, gain, chunk, place)
                for chunk in overlapping_chunks(len(samples), _LONGEST, _TRIM)
            ]
        return np.concatenate([np.zeros((0, WIDTH), np.float32), *parts])

    def _encode_chunk(
        self, samples: Samples, gain: float, chunk: Chunk, place: int = 0
    ) -> Float32[np.ndarray, "rows 512"]:
        rows = rows_of(chunk.stop - chunk.first)
        cut = padded(samples, chunk.first - _WINDOW // 2, chunk.first + rows * HOP + _WINDOW // 2 - _MEL_HOP)
        return self._network.rows(log_mel(cut * np.float32(gain)), place)[chunk.keep : chunk.until]


def log_mel(samples: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, "80 frames"]:
    """Whisper's log-mel spectrogram, one column per 10 ms, the first centred on sample 200.

    Whisper clamps values to 80 dB below the loudest of its 30 s. Here they are clamped to 80 dB below a fixed ceiling:
    the level is normalised already, and features must not depend on how a long sound was cut into chunks.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_MEL_HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = np.log10(np.maximum(power @ mel_bands().T, 1e-10))
    return ((np.maximum(mel, _CEILING - _RANGE) + 4) / 4).T.astype(np.float32)


@cache
def mel_bands() -> Float64[np.ndarray, "80 201"]:
    """Triangular filters of equal area on Slaney's mel scale (linear to 1 kHz, then 27 steps per factor 6.4)."""
    step, knee, log_step = 200 / 3, 15.0, np.log(6.4) / 27
    marks = np.linspace(0, knee + np.log(ANALYSIS_RATE / 2 / 1000) / log_step, _BANDS + 2)
    hertz = np.where(marks < knee, marks * step, 1000 * np.exp(log_step * (marks - knee)))
    frequency = np.fft.rfftfreq(_WINDOW, 1 / ANALYSIS_RATE)
    rising = (frequency - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    falling = (hertz[2:, None] - frequency) / np.diff(hertz)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (hertz[2:] - hertz[:-2]))[:, None]


@dataclass(frozen=True, eq=False)
class EncoderBasis:
    """A basis for encoder rows: their ``mean``, and ``directions`` scaled so that components vary about equally.

    The directions are such that components hardly tell where in a chunk a row lies.
    """

    mean: Float32[np.ndarray, " 512"]
    directions: Float32[np.ndarray, "512 128"]

    def project(self, rows: Float32[np.ndarray, "rows 512"]) -> Float32[np.ndarray, "rows 128"]:
        """The components of encoder ``rows`` in this basis."""
        return (rows - self.mean) @ self.directions

    @staticmethod
    @cache
    def shipped() -> "EncoderBasis":
        """The basis in the package, made by ``train.prior``."""
        with (files("lipdub.sound_to_mouth") / "encoder_basis.npz").open("rb") as file, np.load(file) as data:
            return EncoderBasis(data["mean"].astype(np.float32), data["directions"].astype(np.float32))
