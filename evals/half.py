"""The half test: say the second half of a clip with the mouths of the first, and compare with how it really was.

    python -m evals.half FOLDER [--priors FOLDER] [--json half.json] [--shots]

The pictures of the first half are dubbed with the sound of the second: mouths, the person's own range and what the
lips learn all come from the first half alone. The result is written as the product writes it, read back, and its
mouth is measured afresh. The true mouth is that of the second half, with the file's own sync offset taken out.

    offset  ms the file's own sound is late, from the whole clip          matched  the product saw so in the first half
    r       correlation of the re-found aperture with the true one        r wd   the same for the width
    asked   correlation of the requested aperture with the true one       drawn  of the re-found with the requested
    swing   standard deviation of the re-found over that of the true      lag    ms the re-found comes after the true
    p b m   closures found shut over closures asked for                   true pbm   the same as filmed
    stir    aperture speed in silence (95 %, eye distances per second)    true stir  the same as filmed
    flick   frame-to-frame change of the mouth over that of the true one

With ``--shots``: a short shot, alone and with the other shots of the person; see ``evals.shots``.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from evals.bench import (
    ACTING,
    Bench,
    Filming,
    NotFit,
    Row,
    analysed,
    arguments,
    encoded,
    late_ms,
    later,
    planned,
    run,
    shapes_again,
    sole_plan,
    step_of,
    voice_activity_at,
)
from evals.scores import correlation, flicker, mouth_crop, stillness
from evals.shots import several_shots
from lipdub.media.probe import open_clip
from lipdub.media.read import prefetch, read_frames
from lipdub.review.closures import closures
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.sync import likeliest_offset
from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import FacePlan
from lipdub.timeline.clip import Clip
from lipdub.timeline.mouth import AP, WD, MouthTrajectory
from lipdub.timeline.speech_features import SpeechFeatures


@dataclass(frozen=True, eq=False)
class Trial:
    """What is compared: shapes found ``again`` and ``true`` ones (rows, 6), in the ``rows`` that are judged;
    ``seconds``, when each is shown; ``voiced``, the dub's probability of speech then; ``step``, the mean distance."""

    path: MouthTrajectory
    again: np.ndarray
    true: np.ndarray
    rows: np.ndarray
    seconds: np.ndarray
    voiced: np.ndarray
    step: float


@dataclass(frozen=True, eq=False)
class HalfDub:
    """A clip whose first half says the second half's words: the ``plan`` of its face, the film as written, ``result``,
    what is compared, ``trial``, and the file's own sync ``offset`` in seconds."""

    clip: Clip
    plan: FacePlan
    result: Clip
    trial: Trial
    offset: Fraction

    @property
    def middle(self) -> int:
        """The first frame of the second half."""
        return len(self.clip) // 2


def half(bench: Bench, path: Path, scratch: Path) -> Row:
    """One clip's row. Raises ``NotFit`` if no one face is there in both halves."""
    made = half_dub(bench, path, scratch)
    own = {"offset": round(1000 * made.offset), "matched": "yes" if made.plan.sync.matched else "no"}
    return {**own, **judged(made.trial), "flick": _flicker(made.clip, made.result, made.plan, made.middle)}


def half_dub(bench: Bench, path: Path, scratch: Path) -> HalfDub:
    """Dub the first half of ``path`` with the sound of the second; files lie in ``scratch``. Raises ``NotFit``."""
    clip = open_clip(path)
    middle = len(clip) // 2
    hidden, away = range(middle, len(clip)), clip.times.instant(middle) - clip.times.instant(0)
    analysis = analysed(bench, clip, scratch / "faces", hidden)
    prior, source = bench.prior(path), bench.features(path)
    offset = _own_offset(clip, analysis, prior, source)
    dub = later(source, -away - offset)
    plan = sole_plan(planned(clip, analysis, dub, prior), clip)
    filming = Filming.of(bench, clip, (analysis, plan, dub), scratch / "rendered")
    result = encoded(clip, filming.frames(lambda *_: None), path, scratch / "half.mp4")
    seconds = plan.face.seconds(clip)
    trial = Trial(
        path=plan.trajectory,
        again=shapes_again(bench, result, plan.face, scratch / "again"),
        true=_true(plan, seconds, float(away)),
        rows=_rows(clip, plan, middle),
        seconds=seconds,
        voiced=voice_activity_at(dub, seconds),
        step=step_of(clip),
    )
    return HalfDub(clip, plan, result, trial, offset)


