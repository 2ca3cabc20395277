"""The speaker model: a mouth's rest, its range, and how it follows this person's speech, learnt from one clip.

One person has one model, whatever the number of face tracks that show the person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from lipdub.anatomy.moving_windows import moving_maximum
from lipdub.process.blas_threads import one_blas_thread
from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.prior import QUANTILE_LEVELS, Prior
from lipdub.sound_to_mouth.resting import VOICED
from lipdub.sound_to_mouth.sync import Sync
from lipdub.timeline.mouth import AP, SHAPE
from lipdub.timeline.speech_features import SpeechFeatures

# The ridge penalty of the residual map, per row, and the seconds of rows from which it grows no further.
_STIFF = {"encoder and phones": 30.0, "encoder": 30.0, "phones": 5.0, "loudness": 5.0}
_FIRM = {"encoder and phones": 2.7, "encoder": 2.7, "phones": 5.4, "loudness": 5.4}
_MOST_ROWS = 6000  # to learn from: 240 s at 25 frames a second
_ENOUGH = 1.5  # seconds of speech that a residual map needs
_TRUST = 4.0  # seconds of speech from which the person's own statistics are used alone
_ENOUGH_QUIET = 8  # silent rows that an estimate of rest needs
_SLOW = 5  # rows that tell as much as one: a mouth does not change at once
_SHUT, _PARTED = 0.03, 0.06  # apertures, eye distances
_TALKS = 0.5  # of the average standard deviation of the aperture: from here on a mouth seems to speak
SPEECH_REACH_ROWS = 21
"""Rows of a window around speech: the mouth moves up to 200 ms before and after the voice."""


@dataclass(frozen=True, eq=False)
class SourceSpeech:
    """One face track as filmed, and its voice.

    ``shapes`` (n, 6) are the measured mouth shapes, ``ok`` (n,) is True where the face was found, ``context`` (n,)
    marks the rows that may be learnt from, and ``seconds`` (n,) tells when they are shown (clip time). ``features`` are
    those of the source's own sound and ``sync`` is how well and how late it fits the face; both are None without a
    sound.
    """

    features: SpeechFeatures | None
    sync: Sync | None
    shapes: Float[np.ndarray, "n 6"]
    ok: Bool[np.ndarray, " n"]
    context: Bool[np.ndarray, " n"]
    seconds: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class SpeakerModel:
    """One person's mouth, learnt from all the tracks that show it. It can be pickled.

    ``rest`` (6,) is the shape at rest. ``levels`` (41, 6) are quantiles of shapes during speech at ``QUANTILE_LEVELS``,
    ``mean`` and ``spread`` (6,) their mean and standard deviation. ``low`` and ``high`` limit the aperture; ``closed``
    is the aperture in lip closures.

    ``trust`` 0..1 is the share of the person's own statistics; the rest is the average of people. It grows with the
    seconds of speech, up to 4 s, if the voice matches the mouth. With less speech than it takes to tell that, the voice
    is assumed to be this mouth's if the aperture varies at least half as much as that of people on average.
    ``source_predictions`` (rows, 6) are the predictions for the source's own speech. ``residual`` (dims, 6) is a linear
    map that is added to the prior, and ``voice_spread`` (6,) the standard deviation of what the prior alone predicts
    while the source's voice is heard. All three are None where nothing was learnt. ``never_closed``: the mouth is open
    in all of the clip, so ``rest`` is a guess. ``sync`` is that of the track with most speech; None without a sound.

    ``shifts`` (tracks, 6): how much the shapes of each track are above those of the person, as the same mouth measures
    differently from another side. All other shapes here are without them; see ``of_track``.
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
    voice_spread: Float64[np.ndarray, " 6"] | None
    never_closed: bool
    sync: Sync | None
    shifts: Float64[np.ndarray, "tracks 6"]

    def predict(
        self, prior: Prior, features: SpeechFeatures, seconds: Float[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 6"]:
        """The prior's prediction at ``seconds`` of clip time, with the learnt residual added."""
        return prior.predict(features, seconds, self.residual)

    def of_track(self, number: int) -> "SpeakerModel":
        """The model in the units of track ``number`` of the sources that it was learnt from."""
        shift = self.shifts[number]
        if not shift.any():
            return self
        return replace(self, rest=self.rest + shift, levels=self.levels + shift, mean=self.mean + shift)


class _Learnt(NamedTuple):
    """Rows of all tracks that may be learnt from: ``shapes`` without the tracks' shifts, whether somebody is
    ``speaking`` then, ``when`` (on the clock of the sound) for rows whose voice is known, ``heard``; and ``speech``,
    the seconds of speech in them. ``assumed``: those with a voice of which there is too little to know it."""

    shapes: Float64[np.ndarray, "n 6"]
    speaking: Bool[np.ndarray, " n"]
    heard: Bool[np.ndarray, " n"]
    when: Float64[np.ndarray, " n"]
    speech: float
    assumed: float
    step: float


def learn_speaker(prior: Prior, sources: Sequence[SourceSpeech], kind: str) -> SpeakerModel:
    """Learn one person's speaker model from all tracks that show the person, in order of time. Linear in their rows.

    The residual is learnt only from sound whose features are of ``kind`` (``Prior.kind`` of the dub's features), from
    at most 6000 rows of footage. At least one source is needed; a source may have no rows.
    """
    usable = [source.ok & source.context & np.isfinite(source.shapes).all(1) for source in sources]
    shapes = [source.shapes[rows].astype(np.float64) for source, rows in zip(sources, usable, strict=True)]
    shifts = _track_shifts(shapes)
    rows = _gathered(sources, usable, [some - shift for some, shift in zip(shapes, shifts, strict=True)])
    features = next((s.features for s in sources if s.features is not None and len(s.features)), None)
    model = replace(_described(prior, rows), sync=_surest_sync(sources), shifts=shifts)
    if features is None or prior.kind(features) != kind or rows.speech < _ENOUGH:
        return model
    own, residual = _residual(prior, features, rows)
    spread = _voice_spread(prior, features, rows.when[rows.heard])
    return replace(model, source_predictions=own, residual=residual, voice_spread=spread)


def _voice_spread(
    prior: Prior, features: SpeechFeatures, when: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " 6"] | None:
    """The standard deviation of what ``prior`` predicts for the instants ``when`` that have a voice."""
    activity = sample_rows(features.voice_activity[:, None], when - float(features.start))[:, 0]
    voiced = when[activity > VOICED]
    voiced = voiced[:: -(-len(voiced) // _MOST_ROWS)] if len(voiced) else voiced
    return prior.predict(features, voiced).std(0).astype(np.float64) if len(voiced) > 1 else None


def _track_shifts(tracks: Sequence[np.ndarray]) -> Float64[np.ndarray, "tracks 6"]:
    """How far the shapes (n, 6) of each track lie above those of all tracks.

    It is what is left of a track's median once the part that follows the aperture is taken out; little of it counts
    where it is not clearly larger than its error. It is 0 for the aperture, and for a single track. The pose-free face
    is measured against the track's own mean face, which differs with the side from which it is seen.
    """
    shifts = np.zeros((len(tracks), 6))
    rows = np.array([len(some) for some in tracks])
    if (rows > 0).sum() < 2:
        return shifts
    middles = np.array([np.median(some, 0) if len(some) else np.zeros(6) for some in tracks])
    moved = np.concatenate([some - middle for some, middle in zip(tracks, middles, strict=True)])
    slope = (moved[:, :1] * moved).sum(0) / (float((moved[:, 0] ** 2).sum()) + 1e-9)
    level = middles - middles[:, :1] * slope
    order = np.argsort(level, 0)
    share = np.cumsum(rows[order], 0) / rows.sum()
    middle = np.take_along_axis(level, np.take_along_axis(order, (share >= 0.5).argmax(0)[None], 0), 0)[0]
    shifts = level - middle
    error = (moved - moved[:, :1] * slope).std(0) / np.sqrt(np.maximum(rows, 1) / _SLOW)[:, None]
    shifts *= shifts**2 / (shifts**2 + (2 * error) ** 2 + 1e-12)
    shifts[:, AP] = 0.0
    shifts[rows == 0] = 0.0
    return shifts


def _gathered(sources: Sequence[SourceSpeech], usable: Sequence[np.ndarray], shapes: Sequence[np.ndarray]) -> _Learnt:
    """The rows of all tracks, and what is heard in them."""
    speaking, heard, when, steps = [], [], [], [np.zeros(0)]
    speech, assumed = 0.0, 0.0
    for source, rows, own in zip(sources, usable, shapes, strict=True):
        features, sync = source.features, source.sync
        seconds = np.asarray(source.seconds, np.float64)
        there = features is not None and sync is not None and len(features) > 0 and len(own) > 1
        known = there and sync is not None and sync.matched
        clock = seconds[rows] + (sync.offset if known and sync is not None else 0.0)
        talks = np.zeros(len(own), bool)
        if there and features is not None and sync is not None and (known or not sync.compared):
            relative = clock - float(features.start)
            active = sample_rows(features.voice_activity[:, None], relative)[:, 0] > 0.5
            heard_for = float(active.sum() * np.median(np.diff(seconds)))
            talks = sample_rows(_speech_reach(features)[:, None], relative)[:, 0] > 0.5
            if known:
                speech += heard_for
                steps.append(np.diff(clock))
            else:
                assumed += heard_for
        speaking.append(talks)
        heard.append(np.full(len(own), known))
        when.append(clock)
    step = np.concatenate(steps)
    return _Learnt(
        np.concatenate(shapes), np.concatenate(speaking), np.concatenate(heard), np.concatenate(when), speech, assumed,
        max(float(np.median(step)), 1e-3) if len(step) else 1.0,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _speech_reach(features: SpeechFeatures) -> Float32[np.ndarray, " rows"]:
    """1 within 200 ms of speech, else 0. The tracks of a clip share one sound, so it is computed once for them."""
    return moving_maximum((features.voice_activity > 0.5).astype(np.float32), SPEECH_REACH_ROWS)


def _surest_sync(sources: Sequence[SourceSpeech]) -> Sync | None:
    """The sync of the track with most speech, matched ones first; None without a sound."""
    known = [source.sync for source in sources if source.sync is not None and source.features is not None]
    return max(known, key=lambda sync: (sync.matched, sync.speech), default=None)


def _residual(
    prior: Prior, features: SpeechFeatures, rows: _Learnt
) -> tuple[Float32[np.ndarray, "n 6"], Float32[np.ndarray, "dims 6"]]:
    """The prior's prediction with the residual added, and the residual map.

    The map is a ridge regression of the prior's errors on the rows of ``Prior.design``, solved in the primal or the
    dual form, whichever is smaller. The penalty grows with the rows of the first seconds only: the more is heard of a
    person, the less the prior binds.
    """
    when, shapes = rows.when[rows.heard], rows.shapes[rows.heard]
    stride = -(-len(when) // _MOST_ROWS)
    when, shapes = when[::stride], shapes[::stride]
    guess = prior.predict(features, when)
    missed = ((shapes - np.median(shapes, 0)) / (shapes.std(0) + 1e-6) - guess).astype(np.float32)
    missed -= missed.mean(0)
    kind, n = prior.kind(features), len(when)
    stiff = _STIFF[kind] * min(n, _FIRM[kind] / (rows.step * stride))
    with one_blas_thread():
        design = prior.design(features, when)
        dims = design.shape[1]
        blocks = [slice(first, first + 512) for first in range(0, n, 512)]
        if n <= dims:
            dual = np.linalg.solve((design @ design.T).astype(np.float64) + stiff * np.eye(n), missed)
            residual = (design.T @ dual).astype(np.float32)
        else:
            square, cross = np.zeros((dims, dims)), np.zeros((dims, 6))
            for block in blocks:
                square += design[block].T @ design[block]
                cross += design[block].T @ missed[block]
            residual = np.linalg.solve(square + stiff * np.eye(dims), cross).astype(np.float32)
        for block in blocks:
            guess[block] += design[block] @ residual
    return guess, residual


def _described(prior: Prior, rows: _Learnt) -> SpeakerModel:
    """The model without a residual map."""
    shapes, speaking = rows.shapes, rows.speaking
    trust = _trust(prior, rows)
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
        rest, levels, levels.mean(0), spread, -0.01, max(high, float(levels[-1, AP])), closed, trust, None, None, None,
        never_closed, None, np.zeros((0, 6)),
    )  # fmt: skip


def _trust(prior: Prior, rows: _Learnt) -> float:
    """The share of the person's own statistics (see ``SpeakerModel``)."""
    if rows.speaking.sum() <= 10:
        return 0.0
    if rows.speech == 0 and rows.shapes[rows.speaking, AP].std() < _TALKS * prior.spread[AP]:
        return 0.0
    return min(1.0, (rows.speech + rows.assumed) / _TRUST)


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
