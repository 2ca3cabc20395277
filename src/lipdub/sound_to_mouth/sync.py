"""Sync of a voice and a mouth: whether they belong together, and the sync offset.

The sync score is the mean correlation of predicted and measured shapes (aperture, width, height of the upper and of the
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
"""The largest offset that is tried, in seconds, in both directions."""

OFFSETS = np.arange(-45, 46) * 0.01
"""The offsets that are tried, in seconds."""

_PENALTY = 0.15 * (OFFSETS / 0.3) ** 2  # subtracted from the score, because large offsets are rare
_ENOUGH_SPEECH = 1.5  # seconds
_FLOOR = 0.3  # of the average standard deviation of people


@dataclass(frozen=True, slots=True)
class Sync:
    """How well a voice fits a mouth.

    ``offset`` is the sync offset in seconds (sound minus picture; 0 if not ``matched``), ``score`` the sync score
    there, -1..1, and ``score_at_zero`` the score without an offset. ``speech`` is how many seconds of speech there are
    while the face was seen. ``matched`` is True if the voice is taken to be this mouth's.
    """

    offset: float
    score: float
    score_at_zero: float
    speech: float
    matched: bool

    @staticmethod
    def unknown() -> "Sync":
        """The value for a face and a sound that could not be compared."""
        return Sync(0.0, 0.0, 0.0, 0.0, False)


def find_sync(
    prior: Prior,
    features: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    shapes: Float[np.ndarray, "n 6"],
    ok: Bool[np.ndarray, " n"],
) -> Sync:
    """Compare ``features`` with the ``shapes`` that were measured at ``seconds`` of clip time, in the rows that are
    ``ok``.

    The score of a wrong voice falls with the seconds of speech: for 99 in 100 it is below .17 + .7 / seconds (measured
    on 1268 wrong pairs). A score above ``match_threshold`` is a match. With less than 1.5 s of speech there is no
    match.
    """
    seen = ok & np.isfinite(shapes).all(1)
    when = seconds[seen]
    speech = speech_seen(features, when)
    if speech < _ENOUGH_SPEECH or len(when) < 20:
        return replace(Sync.unknown(), speech=speech)
    scores = offset_scores(prior, features, when, shapes[seen])
    best = int(np.argmax(scores - _PENALTY))
    matched = bool(scores[best] > match_threshold(speech))
    offset = float(OFFSETS[best]) if matched else 0.0
    return Sync(offset, float(scores[best]), float(scores[len(OFFSETS) // 2]), speech, matched)


def match_threshold(speech: float) -> float:
    """The score above which a voice matches a mouth, given ``speech`` seconds of speech."""
    return max(0.30, 0.22 + 0.70 / max(speech, 1e-3))


def likeliest_offset(
    prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"], shapes: Float[np.ndarray, "n 6"]
) -> float:
    """The offset with the best score, without a test for a match: for a face and a voice known to belong together."""
    return float(OFFSETS[int(np.argmax(offset_scores(prior, features, seconds, shapes) - _PENALTY))])


def offset_scores(
    prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"], shapes: Float[np.ndarray, "n 6"]
) -> Float64[np.ndarray, " lags"]:
    """The sync score at each of ``OFFSETS``, over all rows."""
    grid = np.arange(seconds[0] - MAX_OFFSET, seconds[-1] + MAX_OFFSET + 0.02, float(FEATURE_STEP))
    guess, true = prior.predict(features, grid), _normalised_parts(shapes)
    shifted = (sample_rows(guess, seconds + lag - grid[0]) for lag in OFFSETS)
    return np.array([_mean_correlation(_normalised_parts(rows), true) for rows in shifted])


def sync_score(
    prior: Prior,
    features: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    shapes: Float[np.ndarray, "n 6"],
    ok: Bool[np.ndarray, " n"],
) -> float:
    """The sync score, -1..1, at an offset of 0: for the finished dub. 0 if fewer than 3 rows are usable."""
    seen = ok & np.isfinite(shapes).all(1)
    if seen.sum() < 3:
        return 0.0
    guess = prior.predict(features, seconds[seen])
    return _mean_correlation(_normalised_parts(guess), _normalised_parts(shapes[seen]))


def local_sync_scores(
    prior: Prior,
    features: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    shapes: Float[np.ndarray, "n 6"],
    window: float = 1.5,
    offset: float = 0.0,
) -> Float64[np.ndarray, " n"]:
    """The sync score, -1..1, within ``window`` seconds around each instant, with the sound ``offset`` seconds late.

    Variances have a floor, so the score is near 0 where the mouth hardly moves or is predicted hardly to move. Rows
    where the face was lost are left out; the score is 0 where no row is left.
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
    """Aperture, width, upper lip and lower lip of ``shapes``, which are in units in which they vary about equally."""
    return np.stack([shapes[:, AP], shapes[:, WD], shapes[:, UL], shapes[:, UL] + shapes[:, AP]], 1).astype(np.float32)


def _normalised_parts(shapes: Float[np.ndarray, "n 6"]) -> Float32[np.ndarray, "n 4"]:
    return _parts(shapes / (shapes.std(0) + 1e-6))


def _mean_correlation(guess: Float32[np.ndarray, "n 4"], true: Float32[np.ndarray, "n 4"]) -> float:
    a, b = guess - guess.mean(0), true - true.mean(0)
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return float(np.where(size > 1e-9, (a * b).sum(0) / np.maximum(size, 1e-9), 0).mean())
