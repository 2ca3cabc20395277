"""What a recogniser's ear makes of speech: the last encoder layer of whisper-base, 128 components of it.

Whisper: A. Radford et al., "Robust speech recognition via large-scale weak supervision", 2022 (MIT). Its log-mel
picture (80 bands, 25 ms windows, 10 ms hop, Slaney's mel scale) is made here; CTranslate2 runs the network.
Components are projected at once, so that an hour of speech stays small.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from lipdub.acoustics.chunks import HOP, Chunk, overlapping_chunks, padded, rows_of
from lipdub.disk.os_errors import OUT_OF_MEMORY, is_out_of_memory
from lipdub.errors import MachineError, MissingExtra, WeightsError
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE

COMPONENTS = 128
_WIDTH = 512  # numbers in a row of the encoder
_BANDS, _WINDOW, _MEL_HOP = 80, 400, 160
_LONGEST, _TRIM = 500, 50  # rows
_CEILING = 1.5  # log10 of mel power that speech at our level just reaches
_RANGE = 8.0


def runtime() -> Any:
    """The module ``ctranslate2``. Raises ``MissingExtra`` if it is not installed."""
    with MissingExtra.guard("hear", "hearing with the whisper encoder"):
        import ctranslate2
    return ctranslate2


class SpeechEncoder:
    """Runs the encoder. ``project`` gives the shipped components, ``raw`` the encoder's own rows (for training)."""

    def __init__(self, model: Path) -> None:
        """Load the CTranslate2 folder ``model``. Raises ``MissingExtra``, ``WeightsError`` or ``MachineError``."""
        ctranslate2 = runtime()
        self._array = ctranslate2.StorageView.from_array
        try:
            self._model: Any = ctranslate2.models.Whisper(
                str(model), device="cpu", compute_type="int8_float32", intra_threads=1, inter_threads=1
            )
        except (RuntimeError, ValueError) as broken:
            if is_out_of_memory(broken):
                raise MachineError(OUT_OF_MEMORY.what, remedy=OUT_OF_MEMORY.remedy) from broken
            raise WeightsError(
                f"the whisper model cannot be read ({broken})",
                file=model,
                remedy="Delete the folder, it will be fetched again.",
            ) from broken

    def project(self, samples: Samples, gain: float = 1.0) -> Float32[np.ndarray, "rows 128"]:
        """Whitened leading components for every row of 16 kHz ``samples``, multiplied by ``gain`` first."""
        basis = EncoderBasis.shipped()
        parts = [
            basis.project(self._heard(samples, gain, piece))
            for piece in overlapping_chunks(len(samples), _LONGEST, _TRIM)
        ]
        return np.concatenate([np.zeros((0, COMPONENTS), np.float32), *parts])

    def raw(self, samples: Samples, gain: float = 1.0) -> Float32[np.ndarray, "rows 512"]:
        """The encoder's last layer for every row."""
        parts = [self._heard(samples, gain, piece) for piece in overlapping_chunks(len(samples), _LONGEST, _TRIM)]
        return np.concatenate([np.zeros((0, _WIDTH), np.float32), *parts])

    def _heard(self, samples: Samples, gain: float, piece: Chunk) -> Float32[np.ndarray, "rows 512"]:
        rows = rows_of(piece.stop - piece.first)
        cut = padded(samples, piece.first - _WINDOW // 2, piece.first + rows * HOP + _WINDOW // 2 - _MEL_HOP)
        mel = log_mel(cut * np.float32(gain))
        encoded = self._model.encode(self._array(np.ascontiguousarray(mel[None])))
        return np.array(encoded)[0, piece.keep : piece.until].astype(np.float32)


def log_mel(samples: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, "80 frames"]:
    """Whisper's log-mel picture, one column per 10 ms, the first centred on sample 200.

    Where Whisper clamps to 80 dB under the loudest of its 30 s, we clamp under a fixed ceiling: the level is
    normalised already, and what is heard must not depend on how a long sound was cut.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_MEL_HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = np.log10(np.maximum(power @ mel_bands().T, 1e-10))
    return ((np.maximum(mel, _CEILING - _RANGE) + 4) / 4).T.astype(np.float32)


@cache
def mel_bands() -> Float64[np.ndarray, "80 201"]:
    """Triangular bands of equal area on Slaney's scale (linear to 1 kHz, then 27 steps per factor 6.4)."""
    step, knee, log_step = 200 / 3, 15.0, np.log(6.4) / 27
    marks = np.linspace(0, knee + np.log(ANALYSIS_RATE / 2 / 1000) / log_step, _BANDS + 2)
    hertz = np.where(marks < knee, marks * step, 1000 * np.exp(log_step * (marks - knee)))
    frequency = np.fft.rfftfreq(_WINDOW, 1 / ANALYSIS_RATE)
    rising = (frequency - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    falling = (hertz[2:, None] - frequency) / np.diff(hertz)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (hertz[2:] - hertz[:-2]))[:, None]


@dataclass(frozen=True, eq=False)
class EncoderBasis:
    """Which components are kept: ``mean`` of the encoder's rows, and directions scaled to about equal variance."""

    mean: Float32[np.ndarray, " 512"]
    directions: Float32[np.ndarray, "512 128"]

    def project(self, rows: Float32[np.ndarray, "rows 512"]) -> Float32[np.ndarray, "rows 128"]:
        """Components of encoder rows."""
        return (rows - self.mean) @ self.directions

    @staticmethod
    @cache
    def shipped() -> "EncoderBasis":
        """The basis in the package; made by ``train.prior``."""
        with (files("lipdub.sound_to_mouth") / "encoder_basis.npz").open("rb") as file, np.load(file) as data:
            return EncoderBasis(data["mean"].astype(np.float32), data["directions"].astype(np.float32))
