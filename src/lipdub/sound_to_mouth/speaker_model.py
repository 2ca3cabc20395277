"""The speaker model: a mouth's rest, its range, and how it follows this person's speech, learnt from one clip."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from scipy.ndimage import maximum_filter1d
from threadpoolctl import threadpool_limits

from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.prior import QUANTILE_LEVELS, Prior
from lipdub.sound_to_mouth.sync import Sync
from lipdub.timeline.mouth import AP, SHAPE
from lipdub.timeline.speech_features import SpeechFeatures

_STIFF = {"encoder and phones": 30.0, "phones": 5.0, "loudness": 5.0}  # ridge penalty of the residual map, per row
_MOST_SECONDS = 120.0  # of footage to learn from
_ENOUGH = 3.0  # seconds of speech that a residual map needs
_TRUST = 4.0  # seconds of speech from which the person's own statistics are used alone
_ENOUGH_QUIET = 8  # silent rows that an estimate of rest needs
_SHUT, _PARTED = 0.03, 0.06  # apertures, eye distances
SPEECH_REACH_ROWS = 21
"""Rows of a window around speech: the mouth moves up to 200 ms before and after the voice."""


@dataclass(frozen=True, eq=False)
class SourceSpeech:
    """A face as filmed, and its voice.

    ``shapes`` (n, 6) are the measured mouth shapes, ``ok`` (n,) is True where the face was found, ``context`` (n,)
    marks the rows that may be learnt from. ``features`` are those of the source's own sound and ``sync`` is how well
    and how late it fits the face; both are None without a sound.
    """

    features: SpeechFeatures | None
    sync: Sync | None
    shapes: Float[np.ndarray, "n 6"]
    ok: Bool[np.ndarray, " n"]
    context: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class SpeakerModel:
    """One person's mouth.

    ``rest`` (6,) is the shape at rest. ``levels`` (41, 6) are quantiles of shapes during speech at ``QUANTILE_LEVELS``,
    ``mean`` and ``spread`` (6,) their mean and standard deviation. ``low`` and ``high`` limit the aperture; ``closed``
    is the aperture in lip closures.

    ``trust`` 0..1 is the share of the person's own statistics; the rest is the average of people.
    ``source_predictions`` (rows, 6) are the predictions for the source's own speech. ``residual`` (dims, 6) is a linear
    map that is added to the prior. Both are None where nothing was learnt. ``never_closed``: the mouth is open in all
    of the clip, so ``rest`` is a guess.
    """

    rest: Float64[np.ndarray, " 6"]
    levels: Float64[np.ndarray, "41 6"]
    mean: Float64[np.ndarray, " 6"]
    spread: Float64[np.ndarray, " 6"]
    low: float
    high: float
    closed: float
    trust: float
    source_predictions: Float32[np.ndarray, "rows 6"] | None
    residual: Float32[np.ndarray, "dims 6"] | None
    never_closed: bool

    def predict(
        self, prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 6"]:
        """The prior's prediction at ``seconds`` of clip time, with the learnt residual added."""
        out = prior.predict(features, seconds)
        if self.residual is not None and len(features):
            for first in range(0, len(seconds), 512):
                some = seconds[first : first + 512]
                out[first : first + len(some)] += prior.design(features, some) @ self.residual
        return out


def learn_speaker(
    prior: Prior, source: SourceSpeech, dub: SpeechFeatures, seconds: Float[np.ndarray, " n"]
) -> SpeakerModel:
    """Learn a speaker model from the rows of ``source``, which are shown at ``seconds`` (clip time).

    The residual is learnt only if the source has the same kind of features as ``dub`` (see ``Prior.kind``).
    """
    usable = source.ok & source.context & np.isfinite(source.shapes).all(1)
    shapes = source.shapes[usable].astype(np.float64)
    speaking = np.zeros(len(shapes), bool)
    speech, own, residual = 0.0, None, None
    features, sync = source.features, source.sync
    if features is not None and sync is not None and sync.matched and len(features) and len(shapes) > 1:
        when = seconds[usable] + sync.offset
        active = sample_rows(features.voice_activity[:, None], when - float(features.start))[:, 0] > 0.5
        speech = float(active.sum() * np.median(np.diff(seconds)))
        reach = maximum_filter1d((features.voice_activity > 0.5).astype(np.float32), SPEECH_REACH_ROWS, mode="constant")
        speaking = sample_rows(reach[:, None], when - float(features.start))[:, 0] > 0.5
        if prior.kind(features) == prior.kind(dub) and speech >= _ENOUGH:
            own, residual = _residual(prior, features, when, shapes)
    return _described(prior, shapes, speaking, speech, own, residual)