def _own_offset(clip: Clip, analysis: Analysis, prior: Prior, source: SpeechFeatures) -> Fraction:
    """Seconds by which the file's own sound is late, from the whole clip: where the truth lies, not what is judged."""
    face = max(analysis.faces, key=lambda f: len(f.track), default=None)
    if face is None or face.motion.ok.sum() < 20:
        raise NotFit("no face through the clip")
    ok = face.motion.ok
    found = likeliest_offset(prior, source, face.seconds(clip)[ok], face.motion.shapes[ok])
    return Fraction(found).limit_denominator(1000)


def _rows(clip: Clip, plan: FacePlan, middle: int) -> np.ndarray:
    """Rows of the track that are judged: performed, in the first half, with a true picture half a clip later."""
    path, track = plan.trajectory, plan.face.track
    index = np.arange(track.first, track.stop)
    rows = (path.weight >= ACTING) & (index < min(middle, len(clip) - middle))
    if rows.sum() < 10:
        raise NotFit("fewer than 10 frames were performed")
    return rows


def _true(plan: FacePlan, seconds: np.ndarray, away: float) -> np.ndarray:
    """Shapes (rows, 6) that were filmed ``away`` seconds later; NaN where there is none."""
    own, ok = plan.face.motion.shapes, plan.face.motion.ok
    out = np.stack([np.interp(seconds + away, seconds[ok], own[ok, k], right=np.nan) for k in range(6)], 1)
    out[np.interp(seconds + away, seconds, (~ok).astype(float)) > 0.01] = np.nan
    return out


def judged(trial: Trial) -> Row:
    """The numbers of one trial."""
    seen = np.where(trial.rows[:, None], trial.again, np.nan)
    true = np.where(trial.rows[:, None], trial.true, np.nan)
    want, wanted_shut = trial.path.shapes[:, AP].astype(float), trial.path.closed * trial.rows
    asked, met = closures(seen[:, AP], wanted_shut)
    known, really = closures(true[:, AP], wanted_shut)
    both = np.isfinite(seen[:, AP]) & np.isfinite(true[:, AP])
    silent = trial.rows & (trial.voiced < 0.3)
    return {
        "frames": int(trial.rows.sum()),
        "r": correlation(seen[:, AP], true[:, AP]),
        "r wd": correlation(seen[:, WD], true[:, WD]),
        "asked": correlation(want, true[:, AP]),
        "drawn": correlation(seen[:, AP], want),
        "swing": float(seen[both, AP].std() / true[both, AP].std()),
        "|lag| ms": abs(late_ms(seen[:, AP], true[:, AP], trial.rows, trial.seconds)),
        "p b m": f"{met}/{asked}",
        "true pbm": f"{really}/{known}",
        "stir": stillness(trial.again[:, AP], silent, trial.step).stir,
        "true stir": stillness(trial.true[:, AP], silent, trial.step).stir,
    }


def _flicker(clip: Clip, result: Clip, plan: FacePlan, middle: int) -> float:
    """Restlessness of the dubbed first half's mouth over that of the filmed second half's."""
    track, motion = plan.face.track, plan.face.motion

    def crops(of: Clip, first: int, stop: int) -> np.ndarray:
        some = (
            mouth_crop(motion, f.index - track.first, of.size, f.rgb)
            for f in prefetch(read_frames(of, first, stop))
            if f.index in track
        )
        return np.array([c for c in some if c is not None])

    made, filmed_so = crops(result, 0, middle), crops(clip, middle, min(2 * middle, len(clip)))
    return flicker(made, filmed_so) if len(made) > 1 and len(filmed_so) > 1 else float("nan")


if __name__ == "__main__":
    given = arguments(str(__doc__).splitlines()[0])
    if given.shots:
        raise SystemExit(run(given, "Several shots", several_shots(given.folder)))
    raise SystemExit(run(given, "Half test", half))
