"""Sync of a voice and a mouth: whether they belong together, and the sync offset.

The sync score is the mean correlation of predicted and measured shapes (aperture, width, height of the upper and of the
lower lip). A sync offset is sound minus picture: positive where the sound is late.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from lipdub.sound_to_mouth.prior import Prior
from lipdub.timeline.mouth import AP, UL, WD
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

MAX_OFFSET = 0.45
"""The largest offset that is tried, in seconds, in both directions."""

OFFSETS = np.arange(-45, 46) * 0.01
"""The offsets that are tried, in seconds."""

_PHASES = 2  # offsets that differ by so many steps are one row of the features apart
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

    @property
    def compared(self) -> bool:
        """False if there was too little speech to tell a right voice from a wrong one."""
        return self.speech >= _ENOUGH_SPEECH

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
    """The sync score at each of ``OFFSETS``, over all rows.

    A prediction between two rows of the grid is linear in them. So every sum over the instants that the score is made
    of is a product of grid rows with weights, which are the same for all offsets that differ by whole rows: the
    instants are looked up once for each fraction of a row, not once for each offset.
    """
    begin, step = float(seconds[0]) - MAX_OFFSET, float(FEATURE_STEP)
    grid = np.arange(begin, seconds[-1] + MAX_OFFSET + 0.03, step)
    guess = _PredictedRows(prior.predict(features, grid))
    true = _parts(shapes / (shapes.std(0) + 1e-6)).astype(np.float64)
    true -= true.mean(0)
    scores = np.empty(len(OFFSETS))
    for phase in range(_PHASES):
        lags = np.arange(phase, len(OFFSETS), _PHASES)
        where = np.clip((seconds + OFFSETS[phase] - begin) / step, 0, None)
        rows = int(where.max()) + 2
        weights = _RowWeights.of(where, true, rows)
        scores[lags] = [guess.score(weights, int(shift)) for shift in range(len(lags))]
    return scores


@dataclass(frozen=True, eq=False)
class _RowWeights:
    """How much each grid row counts in sums over instants that lie between rows.

    ``mean`` (rows,) for the sum of predictions, ``true`` (4, rows) for the sum of their products with each measured
    part (whose mean is 0), ``squares`` and ``neighbours`` (rows,) for the sum of their squares: the row's own square,
    and twice its product with the next row. ``sizes`` (4,) are the roots of the sums of squares of the measured parts.
    """

    mean: np.ndarray
    true: np.ndarray
    squares: np.ndarray
    neighbours: np.ndarray
    sizes: np.ndarray
    count: int

    @staticmethod
    def of(where: np.ndarray, true: np.ndarray, rows: int) -> "_RowWeights":
        """The weights for instants at the rows ``where``, which need not be whole; ``true`` (n, 4) was measured
        there."""
        low = where.astype(np.intp)
        part = where - low
        rest = 1 - part

        def spread(own: np.ndarray, next_: np.ndarray) -> np.ndarray:
            out = np.bincount(low, own, rows)
            out[1:] += np.bincount(low, next_, rows)[:-1]
            return out

        of_true = np.stack([spread(values * rest, values * part) for values in true.T])
        neighbours = np.bincount(low, 2 * rest * part, rows)
        squares = spread(rest**2, part**2)
        return _RowWeights(spread(rest, part), of_true, squares, neighbours, np.sqrt((true**2).sum(0)), len(where))


class _PredictedRows:
    """Predicted shapes on a grid, and the products of their rows that sync scores are made of."""

    def __init__(self, shapes: Float32[np.ndarray, "rows 6"]) -> None:
        rows = shapes[:, [AP, WD, UL]].T.astype(np.float64)
        self._rows = np.ascontiguousarray(rows - rows.mean(1, keepdims=True))
        following = np.concatenate([self._rows[:, 1:], self._rows[:, -1:]], axis=1)
        ap, _, ul = self._rows
        self._squares = np.concatenate([self._rows**2, [ap * ul]])
        both = (ap * following[2] + ul * following[0]) / 2
        self._neighbours = np.concatenate([self._rows * following, [both]])

    def score(self, weights: _RowWeights, shift: int) -> float:
        """The mean correlation of the four parts, with the grid ``shift`` rows later than the weights."""
        within = slice(shift, shift + len(weights.mean))
        rows = self._rows[:, within]
        kept = slice(0, rows.shape[1])
        mean = rows @ weights.mean[kept] / weights.count
        squares = self._squares[:, within] @ weights.squares[kept]
        squares += self._neighbours[:, within] @ weights.neighbours[kept]
        products = squares / weights.count - mean[[0, 1, 2, 0]] * mean[[0, 1, 2, 2]]
        spread = np.sqrt(np.maximum(products[:3], 0)) + 1e-6
        with_true = rows @ weights.true[:, kept].T  # (3, 4)
        lower = with_true[2, 3] / spread[2] + with_true[0, 3] / spread[0]
        together = np.array([*(with_true[i, i] / spread[i] for i in range(3)), lower])
        own = products[:3] / spread**2
        both = own[0] + own[2] + 2 * products[3] / (spread[0] * spread[2])
        size = weights.sizes * np.sqrt(np.maximum([*own, both], 0) * weights.count)
        return float(np.where(size > 1e-9, together / np.maximum(size, 1e-9), 0).mean())


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
