"""The mouth trajectory of a dub: the mouth shapes that fit the new voice, in one person's own range.

The speaker model's prediction is mapped to the person's range by quantiles; then lips are closed for p, b and m, and
the mouth rests in silence. From the end of a voice to its rest a mouth only closes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32, Float64

from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.phones import BLANK, PBM
from lipdub.sound_to_mouth.prior import QUANTILE_LEVELS, Prior
from lipdub.sound_to_mouth.speaker_model import SpeakerModel
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.runs import true_runs
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

_STEP = float(FEATURE_STEP)
_VOICED = 0.3
_POOL_SECONDS = 4.0  # of the dub's speech, from which the range of its predictions is taken
_RAMP = 0.06
_SILENCE_ROWS, _AFTER_ROWS, _BEFORE_ROWS = 20, 8, 10  # .40 s or more; 160 ms after speech; 200 ms before it
_MARGIN = 50  # rows of silence before and after a dub
_HANGOVER = 0.1  # seconds before its end in which the voice activity is still high, although the voice has ended
_EDGE = np.hanning(13)[1:-1] / np.hanning(13)[1:-1].sum()


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
    aperture at ``QUANTILE_LEVELS``. ``closure_threshold`` is that of the dub. Keep it (it can be pickled): with it, a
    line that is spoken anew gets the mouth that its neighbours have, and they need not change.
    """

    mean: Float64[np.ndarray, " 6"]
    spread: Float64[np.ndarray, " 6"]
    levels: Float64[np.ndarray, " 41"]
    closure_threshold: float


