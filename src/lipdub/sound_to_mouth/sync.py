"""Is this voice this mouth, and how late is it?

The score is the mean correlation of predicted and measured shapes (aperture, width, height of the upper and of the
lower lip). A sync offset is sound minus picture: positive where the sound is late.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.prior import Prior
from lipdub.timeline.mouth import AP, UL, WD
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

MAX_OFFSET = 0.45
"""Offsets are looked for up to so many seconds either way."""

OFFSETS = np.arange(-45, 46) * 0.01
"""The offsets that are tried."""

_DOUBT = 0.15 * (OFFSETS / 0.3) ** 2  # large offsets are rare
_ENOUGH_SPEECH = 1.5
_FLOOR = 0.3  # of everybody's standard deviation


@dataclass(frozen=True, slots=True)
class Sync:
    """``offset`` seconds, sound minus picture, 0 if not ``matched``; ``sync_score`` -1..1 there, ``score_at_zero``
    without an offset; ``speech`` seconds of speech while the face was seen; ``matched``: this voice is this mouth."""

    offset: float
    sync_score: float
    score_at_zero: float
    speech: float
    matched: bool

    @staticmethod
    def unknown() -> "Sync":
        """Nothing could be compared."""
        return Sync(0.0, 0.0, 0.0, 0.0, False)


def find_sync(
    prior: Prior,
    features: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    shapes: Float[np.ndarray, "n 6"],
    ok: Bool[np.ndarray, " n"],
) -> Sync:
    """Compare what was heard with the ``shapes`` measured at ``seconds`` of clip time in the rows that are ``ok``.

    The score of a wrong voice falls with the seconds of speech: 99 in 100 stay under .17 + .7 / seconds (measured on
    1268 wrong pairs). What exceeds ``match_threshold`` is a match; less than 1.5 s of speech says nothing.
    """
    seen = ok & np.isfinite(shapes).all(1)
    when = seconds[seen]
    speech = speech_seen(features, when)
    if speech < _ENOUGH_SPEECH or len(when) < 20:
        return replace(Sync.unknown(), speech=speech)
    scores = offset_scores(prior, features, when, shapes[seen])
    best = int(np.argmax(scores - _DOUBT))
    matched = bool(scores[best] > match_threshold(speech))
    offset = float(OFFSETS[best]) if matched else 0.0
    return Sync(offset, float(scores[best]), float(scores[len(OFFSETS) // 2]), speech, matched)


def match_threshold(speech: float) -> float:
    """What the score must exceed to be believed, for so many seconds of speech."""
    return max(0.30, 0.22 + 0.70 / max(speech, 1e-3))


def likeliest_offset(
    prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"], shapes: Float[np.ndarray, "n 6"]
) -> float:
    """The offset with the best score, believed or not: for footage known to belong together."""
    return float(OFFSETS[int(np.argmax(offset_scores(prior, features, seconds, shapes) - _DOUBT))])


def offset_scores(
    prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"], shapes: Float[np.ndarray, "n 6"]
) -> Float64[np.ndarray, " lags"]:
    """The score at each of ``OFFSETS``; all rows count."""
    grid = np.arange(seconds[0] - MAX_OFFSET, seconds[-1] + MAX_OFFSET + 0.02, float(FEATURE_STEP))
    guess, true = prior.predict(features, grid), _features(shapes)
    return np.array([_mean_correlation(_features(sample_rows(guess, seconds + lag - grid[0])), true) for lag in OFFSETS])


def sync_score(
    prior: Prior,
    features: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    shapes: Float[np.ndarray, "n 6"],
    ok: Bool[np.ndarray, " n"],
) -> float:
    """The score -1..1 as it stands, without looking for an offset: for judging a finished dub."""
    seen = ok & np.isfinite(shapes).all(1)
    if seen.sum() < 3:
        return 0.0
    guess = prior.predict(features, seconds[seen])
    return _mean_correlation(_features(guess), _features(shapes[seen]))


def local_sync_scores(
    prior: Prior,
    features: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    shapes: Float[np.ndarray, "n 6"],
    window: float = 1.5,
    offset: float = 0.0,
) -> Float64[np.ndarray, " n"]:
    """How well voice and mouth agree around each instant, -1..1: the score within ``window`` seconds.

    A mouth that hardly moves, or hardly should, agrees with nothing: variances count only above a floor. Rows where
    the face was lost are left out, and are 0 where nothing is left.
    """
    seen = np.asarray(np.isfinite(shapes).all(1))
    guess, true = _parts(prior.predict(features, seconds + offset)), _parts(shapes / prior.spread)
    first = np.searchsorted(seconds, seconds - window / 2)
    stop = np.searchsorted(seconds, seconds + window / 2, side="right")

    def summed(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(np.where(seen[:, None], values, 0), 0)])
        return total[stop] - total[first]

    true = np.where(seen[:, None], true, 0).astype(np.float64)
    guess = guess.astype(np.float64)
    count = np.maximum(summed(np.ones((len(seen), 1))), 1)
    mean_true, mean_guess = summed(true) / count, summed(guess) / count
    together = summed(true * guess) / count - mean_true * mean_guess
    own_true = np.maximum(summed(true**2) / count - mean_true**2, 0)
    own_guess = np.maximum(summed(guess**2) / count - mean_guess**2, 0)
    return (together / np.sqrt((own_true + _FLOOR**2) * (own_guess + _FLOOR**2))).mean(1)


def speech_seen(features: SpeechFeatures, seconds: Float[np.ndarray, " n"]) -> float:
    """Seconds of speech between the first and the last of ``seconds`` (clip time)."""
    if len(seconds) == 0 or len(features) == 0:
        return 0.0
    clock = np.arange(len(features)) * float(FEATURE_STEP) + float(features.start)
    inside = (clock >= seconds.min()) & (clock <= seconds.max())
    return float((features.voice_activity[inside] > 0.5).sum() * float(FEATURE_STEP))


def _parts(shapes: Float[np.ndarray, "n 6"]) -> Float32[np.ndarray, "n 4"]:
    """Aperture, width, upper lip, lower lip, of shapes in units in which they vary alike."""
    return np.stack([shapes[:, AP], shapes[:, WD], shapes[:, UL], shapes[:, UL] + shapes[:, AP]], 1).astype(np.float32)


def _features(shapes: Float[np.ndarray, "n 6"]) -> Float32[np.ndarray, "n 4"]:
    return _parts(shapes / (shapes.std(0) + 1e-6))


def _mean_correlation(guess: Float32[np.ndarray, "n 4"], true: Float32[np.ndarray, "n 4"]) -> float:
    a, b = guess - guess.mean(0), true - true.mean(0)
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return float(np.where(size > 1e-9, (a * b).sum(0) / np.maximum(size, 1e-9), 0).mean())