def _residual(
    prior: Prior, features: SpeechFeatures, when: Float[np.ndarray, " n"], shapes: Float64[np.ndarray, "n 6"]
) -> tuple[Float32[np.ndarray, "n 6"], Float32[np.ndarray, "dims 6"]]:
    """The prior's prediction with the residual added, and the residual map.

    The map is a ridge regression of the prior's errors on the rows of ``Prior.design``, solved in the primal or the
    dual form, whichever is smaller.
    """
    most = max(1, int(_MOST_SECONDS / max(float(np.median(np.diff(when))), 1e-3)))
    thin = slice(None, None, -(-len(when) // most))
    when, shapes = when[thin], shapes[thin]
    guess = prior.predict(features, when)
    missed = ((shapes - np.median(shapes, 0)) / (shapes.std(0) + 1e-6) - guess).astype(np.float32)
    missed -= missed.mean(0)
    stiff, n = _STIFF[prior.kind(features)] * len(when), len(when)
    with threadpool_limits(1, "blas"):
        dims = prior.design(features, when[:1]).shape[1]
        if n <= dims:
            rows = prior.design(features, when)
            dual = np.linalg.solve((rows @ rows.T).astype(np.float64) + stiff * np.eye(n), missed)
            residual = (rows.T @ dual).astype(np.float32)
        else:
            square, cross = np.zeros((dims, dims)), np.zeros((dims, 6))
            for first in range(0, n, 512):
                rows = prior.design(features, when[first : first + 512])
                square += rows.T @ rows
                cross += rows.T @ missed[first : first + 512]
            residual = np.linalg.solve(square + stiff * np.eye(dims), cross).astype(np.float32)
    own = guess.copy()
    for first in range(0, n, 512):
        own[first : first + 512] += prior.design(features, when[first : first + 512]) @ residual
    return own, residual


def _described(
    prior: Prior,
    shapes: Float64[np.ndarray, "n 6"],
    speaking: Bool[np.ndarray, " n"],
    speech: float,
    own: Float32[np.ndarray, "rows 6"] | None,
    residual: Float32[np.ndarray, "dims 6"] | None,
) -> SpeakerModel:
    trust = min(1.0, speech / _TRUST) if speaking.sum() > 10 else 0.0
    rest, never_closed = rest_shape(shapes, shapes[~speaking] if trust > 0 else None)
    levels, spread = prior.rise + rest, prior.spread.astype(np.float64)
    high = float(levels[-1, AP]) * 1.15
    closed = min(float(rest[AP]), 0.02)
    if trust > 0:
        levels = trust * np.quantile(shapes[speaking], QUANTILE_LEVELS, axis=0) + (1 - trust) * levels
        spread = trust * shapes[speaking].std(0) + (1 - trust) * spread
        closed = min(float(np.quantile(shapes[:, AP], 0.03)), 0.02)
        high = float(np.quantile(shapes[:, AP], 0.995)) if trust >= 1 else float(levels[-1, AP]) * 1.15
    return SpeakerModel(
        rest, levels, levels.mean(0), spread, -0.01, max(high, float(levels[-1, AP])), closed, trust, own, residual,
        never_closed,
    )  # fmt: skip


def rest_shape(
    shapes: Float64[np.ndarray, "n 6"], quiet: Float64[np.ndarray, "m 6"] | None = None
) -> tuple[Float64[np.ndarray, " 6"], bool]:
    """The shape of the resting mouth, and whether the mouth is never closed.

    It is the median of the more closed half of the ``quiet`` rows (those known to be silent) if lips are shut there,
    else of the most closed tenth of all rows. If even those are open (aperture above .06), it is the median of all rows
    with the aperture set to 0, and the second value is True.
    """
    if len(shapes) == 0:
        return np.zeros(len(SHAPE)), True
    if quiet is not None and len(quiet) >= _ENOUGH_QUIET:
        rest = np.median(quiet[quiet[:, AP] <= np.median(quiet[:, AP])], axis=0)
        if rest[AP] < _SHUT:
            return rest, False
    edge = float(np.quantile(shapes[:, AP], 0.1))
    if edge < _PARTED:
        return np.median(shapes[shapes[:, AP] <= edge], axis=0), False
    rest = np.median(shapes, axis=0)
    rest[AP] = 0.0
    return rest, True