@dataclass(frozen=True, eq=False)
class DubTiming:
    """When a dub asks for closed lips, and when it lets a mouth rest; computed once for a dub, whoever follows it.

    ``threshold`` is the ``closure_threshold`` that was used. ``closures``: instants (clip time). ``rest`` (rows,) 0..1,
    ``FEATURE_STEP`` apart, from ``_MARGIN`` rows before ``start`` (clip time) on. ``silences`` (pauses, 2): from when
    to when (clip time) there is no voice around each rest; infinite where the dub has not begun or has ended.
    """

    threshold: float
    start: float
    closures: Float64[np.ndarray, " k"]
    rest: Float32[np.ndarray, " rows"]
    silences: Float64[np.ndarray, "pauses 2"]

    @classmethod
    def of(cls, dub: SpeechFeatures, threshold: float | None = None) -> "DubTiming":
        """The timing of ``dub``; ``threshold``: a ``Calibration.closure_threshold`` (None: that of ``dub``)."""
        least = closure_threshold(dub) if threshold is None else threshold
        return cls(least, float(dub.start), closure_times(dub, least), *_rests(dub))

    def rest_at(self, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """How much the mouth rests at ``seconds`` (clip time), 0..1. Outside the dub is silence."""
        relative = seconds - self.start + _MARGIN * _STEP
        return np.clip(sample_rows(self.rest[:, None], relative)[:, 0].astype(np.float64), 0, 1)


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
        _settle(shapes, model.rest, silent, seconds, timing.silences)
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
    """
    threshold = closure_threshold(dub) if timing is None else timing.threshold
    if len(dub) == 0:
        return Calibration(np.zeros(6), np.ones(6), np.zeros(len(QUANTILE_LEVELS)), threshold)
    pool = _pool(prior, model, dub, tracks)
    levels = np.quantile(pool[:, AP], QUANTILE_LEVELS)
    return Calibration(pool.mean(0), pool.std(0), levels, threshold)


def calibrate_to_speaker(
    model: SpeakerModel, guess: Float64[np.ndarray, "n 6"], calibration: Calibration
) -> Float64[np.ndarray, "n 6"]:
    """Map predictions, whose range is that of ``calibration``, to the range of ``model``: the aperture by quantiles,
    the rest by mean and standard deviation."""
    out = (guess - calibration.mean) / (calibration.spread + 1e-9) * model.spread + model.mean
    slack = 0.3 * (model.levels[-1] - model.levels[0])
    out = np.clip(out, model.levels[0] - slack, model.levels[-1] + slack)
    out[:, AP] = map_quantiles(guess[:, AP], calibration.levels, model.levels[:, AP])
    out[:, AP] = np.clip(out[:, AP], model.low, model.high)
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
    classes = dub.phone_posteriors[dub.voice_activity > _VOICED, :BLANK]
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


def rest_weights(dub: SpeechFeatures, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """How much the mouth rests at ``seconds``, 0..1. Outside the dub is silence.

    In pauses shorter than .40 s the mouth does not rest, as real mouths stay open there. The mouth closes 160 ms after
    speech and opens 200 ms before it, each within 220 ms.
    """
    return DubTiming(0.0, float(dub.start), np.zeros(0), *_rests(dub)).rest_at(seconds)


def _settle(
    shapes: Float64[np.ndarray, "n 6"],
    rest: Float64[np.ndarray, " 6"],
    silent: Float64[np.ndarray, " n"],
    seconds: Float64[np.ndarray, " n"],
    silences: Float64[np.ndarray, "pauses 2"],
) -> None:
    """Change ``shapes`` so that lips only close from the end of speech until they rest, and only open from then until
    speech: a prediction without a voice wanders.

    A shape that is open too far is moved towards ``rest``, as a whole. ``silent``: how much the mouth rests.
    """
    for begin, end in silences:
        rows = np.flatnonzero((seconds >= begin - _HANGOVER) & (seconds <= end))
        resting = rows[silent[rows] > 1 - 1e-6]
        if not len(resting):
            continue
        closing = rows[rows <= resting[0]] if np.isfinite(begin) else rows[:0]
        opening = rows[rows >= resting[-1]] if np.isfinite(end) else rows[:0]
        for some in (closing, opening[::-1]):
            widest = np.minimum.accumulate(shapes[some, AP])
            beyond = np.maximum(shapes[some, AP] - rest[AP], 1e-9)
            part = np.clip((shapes[some, AP] - widest) / beyond, 0, 1)
            shapes[some] += part[:, None] * (rest - shapes[some])


def _rests(dub: SpeechFeatures) -> tuple[Float32[np.ndarray, " rows"], Float64[np.ndarray, "pauses 2"]]:
    """``rest_weights`` on the rows of ``dub`` and ``_MARGIN`` rows before and after them, and the silences in which
    the mouth rests (see ``DubTiming``)."""
    quiet = np.pad(dub.voice_activity < _VOICED, _MARGIN, constant_values=True)
    gate, silences = np.zeros(len(quiet)), []
    for first, stop in true_runs(quiet):
        begin = first + _AFTER_ROWS if first > 0 else 0
        end = stop - _BEFORE_ROWS if stop < len(quiet) else len(quiet)
        if stop - first >= _SILENCE_ROWS and end > begin:
            gate[begin:end] = 1
            clock = (np.array([first, stop]) - _MARGIN) * _STEP + float(dub.start)
            silences.append((clock[0] if first > 0 else -np.inf, clock[1] if stop < len(quiet) else np.inf))
    reach = len(_EDGE) // 2
    gate = np.convolve(np.pad(gate, reach, mode="edge"), _EDGE, "valid").astype(np.float32)
    return gate, np.array(silences, np.float64).reshape(-1, 2)


def _pool(
    prior: Prior, model: SpeakerModel, dub: SpeechFeatures, tracks: Sequence[np.ndarray]
) -> Float64[np.ndarray, "m 6"]:
    """The predictions whose range is measured (see ``calibrate``)."""
    rows = np.flatnonzero(dub.voice_activity > _VOICED)
    clock = rows * _STEP + float(dub.start)
    far = _distances(clock, tracks)
    wanted = max(int((far == 0).sum()), min(len(rows), int(_POOL_SECONDS / _STEP)))
    near = np.flatnonzero(far <= np.partition(far, wanted - 1)[wanted - 1]) if wanted else rows[:0]
    chosen = np.sort(clock[near[np.argsort(far[near], kind="stable")[:wanted]]])
    most = int(120 / _STEP)
    chosen = chosen[:: -(-len(chosen) // most)] if len(chosen) > most else chosen
    pool = model.predict(prior, dub, chosen)
    if model.source_predictions is not None and len(pool) * _STEP < 3.0:
        pool = np.concatenate([pool, model.source_predictions])
    if len(pool) < 20:
        pool = np.concatenate([pool, model.predict(prior, dub, np.arange(len(dub)) * _STEP + float(dub.start))])
    return pool.astype(np.float64)


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
    elif kind == "phones":
        notes.append("The speech encoder was not used, so mouth shapes come from phones alone.")
    sync = model.sync
    if sync is None:
        notes.append(
            "The source has no sound to learn from, so the mouth moves as far from its rest as people do on average."
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
