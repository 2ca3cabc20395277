"""The mouth trajectory of a dub: the mouth shapes that fit the new voice, in one person's own range.

The speaker model's prediction is mapped to the person's range by quantiles; then lips are closed for p, b and m, and
the mouth rests in silence. From the end of a voice to its rest a mouth only closes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.phones import BLANK, PBM
from lipdub.sound_to_mouth.prior import QUANTILE_LEVELS, Prior
from lipdub.sound_to_mouth.resting import MARGIN, VOICED, quiet_rows, rests, settle
from lipdub.sound_to_mouth.speaker_model import SpeakerModel
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

_STEP = float(FEATURE_STEP)
_POOL_SECONDS = 4.0  # of the dub's speech, from which the range of its predictions is taken
_RAMP = 0.06
_LIVELY = np.array([1.0, 0.5, 0.5, 0.5, 0.0, 0.0])  # how much of a livelier voice each number of a shape shows
_LEAST_GAIN, _MOST_GAIN = 0.95, 1.35
_WIDER = 1.15  # of the widest opening that was seen: how far a livelier voice may open lips


@dataclass(frozen=True, eq=False)
class PredictedMouth:
    """A ``trajectory`` with one row per frame; ``notes`` (sentences) and ``figures`` (numbers) for the report."""

    trajectory: MouthTrajectory
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The range of one person's predictions in one dub, which is mapped to the range of the person's mouth.

    ``mean`` and ``spread`` (6,) of the predictions during speech, and ``levels`` (41,), the quantiles of the predicted
    aperture at ``QUANTILE_LEVELS``. ``closure_threshold`` is that of the dub. ``gain`` (6,) is how much further the
    mouth moves in the dub than it did in the source (see ``calibrate``). Keep it (it can be pickled): with it, a line
    that is spoken anew gets the mouth that its neighbours have, and they need not change.
    """

    mean: Float64[np.ndarray, " 6"]
    spread: Float64[np.ndarray, " 6"]
    levels: Float64[np.ndarray, " 41"]
    closure_threshold: float
    gain: Float64[np.ndarray, " 6"]


