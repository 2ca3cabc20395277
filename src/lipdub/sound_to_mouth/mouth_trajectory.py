"""The mouth trajectory of a dub: the mouth shapes that fit the new voice, in one person's own range.

The speaker model's prediction is mapped to the person's range by quantiles; then lips are closed for p, b and m, and
the mouth rests in silence.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float64

from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.phones import BLANK, PBM
from lipdub.sound_to_mouth.prior import QUANTILE_LEVELS, Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, SpeakerModel, learn_speaker
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.runs import true_runs
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

_STEP = float(FEATURE_STEP)
_VOICED = 0.3
_POOL_SECONDS = 4.0  # of the dub's speech, from which the range of its predictions is taken
_RAMP = 0.06
_SILENCE_ROWS, _AFTER_ROWS, _BEFORE_ROWS = 20, 8, 10  # .40 s or more; 160 ms after speech; 200 ms before it
_EDGE = np.hanning(13)[1:-1] / np.hanning(13)[1:-1].sum()


@dataclass(frozen=True, eq=False)
class PredictedMouth:
    """A ``trajectory`` with one row per frame; ``notes`` (sentences) and ``figures`` (numbers) for the report."""

    trajectory: MouthTrajectory
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def predict_mouth(
    prior: Prior, source: SourceSpeech, dub: SpeechFeatures, seconds: Float[np.ndarray, " n"]
) -> PredictedMouth:
    """The trajectory of the mouth in ``source`` that fits the sound ``dub``; frame i is shown at ``seconds[i]``.

    All times are clip time. The weight is 1 in all frames.
    """
    seconds = np.asarray(seconds, np.float64)
    model = learn_speaker(prior, source, dub, seconds)
    silent = rest_weights(dub, seconds)
    closings = closure_times(dub)
    closed = closure_weights(closings, seconds)
    shapes = np.tile(model.rest, (len(seconds), 1))
    if len(dub):
        guess = model.predict(prior, dub, seconds).astype(np.float64)
        shapes = calibrate_to_speaker(model, guess, _pool(prior, model, dub, seconds))
        shapes[:, AP] += closed * (np.minimum(shapes[:, AP], model.closed) - shapes[:, AP])
        shapes += silent[:, None] * (model.rest - shapes)
    trajectory = MouthTrajectory(
        shapes.astype(np.float32), np.ones(len(seconds), np.float32), (closed * (1 - silent)).astype(np.float32)
    )
    figures = {
        "trust": model.trust,
        "closures": float(len(closings)),
        "rest_share": float(silent.mean()) if len(silent) else 0.0,
    }
    if source.sync is not None:
        figures |= {"source_offset": source.sync.offset, "source_sync": source.sync.score}
    return PredictedMouth(trajectory, _notes(prior, source, model, dub), figures)


def calibrate_to_speaker(
    model: SpeakerModel, guess: Float64[np.ndarray, "n 6"], pool: Float64[np.ndarray, "m 6"]
) -> Float64[np.ndarray, "n 6"]:
    """Map predictions to the range of ``model``: the aperture by quantiles, the rest by mean and standard deviation.

    ``pool`` (m, 6) are predictions during speech; their distribution is mapped to that of the model.
    """
    out = (guess - pool.mean(0)) / (pool.std(0) + 1e-9) * model.spread + model.mean
    slack = 0.3 * (model.levels[-1] - model.levels[0])
    out = np.clip(out, model.levels[0] - slack, model.levels[-1] + slack)
    out[:, AP] = map_quantiles(guess[:, AP], np.quantile(pool[:, AP], QUANTILE_LEVELS), model.levels[:, AP])
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


def closure_times(dub: SpeechFeatures) -> Float64[np.ndarray, " k"]:
    """Instants (clip time) at which lips must be closed: peaks of the posterior of p, b, m above the threshold."""
    lips = dub.phone_posteriors[:, PBM]
    around = np.pad(lips, 1)
    peaks = (lips >= closure_threshold(dub)) & (lips > around[:-2]) & (lips >= around[2:])
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
    margin = 50
    quiet = np.pad(dub.voice_activity < _VOICED, margin, constant_values=True)
    gate = np.zeros(len(quiet))
    for first, stop in true_runs(quiet):
        begin = first + _AFTER_ROWS if first > 0 else 0
        end = stop - _BEFORE_ROWS if stop < len(quiet) else len(quiet)
        if stop - first >= _SILENCE_ROWS and end > begin:
            gate[begin:end] = 1
    reach = len(_EDGE) // 2
    gate = np.convolve(np.pad(gate, reach, mode="edge"), _EDGE, "valid").astype(np.float32)
    relative = seconds - float(dub.start) + margin * _STEP
    return np.clip(sample_rows(gate[:, None], relative)[:, 0].astype(np.float64), 0, 1)


def _pool(
    prior: Prior, model: SpeakerModel, dub: SpeechFeatures, seconds: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "m 6"]:
    """Predictions during the dub's speech: in these frames, or in a wider range that holds 4 s of speech.

    If that is less than 3 s, the predictions for the source's speech are added.
    """
    rows = np.flatnonzero(dub.voice_activity > _VOICED)
    clock = rows * _STEP + float(dub.start)
    far = np.maximum(np.maximum(seconds[0] - clock, clock - seconds[-1]), 0) if len(seconds) else clock
    wanted = max(int((far == 0).sum()), min(len(rows), int(_POOL_SECONDS / _STEP)))
    chosen = np.sort(clock[np.argsort(far, kind="stable")[:wanted]])
    most = int(120 / _STEP)
    chosen = chosen[:: -(-len(chosen) // most)] if len(chosen) > most else chosen
    pool = model.predict(prior, dub, chosen)
    if model.source_predictions is not None and len(pool) * _STEP < 3.0:
        pool = np.concatenate([pool, model.source_predictions])
    if len(pool) < 20:
        pool = np.concatenate([pool, model.predict(prior, dub, np.arange(len(dub)) * _STEP + float(dub.start))])
    return pool.astype(np.float64)


def _notes(prior: Prior, source: SourceSpeech, model: SpeakerModel, dub: SpeechFeatures) -> tuple[str, ...]:
    notes = []
    kind = prior.kind(dub)
    if kind == "loudness":
        notes.append("No phones were found in the dub, so the mouth follows its loudness only.")
    elif kind == "phones":
        notes.append("The whisper encoder was not at hand, so mouth shapes come from phones alone.")
    sync = source.sync
    if source.features is None or sync is None:
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
