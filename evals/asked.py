"""The half test without pictures: how the requested mouth follows the true one. Seconds for all clips.

    python -m evals.asked FOLDER [--priors FOLDER] [--keep FOLDER] [--json asked.json] [--both]

As in ``evals.half``, the first half of a clip says the second half's words with what the lips learn in the first half
alone. Nothing is drawn: what is asked of the engine is compared with the mouth that was filmed. ``--keep``: where the
mouths that were measured are kept for the next time. ``--both``: the second half also says the first half's words,
which gives two rows a clip.

    learns              the half that is learnt from
    r ap, wd, ul, jaw   correlation of the requested aperture, width, upper lip and chin with the true ones
    prior               the mean of these four without what was learnt of the person
    swing, swing wd     standard deviation of the requested aperture and width over that of the true ones, where these
                        move (aperture .01 eye distances or more)
    shut                share of the frames with closed lips (true aperture under .03 eye distances) asked to be so
    false               share of the frames asked to be closed in which the true aperture is over .06
    stir, true stir     aperture speed in silence (95 %, eye distances per second), requested and filmed
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench import Bench, NotFit, Row, arguments, later, run, step_of, voice_activity_at
from evals.scores import correlation, stillness
from lipdub.media.probe import open_clip
from lipdub.sound_to_mouth.mouth_trajectory import DubTiming, calibrate, predict_mouth
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, SpeakerModel, learn_speaker
from lipdub.sound_to_mouth.sync import find_sync, likeliest_offset
from lipdub.sound_to_mouth.top_speed import FilmedMouths, top_speed, with_top_speed
from lipdub.timeline.mouth import AP, JAW, UL, WD
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.train.training_clip import MeasuredFace, measure_face

_SHUT, _OPEN = 0.03, 0.06
_SPEECH = 0.3
_MOVES = 0.01  # eye distances: the standard deviation of an aperture that moves


@dataclass(frozen=True, eq=False)
class Halves:
    """A measured face, the features of its sound as the ``dub`` of one half, and which frames this half has
    (``first``); ``true`` (rows, 6) is what was filmed in the other half, NaN where nothing was."""

    face: MeasuredFace
    dub: SpeechFeatures
    first: np.ndarray
    true: np.ndarray


def asked(bench: Bench, path: Path, keep: Path | None, *, both: bool = False) -> list[Row]:
    """One clip's row, and with ``both`` that of the other way round. Raises ``NotFit`` if no face is in both halves."""
    clip, prior = open_clip(path), bench.prior(path)
    face, source = _measured(bench, path, keep), bench.features(path)
    ok = face.ok
    if ok.sum() < 20:
        raise NotFit("no face through the clip")
    offset = Fraction(likeliest_offset(prior, source, face.seconds[ok], face.shapes[ok])).limit_denominator(1000)
    middle = len(clip) // 2
    away, turn = clip.times.instant(middle) - clip.times.instant(0), float(clip.times.instant(middle))
    rows: list[Row] = []
    ways = [("first", face.seconds < turn, away), ("second", face.seconds >= turn, -away)]
    for learns, first, by in ways if both else ways[:1]:
        halves = Halves(face, later(source, -by - offset), first, true_shapes(face, float(by)))
        if (np.isfinite(halves.true[first]).all(1)).sum() < 20:
            continue
        sync = find_sync(prior, source, face.seconds[first], face.shapes[first], ok[first])
        filmed = SourceSpeech(source, sync, face.shapes, ok, first, face.seconds)
        model = learn_speaker(prior, [filmed], prior.kind(source)).of_track(0)
        own = {"learns": learns, "offset": round(1000 * offset), "matched": "yes" if sync.matched else "no"}
        rows.append({**own, **judged(prior, model, halves, step_of(clip))})
    if not rows:
        raise NotFit("no face in both halves")
    return rows


def _measured(bench: Bench, path: Path, keep: Path | None) -> MeasuredFace:
    """The face of ``path``, from ``keep`` if it was measured before."""
    stored = None if keep is None else keep / f"{path.stem}.face.npz"
    if stored is not None and stored.exists():
        with np.load(stored) as arrays:
            return MeasuredFace(arrays["seconds"], arrays["shapes"], arrays["ok"])
    face = measure_face(path, bench.tools.landmarker)
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        np.savez(stored, seconds=face.seconds, shapes=face.shapes, ok=face.ok)
    return face


def true_shapes(face: MeasuredFace, away: float) -> np.ndarray:
    """Shapes (rows, 6) that were filmed ``away`` seconds later; NaN where there is none."""
    when, ok = face.seconds + away, face.ok
    out = np.stack([np.interp(when, face.seconds[ok], face.shapes[ok, k], right=np.nan) for k in range(6)], 1)
    out[np.interp(when, face.seconds, (~ok).astype(float)) > 0.01] = np.nan
    return out


def judged(prior: Prior, model: SpeakerModel, halves: Halves, step: float) -> Row:
    """The numbers of one clip, whose frames are ``step`` seconds apart."""
    first, dub = halves.first, halves.dub
    seconds, true = halves.face.seconds[first], halves.true[first]

    never = np.zeros(len(halves.face.seconds), bool)
    seen = FilmedMouths(halves.face.seconds, halves.face.shapes, halves.face.ok & first, never)
    timing, top = DubTiming.of(dub), top_speed([seen])

    def path(of: SpeakerModel) -> np.ndarray:
        made = predict_mouth(prior, of, dub, seconds, calibrate(prior, of, dub, [seconds]), timing)
        return with_top_speed(made.trajectory, seconds, never[first], top, timing.quiet_at(seconds)).shapes

    shapes, alone = path(model), path(replace(model, residual=None))
    followed = {name: correlation(shapes[:, k], true[:, k]) for name, k in _PARTS.items()}
    silent = voice_activity_at(dub, seconds) < _SPEECH
    known = np.isfinite(true[:, AP])
    wanted, filmed = shapes[known, AP], true[known, AP]
    out: dict[str, Any] = {"frames": int(known.sum())}
    out |= {f"r {name}": r for name, r in followed.items()}
    out["mean"] = float(np.mean(list(followed.values())))
    out["prior"] = float(np.mean([correlation(alone[:, k], true[:, k]) for k in _PARTS.values()]))
    moves = filmed.std() >= _MOVES
    out["swing"] = float(wanted.std() / filmed.std()) if moves else float("nan")
    out["swing wd"] = float(shapes[known, WD].std() / true[known, WD].std()) if moves else float("nan")
    out["shut"] = _share(wanted < _SHUT, filmed < _SHUT)
    out["false"] = _share(filmed > _OPEN, (wanted < _SHUT) & ~silent[known])
    out["stir"] = stillness(shapes[:, AP].astype(float), silent, step).stir
    out["true stir"] = stillness(true[:, AP], silent, step).stir
    return out


_PARTS = {"ap": AP, "wd": WD, "ul": UL, "jaw": JAW}


def _share(of: np.ndarray, among: np.ndarray) -> float:
    return float(of[among].mean()) if among.any() else float("nan")


if __name__ == "__main__":
    given = arguments(str(__doc__).splitlines()[0], keep="where measured mouths are kept for the next time")
    raise SystemExit(
        run(given, "Half test without pictures", lambda bench, path, _: asked(bench, path, given.keep, both=given.both))
    )
