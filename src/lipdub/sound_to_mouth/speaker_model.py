"""What one clip teaches about one mouth: its rest, its range, and its own way of following speech."""

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
_ENOUGH = 3.0  # seconds of speech before a residual is learnt
_TRUST = 4.0  # seconds of speech after which a person's own statistics stand alone
_ENOUGH_QUIET = 8  # silent rows before they say what rest is
_SHUT, _PARTED = 0.03, 0.06  # apertures, eye distances
SPEECH_REACH_ROWS = 21  # rows: speech reaches 200 ms further for the mouth


@dataclass(frozen=True, eq=False)
class SourceSpeech:
    """A face as filmed, and the voice that goes with it.

    ``shapes`` (n, 6) as measured, ``ok`` where the face was found, ``context`` the rows that may be learnt from.
    ``heard`` is the source's own sound and ``sync`` how it fits the face; None where there is none.
    """

    features: SpeechFeatures | None
    sync: Sync | None
    shapes: Float[np.ndarray, "n 6"]
    ok: Bool[np.ndarray, " n"]
    context: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class SpeakerModel:
    """``rest`` (6,) the closed mouth; ``levels`` (41, 6) quantiles while speaking, ``mean`` and ``spread`` (6,) too;
    ``low``, ``high`` the smallest and largest aperture it may be given; ``closed`` the aperture of its closures.

    ``trust`` 0..1: how much of this is the person's own and not everybody's. ``own`` (rows, 6) are the prior's
    predictions for the source, ``residual`` (dims, 6) what to add to the prior, both None where nothing was learnt.
    """

    rest: Float64[np.ndarray, " 6"]
    levels: Float64[np.ndarray, "41 6"]
    mean: Float64[np.ndarray, " 6"]
    spread: Float64[np.ndarray, " 6"]
    low: float
    high: float
    closed: float
    trust: float
    own: Float32[np.ndarray, "rows 6"] | None
    residual: Float32[np.ndarray, "dims 6"] | None
    never_closed: bool

    def predict(
        self, prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 6"]:
        """The prior's prediction with what was learnt added, at ``seconds`` of clip time."""
        out = prior.predict(features, seconds)
        if self.residual is not None and len(features):
            for first in range(0, len(seconds), 512):
                some = seconds[first : first + 512]
                out[first : first + len(some)] += prior.design(features, some) @ self.residual
        return out


def learn_speaker(
    prior: Prior, source: SourceSpeech, dub: SpeechFeatures, seconds: Float[np.ndarray, " n"]
) -> SpeakerModel:
    """Learn a person from the rows of ``source`` at ``seconds`` of clip time. ``dub`` tells which ears will be used."""
    usable = source.ok & source.context & np.isfinite(source.shapes).all(1)
    shapes = source.shapes[usable].astype(np.float64)
    speaking = np.zeros(len(shapes), bool)
    speech, own, residual = 0.0, None, None
    features, sync = source.features, source.sync
    if features is not None and sync is not None and sync.matched and len(features) and len(shapes) > 1:
        when = seconds[usable] + sync.offset
        voiced = sample_rows(features.voice_activity[:, None], when - float(features.start))[:, 0] > 0.5
        speech = float(voiced.sum() * np.median(np.diff(seconds)))
        reach = maximum_filter1d((features.voice_activity > 0.5).astype(np.float32), SPEECH_REACH_ROWS, mode="constant")
        speaking = sample_rows(reach[:, None], when - float(features.start))[:, 0] > 0.5
        if prior.kind(features) == prior.kind(dub) and speech >= _ENOUGH:
            own, residual = _residual(prior, features, when, shapes)
    return _described(prior, shapes, speaking, speech, own, residual)


def _residual(
    prior: Prior, features: SpeechFeatures, when: Float[np.ndarray, " n"], shapes: Float64[np.ndarray, "n 6"]
) -> tuple[Float32[np.ndarray, "n 6"], Float32[np.ndarray, "dims 6"]]:
    """Ridge regression of what the prior misses on the rows of ``Prior.design``; primal or dual, the smaller."""
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
    """The resting mouth: median of the more closed half of the ``quiet`` rows, those known to be silent, if lips
    are shut there; else of the tenth of all rows that are most closed. If even those stand open (aperture above
    .06), it is the median with the lips brought together, and the second value is True."""
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
