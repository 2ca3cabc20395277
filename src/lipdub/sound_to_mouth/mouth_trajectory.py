"""The mouth path of a dub: what a person's mouth must do so that the new voice seems to be his.

Prediction by the prior and what the clip taught (``person``), stretched to the person's own range by quantiles;
lips that must close for p, b, m do; silence is rest.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float64

from lipdub.sound_to_mouth.design_matrix import sampled
from lipdub.sound_to_mouth.phones import BLANK, PBM
from lipdub.sound_to_mouth.prior import LEVELS, Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, SpeakerModel, learn_speaker
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.runs import true_runs
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

_STEP = float(FEATURE_STEP)
_VOICED = 0.3
_POOL_SECONDS = 4.0  # of the dub's speech, for its own range
_RAMP = 0.06
_SILENCE_ROWS, _AFTER_ROWS, _BEFORE_ROWS = 20, 8, 10  # .40 s or more; 160 ms after speech; 200 ms before it
_EDGE = np.hanning(13)[1:-1] / np.hanning(13)[1:-1].sum()


@dataclass(frozen=True, eq=False)
class PredictedMouth:
    """``path`` has one row per frame; ``notes`` are sentences for the report, ``figures`` numbers for it."""

    path: MouthTrajectory
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def predict_mouth(
    prior: Prior, source: SourceSpeech, dub: SpeechFeatures, seconds: Float[np.ndarray, " n"]
) -> PredictedMouth:
    """What the mouth in ``source`` must do to say ``dub``; ``seconds`` is when each of its frames is shown.

    All on the clip's clock. The shapes are in the person's own units; the weight is 1 everywhere.
    """
    seconds = np.asarray(seconds, np.float64)
    person = learn_speaker(prior, source, dub, seconds)
    silent = silence(dub, seconds)
    closings = closures(dub)
    closed = notches(closings, seconds)
    shapes = np.tile(person.rest, (len(seconds), 1))
    if len(dub):
        guess = person.predict(prior, dub, seconds).astype(np.float64)
        shapes = calibrated(person, guess, _pool(prior, person, dub, seconds))
        shapes[:, AP] += closed * (np.minimum(shapes[:, AP], person.closed) - shapes[:, AP])
        shapes += silent[:, None] * (person.rest - shapes)
    path = MouthTrajectory(
        shapes.astype(np.float32), np.ones(len(seconds), np.float32), (closed * (1 - silent)).astype(np.float32)
    )
    figures = {
        "trust": person.trust,
        "closures": float(len(closings)),
        "rest_share": float(silent.mean()) if len(silent) else 0.0,
    }
    if source.sync is not None:
        figures |= {"source_offset": source.sync.offset, "source_sync": source.sync.score}
    return PredictedMouth(path, _notes(prior, source, person, dub), figures)


def calibrated(
    person: SpeakerModel, guess: Float64[np.ndarray, "n 6"], pool: Float64[np.ndarray, "m 6"]
) -> Float64[np.ndarray, "n 6"]:
    """Bring predictions to the person's range: aperture by quantiles, the rest by mean and standard deviation.

    ``pool`` (m, 6) are the predictions while somebody speaks; their distribution becomes the person's.
    """
    out = (guess - pool.mean(0)) / (pool.std(0) + 1e-9) * person.spread + person.mean
    slack = 0.3 * (person.levels[-1] - person.levels[0])
    out = np.clip(out, person.levels[0] - slack, person.levels[-1] + slack)
    out[:, AP] = quantile_mapped(guess[:, AP], np.quantile(pool[:, AP], LEVELS), person.levels[:, AP])
    out[:, AP] = np.clip(out[:, AP], person.low, person.high)
    return out


def quantile_mapped(
    values: Float64[np.ndarray, " n"], have: Float64[np.ndarray, " q"], want: Float64[np.ndarray, " q"]
) -> Float64[np.ndarray, " n"]:
    """Monotone map that brings the quantiles ``have`` to ``want``; straight tails at half the mean slope."""
    have = have + 1e-9 * np.arange(len(have))
    slope = 0.5 * (want[-1] - want[0]) / (have[-1] - have[0] + 1e-9)
    inside = np.interp(values, have, want)
    return inside + slope * (np.minimum(values - have[0], 0) + np.maximum(values - have[-1], 0))


def closures(dub: SpeechFeatures) -> Float64[np.ndarray, " k"]:
    """Instants (clip time) at which lips must be shut: peaks of the posterior of p, b, m above what is believed."""
    lips = dub.phones[:, PBM]
    around = np.pad(lips, 1)
    peaks = (lips >= closure_threshold(dub)) & (lips > around[:-2]) & (lips >= around[2:])
    return np.flatnonzero(peaks) * _STEP + float(dub.start)


def closure_threshold(dub: SpeechFeatures) -> float:
    """The posterior of p, b, m from which a closure is believed: .30 where the phones are sure, as in English, .16
    where they are not, as in languages the phone model knows less.

    Sureness is the mean entropy over classes in rows where a phone is heard: measured .33 to .73 nats in English,
    .83 to 1.07 in French, Spanish, Japanese, Chinese and two unknown languages.
    """
    classes = dub.phones[dub.voiced > _VOICED, :BLANK]
    total = classes.sum(1, keepdims=True)
    share = (classes / np.maximum(total, 1e-6))[total[:, 0] > 0.3]
    if len(share) == 0:
        return 0.30
    entropy = float(-(share * np.log(share + 1e-6)).sum(1).mean())
    return float(np.interp(entropy, [0.60, 0.95], [0.30, 0.16]))


def notches(instants: Float64[np.ndarray, " k"], seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """How much a closure is asked for, 0..1: 1 within max(30 ms, half a frame + 5 ms), then 60 ms of cosine."""
    if len(instants) == 0 or len(seconds) == 0:
        return np.zeros(len(seconds))
    frame = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.04
    after = np.clip(np.searchsorted(instants, seconds), 0, len(instants) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(instants[after] - seconds), np.abs(instants[before] - seconds))
    beyond = np.clip((distance - max(0.03, frame / 2 + 0.005)) / _RAMP, 0, 1)
    return 0.5 + 0.5 * np.cos(np.pi * beyond)


def silence(dub: SpeechFeatures, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """How much the mouth rests for silence, 0..1. Outside the dub is silence too.

    Pauses under .40 s do not count: real mouths stay parted. A mouth closes 160 ms after speech and opens
    200 ms before it, each in 220 ms.
    """
    margin = 50
    quiet = np.pad(dub.voiced < _VOICED, margin, constant_values=True)
    gate = np.zeros(len(quiet))
    for first, stop in true_runs(quiet):
        begin = first + _AFTER_ROWS if first > 0 else 0
        end = stop - _BEFORE_ROWS if stop < len(quiet) else len(quiet)
        if stop - first >= _SILENCE_ROWS and end > begin:
            gate[begin:end] = 1
    reach = len(_EDGE) // 2
    gate = np.convolve(np.pad(gate, reach, mode="edge"), _EDGE, "valid").astype(np.float32)
    relative = seconds - float(dub.start) + margin * _STEP
    return np.clip(sampled(gate[:, None], relative)[:, 0].astype(np.float64), 0, 1)


def _pool(
    prior: Prior, person: SpeakerModel, dub: SpeechFeatures, seconds: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "m 6"]:
    """Predictions while the dub speaks: around these frames, wider until there are 4 s of speech, then the source's
    own ones as well."""
    rows = np.flatnonzero(dub.voiced > _VOICED)
    clock = rows * _STEP + float(dub.start)
    far = np.maximum(np.maximum(seconds[0] - clock, clock - seconds[-1]), 0) if len(seconds) else clock
    wanted = max(int((far == 0).sum()), min(len(rows), int(_POOL_SECONDS / _STEP)))
    chosen = np.sort(clock[np.argsort(far, kind="stable")[:wanted]])
    most = int(120 / _STEP)
    chosen = chosen[:: -(-len(chosen) // most)] if len(chosen) > most else chosen
    pool = person.predict(prior, dub, chosen)
    if person.own is not None and len(pool) * _STEP < 3.0:
        pool = np.concatenate([pool, person.own])
    if len(pool) < 20:
        pool = np.concatenate([pool, person.predict(prior, dub, np.arange(len(dub)) * _STEP + float(dub.start))])
    return pool.astype(np.float64)


def _notes(prior: Prior, source: SourceSpeech, person: SpeakerModel, dub: SpeechFeatures) -> tuple[str, ...]:
    notes = []
    kind = prior.kind(dub)
    if kind == "loudness":
        notes.append("No phones were heard in the dub, so the mouth follows its loudness only.")
    elif kind == "phones":
        notes.append("The whisper encoder was not at hand, so mouth shapes come from phones alone.")
    sync = source.sync
    if source.features is None or sync is None:
        notes.append("The source has no sound to learn from, so the mouth's range is everybody's, above its own rest.")
    elif not sync.matched:
        notes.append(
            f"The source's voice could not be matched to this mouth (score {sync.score:.2f} in {sync.speech:.1f} s of"
            " speech), so the mouth's range is everybody's, above its own rest."
        )
    elif person.residual is None:
        notes.append("There is little speech to learn this person's way of speaking from, so the prior stands alone.")
    if sync is not None and sync.matched and abs(sync.offset) >= 0.07:
        late = "late" if sync.offset > 0 else "early"
        notes.append(f"The source's own sound is {abs(sync.offset) * 1000:.0f} ms {late}; the dub is not shifted.")
    if person.never_closed:
        notes.append("This mouth is never closed as filmed, so its rest was made up.")
    return tuple(notes)