@dataclass(frozen=True, eq=False)
class DubTiming:
    """When a dub asks for closed lips, and when it lets a mouth rest; computed once for a dub, whoever follows it.

    ``threshold`` is the ``closure_threshold`` that was used. ``closures``: instants (clip time). ``rest`` (rows,) 0..1,
    and ``quiet`` (rows,), True without a voice, are ``FEATURE_STEP`` apart, from ``MARGIN`` rows before ``start`` (clip
    time) on. ``silences`` (pauses, 2): from when to when (clip time) there is no voice around each rest; infinite where
    the dub has not begun or has ended.
    """

    threshold: float
    start: float
    closures: Float64[np.ndarray, " k"]
    quiet: Bool[np.ndarray, " rows"]
    rest: Float32[np.ndarray, " rows"]
    silences: Float64[np.ndarray, "pauses 2"]

    @classmethod
    def of(cls, dub: SpeechFeatures, threshold: float | None = None) -> "DubTiming":
        """The timing of ``dub``; ``threshold``: a ``Calibration.closure_threshold`` (None: that of ``dub``)."""
        least = closure_threshold(dub) if threshold is None else threshold
        quiet, start = quiet_rows(dub), float(dub.start)
        return cls(least, start, closure_times(dub, least), quiet, *rests(quiet, start))

    def rest_at(self, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """How much the mouth rests at ``seconds`` (clip time), 0..1. Outside the dub is silence.

        In pauses shorter than .40 s the mouth does not rest, as real mouths stay open there. See ``resting`` for how
        it closes after a voice and opens before the next one.
        """
        return np.clip(sample_rows(self.rest[:, None], self._rows(seconds))[:, 0].astype(np.float64), 0, 1)

    def quiet_at(self, seconds: Float64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Whether there is no voice at ``seconds`` (clip time). Outside the dub is silence."""
        return sample_rows(self.quiet[:, None].astype(np.float32), self._rows(seconds))[:, 0] > 0.5

    def _rows(self, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Seconds since the first row."""
        return seconds - self.start + MARGIN * _STEP


def predict_mouth(
    prior: Prior,
    model: SpeakerModel,
    dub: SpeechFeatures,
    seconds: Float[np.ndarray, " n"],
    calibration: Calibration,
    timing: DubTiming | None = None,
) -> PredictedMouth:
    """The trajectory of the mouth of ``model`` that fits the sound ``dub``; frame i is shown at ``seconds[i]``.

    All times are clip time. The weight is 1 in all frames. ``model`` is in the units of the track that is shown
    (``SpeakerModel.of_track``). ``timing`` is the dub's: give it where many tracks follow the same dub.
    """
    seconds = np.asarray(seconds, np.float64)
    timing = timing or DubTiming.of(dub, calibration.closure_threshold)
    silent = timing.rest_at(seconds)
    closed = closure_weights(timing.closures, seconds)
    shapes = np.tile(model.rest, (len(seconds), 1))
    if len(dub):
        guess = model.predict(prior, dub, seconds).astype(np.float64)
        shapes = calibrate_to_speaker(model, guess, calibration)
        shapes[:, AP] += closed * (np.minimum(shapes[:, AP], model.closed) - shapes[:, AP])
        shapes += silent[:, None] * (model.rest - shapes)
        settle(shapes, model.rest, silent, seconds, timing.silences)
    trajectory = MouthTrajectory(
        shapes.astype(np.float32), np.ones(len(seconds), np.float32), (closed * (1 - silent)).astype(np.float32)
    )
    figures = {
        "trust": model.trust,
        "closures": float(len(timing.closures)),
        "rest_share": float(silent.mean()) if len(silent) else 0.0,
    }
    if model.sync is not None:
        figures |= {"source_offset": model.sync.offset, "source_sync": model.sync.score}
    return PredictedMouth(trajectory, _notes(model, prior.kind(dub)), figures)


def calibrate(
    prior: Prior,
    model: SpeakerModel,
    dub: SpeechFeatures,
    tracks: Sequence[np.ndarray],
    timing: DubTiming | None = None,
) -> Calibration:
    """The range of the predictions of ``model`` for the speech of ``dub`` while the person is seen.

    ``tracks``: when the frames of each of the person's tracks are shown (clip time), in order of time. If they hold
    less than 4 s of the dub's speech, the nearest speech is added until there are 4 s; if that is less than 3 s, so are
    the predictions for the source's speech. ``timing`` is the dub's: give it where many people are calibrated.

    Where the prior predicts livelier mouths for the dub than for the source's own voice, the mouth moves further than
    in the source. Measured on both halves of seven people, each against the other: the standard deviation of the true
    aperture is that of the other half with an error (standard deviation of its log) of .27, and .18 if it is multiplied
    by the ratio of the predicted ones; of the upper lip .27 and .16, of the width .18 and .13, of the chin .33 and .28,
    and .20, .12 and .30 with the root of the ratio, which is taken for these three, as other languages and voices were
    not measured. Protrusion and thickness of the lips do not follow it. The prior alone is asked, as what was learnt
    from a voice fits this voice better than another one. The ratio counts in proportion to the seconds of own footage
    and of the dub, up to 4 s. It is between .95 and 1.35, so that a flat synthetic voice does not give a flat mouth.
    """
    threshold = closure_threshold(dub) if timing is None else timing.threshold
    if len(dub) == 0:
        return Calibration(np.zeros(6), np.ones(6), np.zeros(len(QUANTILE_LEVELS)), threshold, np.ones(6))
    clock = _pool_instants(dub, tracks)
    pool = _pool(prior, model, dub, clock)
    levels = np.quantile(pool[:, AP], QUANTILE_LEVELS)
    return Calibration(pool.mean(0), pool.std(0), levels, threshold, _gain(prior, model, dub, clock))


def calibrate_to_speaker(
    model: SpeakerModel, guess: Float64[np.ndarray, "n 6"], calibration: Calibration
) -> Float64[np.ndarray, "n 6"]:
    """Map predictions, whose range is that of ``calibration``, to the range of ``model``: the aperture by quantiles,
    the rest by mean and standard deviation.

    The range is wider by ``calibration.gain``, for the aperture above the person's rest; but lips open no more than 15
    % wider than ``model.high``.
    """
    out = (guess - calibration.mean) / (calibration.spread + 1e-9) * model.spread * calibration.gain + model.mean
    slack = 0.3 * (model.levels[-1] - model.levels[0])
    out = np.clip(out, model.levels[0] - slack, model.levels[-1] + slack)
    levels = model.rest[AP] + (model.levels[:, AP] - model.rest[AP]) * calibration.gain[AP]
    out[:, AP] = map_quantiles(guess[:, AP], calibration.levels, levels)
    out[:, AP] = np.clip(out[:, AP], model.low, model.high * np.clip(calibration.gain[AP], 1, _WIDER))
    return out


def map_quantiles(
    values: Float64[np.ndarray, " n"], have: Float64[np.ndarray, " q"], want: Float64[np.ndarray, " q"]
) -> Float64[np.ndarray, " n"]:
    """``values`` under the monotone map that takes the quantiles ``have`` to ``want``.

    It is linear between quantiles; outside of them its slope is half the mean slope.
    """
    have = have + 1e-9 * np.arange(len(have))
    slope = 0.5 * (want[-1] - want[0]) / (have[-1] - have[0] + 1e-9)
    inside = np.interp(values, have, want)
    return inside + slope * (np.minimum(values - have[0], 0) + np.maximum(values - have[-1], 0))


def closure_times(dub: SpeechFeatures, threshold: float | None = None) -> Float64[np.ndarray, " k"]:
    """Instants (clip time) at which lips must be closed: peaks of the posterior of p, b, m above ``threshold`` (None:
    that of ``dub``)."""
    lips = dub.phone_posteriors[:, PBM]
    around = np.pad(lips, 1)
    peaks = (
        (lips >= (closure_threshold(dub) if threshold is None else threshold))
        & (lips > around[:-2])
        & (lips >= around[2:])
    )
    return np.flatnonzero(peaks) * _STEP + float(dub.start)


def closure_threshold(dub: SpeechFeatures) -> float:
    """The posterior of p, b, m from which a peak is a closure: .30 where the phone posteriors are certain, down to .16
    where they are not.

    Certainty is measured by the mean entropy over classes in rows with a phone: .33 to .73 nats in English, .83 to 1.07
    in French, Spanish, Japanese, Chinese and two unknown languages.
    """
    classes = dub.phone_posteriors[dub.voice_activity > VOICED, :BLANK]
    total = classes.sum(1, keepdims=True)
    share = (classes / np.maximum(total, 1e-6))[total[:, 0] > 0.3]
    if len(share) == 0:
        return 0.30
    entropy = float(-(share * np.log(share + 1e-6)).sum(1).mean())
    return float(np.interp(entropy, [0.60, 0.95], [0.30, 0.16]))


def closure_weights(
    instants: Float64[np.ndarray, " k"], seconds: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """How strongly a closure is wanted at ``seconds``, 0..1, given the ``instants`` of closures.

    1 within max(30 ms, half a frame + 5 ms) of an instant, then a cosine ramp of 60 ms down to 0.
    """
    if len(instants) == 0 or len(seconds) == 0:
        return np.zeros(len(seconds))
    frame = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.04
    after = np.clip(np.searchsorted(instants, seconds), 0, len(instants) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(instants[after] - seconds), np.abs(instants[before] - seconds))
    beyond = np.clip((distance - max(0.03, frame / 2 + 0.005)) / _RAMP, 0, 1)
    return 0.5 + 0.5 * np.cos(np.pi * beyond)


def _pool_instants(dub: SpeechFeatures, tracks: Sequence[np.ndarray]) -> Float64[np.ndarray, " m"]:
    """Instants (clip time) of the dub's speech at which predictions are measured (see ``calibrate``)."""
    rows = np.flatnonzero(dub.voice_activity > VOICED)
    clock = rows * _STEP + float(dub.start)
    far = _distances(clock, tracks)
    wanted = max(int((far == 0).sum()), min(len(rows), int(_POOL_SECONDS / _STEP)))
    near = np.flatnonzero(far <= np.partition(far, wanted - 1)[wanted - 1]) if wanted else rows[:0]
    chosen = np.sort(clock[near[np.argsort(far[near], kind="stable")[:wanted]]])
    most = int(120 / _STEP)
    return chosen[:: -(-len(chosen) // most)] if len(chosen) > most else chosen


def _pool(
    prior: Prior, model: SpeakerModel, dub: SpeechFeatures, clock: Float64[np.ndarray, " m"]
) -> Float64[np.ndarray, "rows 6"]:
    """The predictions whose range is measured: those at ``clock``, and others if these are few."""
    pool = model.predict(prior, dub, clock)
    if model.source_predictions is not None and len(pool) * _STEP < 3.0:
        pool = np.concatenate([pool, model.source_predictions])
    if len(pool) < 20:
        pool = np.concatenate([pool, model.predict(prior, dub, np.arange(len(dub)) * _STEP + float(dub.start))])
    return pool.astype(np.float64)


def _gain(
    prior: Prior, model: SpeakerModel, dub: SpeechFeatures, clock: Float64[np.ndarray, " m"]
) -> Float64[np.ndarray, " 6"]:
    """How much further the mouth moves in the dub than in the source (see ``calibrate``)."""
    share = model.trust * min(1.0, len(clock) * _STEP / _POOL_SECONDS)
    if model.voice_spread is None or share == 0 or len(clock) < 2:
        return np.ones(6)
    spread = prior.predict(dub, clock).std(0).astype(np.float64)
    ratio = (spread + 1e-3) / (model.voice_spread + 1e-3)
    return np.clip(ratio, _LEAST_GAIN, _MOST_GAIN) ** (share * _LIVELY)


def _distances(clock: Float64[np.ndarray, " n"], tracks: Sequence[np.ndarray]) -> np.ndarray:
    """Seconds from each instant of ``clock`` to the nearest of ``tracks``, 0 inside one."""
    spans = sorted((float(some[0]), float(some[-1])) for some in tracks if len(some))
    if not spans or not len(clock):
        return clock
    starts = np.array([start for start, _ in spans])
    ends = np.maximum.accumulate([end for _, end in spans])
    before = np.searchsorted(starts, clock, side="right") - 1
    since = np.where(before >= 0, np.maximum(clock - ends[before], 0), np.inf)
    after = before + 1
    until = np.where(after < len(starts), starts[np.minimum(after, len(starts) - 1)] - clock, np.inf)
    return np.minimum(since, until)


def _notes(model: SpeakerModel, kind: str) -> tuple[str, ...]:
    """What the report says about the trajectory, and the features (``kind``) that it was predicted from."""
    notes = []
    if kind == "loudness":
        notes.append("No phones were found in the dub, so the mouth follows its loudness only.")
    elif kind == "encoder":
        notes.append(
            "No phones were found in the dub, so mouth shapes come from the speech encoder alone, and lips are not"
            " closed on purpose for p, b and m."
        )
    elif kind == "phones":
        notes.append("The speech encoder was not used, so mouth shapes come from phones alone.")
    sync = model.sync
    if sync is None:
        notes.append(
            "The source has no sound to learn from, so the mouth moves as far from its rest as people do on average."
        )
    elif not sync.matched and model.trust > 0:
        notes.append(
            f"The source has too little speech ({sync.speech:.1f} s) to tell whether it belongs to this mouth, so"
            f" {model.trust:.0%} of how far the mouth moves is taken from there, and the rest from people in general."
        )
    elif not sync.matched:
        notes.append(
            f"The source's voice could not be matched to this mouth (score {sync.score:.2f} in {sync.speech:.1f} s of"
            " speech), so the mouth moves as far from its rest as people do on average."
        )
    elif model.residual is None:
        notes.append("There is too little speech to learn how this person's mouth moves, so an average is used.")
    if sync is not None and sync.matched and abs(sync.offset) >= 0.07:
        late = "late" if sync.offset > 0 else "early"
        notes.append(f"The source's own sound is {abs(sync.offset) * 1000:.0f} ms {late}; the dub is not shifted.")
    if model.never_closed:
        notes.append("This mouth is never closed in the clip, so its resting shape is a guess.")
    return tuple(notes)
