"""Posteriors of phone classes over time, from the acoustic model of ``hama`` (Apache-2.0).

The model gives log probabilities of IPA tokens, 50 rows a second (CTC: A. Graves et al., ICML 2006), about 70 ms late.
Tokens whose mouth shapes look alike are summed into one class (a viseme class).
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hama.asr import ASRModel
from jaxtyping import Float32

from lipdub.acoustics.chunks import HOP, Chunk, overlapping_chunks, padded, rows_of
from lipdub.process.blas_threads import one_blas_thread
from lipdub.sound_to_mouth.phone_network import PhoneNetwork
from lipdub.timeline.samples import Samples

_TOKENS = {
    "PBM": "p b m ɓ ʙ ɱ ɸ β pʰ p͈",
    "FV": "f v ʋ",
    "TH": "θ ð",
    "TDN": "t d n l tʰ t͈ ɾ ɫ ɲ ɖ ʈ ɗ ɮ ɴ ʎ",
    "S": "s z s͈ x ħ",
    "SH": "ʃ ʒ t͡ʃ d͡ʒ t͡ɕ t͡ɕʰ t͡ɕ͈ ɕ ʑ ʂ ʐ ç",
    "R": "r ɹ ɻ ɽ ɝ ɚ ɜ",
    "W": "w wa we wi wʌ ɥ ʍ",
    "KG": "k g ɡ ŋ kʰ k͈ h ɦ c ɣ χ ʁ ʀ ʔ ɟ ɰ",
    "UU": "u ʊ ʉ y ʏ ju ø ũ",
    "OO": "o oʊ ɔ ɒ ɔɪ jo õ œ",
    "AA": "a ɑ aɪ aʊ æ ʌ ɐ ja jʌ à ã ä å",
    "EH": "e ɛ eɪ eə je ẽ ɤ",
    "IY": "i ɪ j ɪə ɨ ì ĩ ɯ ɯi",
    "AX": "ə ɘ ɵ ᵊ",
}
CLASSES = tuple(_TOKENS)
"""The 15 phone classes, in the order of the columns of ``SpeechFeatures.phone_posteriors``.

The columns after them are blank and space."""

PBM, BLANK, SPACE = CLASSES.index("PBM"), len(CLASSES), len(CLASSES) + 1

_SPACES = ("<pad>", "<sos>", "<eos>", "<unk>", " ", "%", ",", "~", "<wb>")
_LATE = 3.5  # rows: 70 ms
_TAIL = 15 * HOP  # samples of silence added after the sound, so that the model emits its last phones
_LONGEST, _TRIM = 600, 50  # rows


class PhoneAnalyser:
    """Computes phone posteriors. Chunks are analysed by ``workers`` threads.

    The network of ``hama`` is computed by ``PhoneNetwork``; one that this does not know by hama's own engine, of which
    each thread has its own.
    """

    def __init__(self, workers: int = 2) -> None:
        """Load the model. Raises ``RuntimeError`` where hama has no build for this system."""
        self._local = threading.local()
        self._local.model = ASRModel()
        self._workers = workers
        self._network = _known_network()
        self._token_classes = _token_classes(self._local.model.decoder_tokens)

    def posteriors(self, samples: Samples, gain: float = 1.0) -> Float32[np.ndarray, "rows 17"]:
        """Posteriors 0..1 of classes, blank and space for every row of 16 kHz ``samples``, first multiplied by
        ``gain``."""
        rows = rows_of(len(samples))
        if rows == 0:
            return np.zeros((0, len(CLASSES) + 2), np.float32)

        def analyse(chunk: Chunk) -> np.ndarray:
            return self._chunk_posteriors(padded(samples, chunk.first, chunk.stop) * np.float32(gain), chunk)

        chunks = overlapping_chunks(len(samples) + _TAIL, _LONGEST, _TRIM)
        # small matrices: with more threads, the numerical library waits ten times as long as it computes
        with one_blas_thread(), ThreadPoolExecutor(min(self._workers, len(chunks))) as pool:
            posteriors = np.concatenate(list(pool.map(analyse, chunks)))
        return _shifted_earlier(posteriors, _LATE, rows)

    def _chunk_posteriors(self, samples: Float32[np.ndarray, " n"], chunk: Chunk) -> Float32[np.ndarray, "rows 17"]:
        posteriors = np.exp(self._log_probabilities(samples)) @ self._token_classes
        missing = max(0, chunk.until - len(posteriors))
        return np.pad(posteriors, ((0, missing), (0, 0)), mode="edge")[chunk.keep : chunk.until]

    def _log_probabilities(self, samples: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, "rows tokens"]:
        if self._network is not None:
            return self._network.log_probabilities(samples)
        if not hasattr(self._local, "model"):
            self._local.model = ASRModel()
        feeds = {"waveform": samples[None], "waveform_lengths": np.array([len(samples)])}
        (log_probabilities,) = self._local.model.session.run(["log_probs"], feeds)
        return log_probabilities[0]


def _known_network() -> PhoneNetwork | None:
    """The network of the installed ``hama``, if it is the one that ``PhoneNetwork`` knows."""
    try:
        return PhoneNetwork.shipped()
    except (ValueError, OSError):
        return None


def _token_classes(tokens: list[str]) -> Float32[np.ndarray, "tokens 17"]:
    """1 where a token belongs to a class, else 0."""
    out = np.zeros((len(tokens), len(CLASSES) + 2), np.float32)
    for column, members in enumerate([*(t.split() for t in _TOKENS.values()), ("<blank>",), _SPACES]):
        out[[i for i, token in enumerate(tokens) if token in members], column] = 1
    return out


def _shifted_earlier(values: Float32[np.ndarray, "n k"], by: float, rows: int) -> Float32[np.ndarray, "rows k"]:
    """``rows`` rows, of which row i is ``values`` at ``i + by``, linearly interpolated.

    Probabilities are interpolated, not their logarithms, which would flatten short peaks.
    """
    where = np.minimum(np.arange(rows) + by, len(values) - 1)
    low = where.astype(np.intp)
    high = np.minimum(low + 1, len(values) - 1)
    part = (where - low).astype(np.float32)[:, None]
    return values[low] * (1 - part) + values[high] * part
