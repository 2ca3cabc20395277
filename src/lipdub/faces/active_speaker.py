"""Active speaker detection: which face speaks when.

Each shot is cut into steps of a fifth of a second; in every step one of its faces speaks or nobody does. Evidence is
how well a mouth's motion agrees with the motion predicted from the speech, and how much the mouth moves compared with
the noise of its measurement. The most likely sequence of speakers is found by the Viterbi algorithm (A. J. Viterbi,
IEEE Trans. Information Theory 13(2), 1967), with a cost for every change. Without speech nothing changes.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.moving_windows import moving_mean
from lipdub.errors import OptionError
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP
from lipdub.timeline.runs import true_runs
from lipdub.timeline.time import parse_instant, timecode

_STEP = 0.2  # seconds
_SWITCH = 4.0  # cost of a change of speaker
_AGREE, _AGREE_AT = 2.0, 0.2  # weight of agreement per step, and the agreement that is no evidence
_ACTIVITY_WEIGHT = 1.0  # weight of a mouth's activity
_SMOOTH = 0.5  # seconds over which activity is averaged
_TALKING = 0.35  # eye distances per second: a mouth whose aperture moves faster is talking
_JITTER = 0.25  # pixels: noise of landmarks between frames
_NEVER = 1e4  # log odds against what cannot be


PRIOR_LOG_ODDS = 0.3
"""Log odds that a face in the picture speaks rather than nobody, before anything is known."""


@dataclass(frozen=True, slots=True)
class FaceSelector:
    """The user's choice of a face: ``kind`` is ``"auto"``, ``"left"``, ``"right"``, ``"largest"``; ``"at"`` with a
    ``point`` (display pixels) and an ``instant`` (s); or ``"person"`` with the ``person``'s id or name."""

    kind: str
    point: tuple[float, float] = (0.0, 0.0)
    instant: Fraction = Fraction(0)
    person: str = ""

    @property
    def text(self) -> str:
        """The choice as a user writes it."""
        if self.kind == "at":
            return f"{self.point[0]:g},{self.point[1]:g}@{timecode(self.instant)}"
        return self.person if self.kind == "person" else self.kind


def parse_face_selectors(texts: str | Sequence[str]) -> tuple[FaceSelector, ...]:
    """Parse the option that chooses faces, which may be repeated. Raises ``OptionError``."""
    every = [texts] if isinstance(texts, str) else texts
    selectors = tuple(dict.fromkeys(parse_face_selector(text) for text in every)) or (FaceSelector("auto"),)
    if len(selectors) > 1 and any(selector.kind == "auto" for selector in selectors):
        raise OptionError("--face auto cannot be given together with other faces", remedy="Leave auto out.")
    return selectors


def parse_face_selector(text: str) -> FaceSelector:
    """Parse one choice of a face. Raises ``OptionError``, which lists what can be given."""
    word = text.strip().lower()
    if word in ("auto", "left", "right", "largest"):
        return FaceSelector(word)
    if named := re.fullmatch(r"\d+[a-z]{0,2}|person:\s*\S.*", text.strip(), re.IGNORECASE):
        return FaceSelector("person", person=named[0].partition(":")[2].strip() or named[0])
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*@\s*(.+)", word)
    if found:
        try:
            return FaceSelector("at", (float(found[1]), float(found[2])), parse_instant(found[3]))
        except ValueError as wrong:
            raise OptionError(f"face '{text}': {wrong}", remedy="For example 640,300@0:12.5.") from wrong
    raise OptionError(
        f"'{text}' does not name a face",
        remedy="Use auto, left, right, largest, X,Y@TIME (a point on the face in pixels, and when), the number of a"
        " person, or person:NAME.",
    )


@dataclass(frozen=True, eq=False)
class SpeakingEvidence:
    """Evidence about one track, per row: ``times`` in seconds; ``agreement`` of the mouth's motion with the speech,
    -1..1 (NaN: unknown); ``speaking``, the probability (0..1) of speech in the sound. ``known`` is added to the log
    odds: what is known from elsewhere (None: nothing)."""

    times: Float[np.ndarray, " frames"]
    agreement: Float[np.ndarray, " frames"]
    speaking: Float[np.ndarray, " frames"]
    known: Float[np.ndarray, " frames"] | None = None


@dataclass(frozen=True, eq=False)
class SpeakerAssignment:
    """Who speaks when: for each track id the ranges (first row, row after the last) of its own rows.

    ``notes`` are sentences for the report.
    """

    spans: dict[int, tuple[tuple[int, int], ...]]
    notes: tuple[str, ...] = ()


def assign_speaker(
    tracks: Sequence[FaceTrack],
    motions: Sequence[FaceMotion],
    evidence: Sequence[SpeakingEvidence],
    chosen: frozenset[int] | None = None,
) -> SpeakerAssignment:
    """Decide which face speaks when. The sequences are parallel.

    ``chosen`` are the ids of the tracks that the user chose (None: none). While one of them is in the picture it
    speaks throughout; while several are, one of them does.
    """
    spans: dict[int, tuple[tuple[int, int], ...]] = {track.id: () for track in tracks}
    of_shots: dict[Shot, list[int]] = {}
    for i, track in enumerate(tracks):
        if chosen is None or track.id in chosen:
            of_shots.setdefault(track.shot, []).append(i)
    for members in of_shots.values():
        spans |= _speakers([motions[i] for i in members], [evidence[i] for i in members], silent=chosen is None)
    return SpeakerAssignment(spans)


def mouth_activity(motion: FaceMotion, times: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """How much a mouth moves, per row: log of the speed of its aperture (root mean square over half a second) over the
    speed that separates talking from rest. Noise of the measurement raises that speed. Clipped to -1.5..1; NaN where
    the face is lost."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    aperture = motion.shapes[:, AP]
    speed = np.abs(np.diff(aperture, prepend=aperture[:1])) / step
    known = np.isfinite(speed)
    width = max(3, round(_SMOOTH / step)) | 1
    power = moving_mean(np.where(known, speed, 0.0) ** 2, width)
    count = moving_mean(known.astype(np.float64), width)
    noise = _JITTER / np.where(motion.ok, motion.poses.scale, np.nan) / step
    rms = np.sqrt(np.maximum(power, 0) / np.maximum(count, 1 / width))
    with np.errstate(invalid="ignore"):
        activity = np.clip(np.log((rms + 1e-6) / np.maximum(_TALKING, 2 * noise)), -1.5, 1.0)
    return np.where(motion.ok & (count > 0.5 / width), activity, np.nan)


def _speakers(
    motions: Sequence[FaceMotion], evidence: Sequence[SpeakingEvidence], silent: bool
) -> dict[int, tuple[tuple[int, int], ...]]:
    """The most likely sequence of speakers in one shot, as row ranges of each track. ``silent``: it may be nobody."""
    begin = min(float(known.times[0]) for known in evidence)
    steps = [((known.times - begin) / _STEP + 1e-6).astype(int) for known in evidence]
    count = 1 + max(int(step[-1]) for step in steps)
    scores = np.full((count, len(motions) + 1), -math.inf)
    scores[:, -1] = 0.0 if silent else -_NEVER
    for k, (motion, known, step) in enumerate(zip(motions, evidence, steps, strict=True)):
        scores[:, k] = _step_means(speaking_log_odds(motion, known), step, count)
    speaker = _viterbi(scores)
    numbered = enumerate(zip(motions, steps, strict=True))
    return {motion.track.id: tuple(true_runs(speaker[step] == k)) for k, (motion, step) in numbered}


def speaking_log_odds(motion: FaceMotion, evidence: SpeakingEvidence) -> np.ndarray:
    """Log odds, per row, that this face speaks rather than nobody in the picture, for a step of 0.2 s."""
    activity = np.nan_to_num(mouth_activity(motion, evidence.times))
    agrees = np.nan_to_num(_AGREE * (evidence.agreement - _AGREE_AT))
    known = 0.0 if evidence.known is None else evidence.known
    return PRIOR_LOG_ODDS + np.clip(evidence.speaking, 0, 1) * (_ACTIVITY_WEIGHT * activity + agrees) + known


def _step_means(values: np.ndarray, step: np.ndarray, count: int) -> np.ndarray:
    """Mean of ``values`` in each of ``count`` steps; minus infinity where the face is not in the picture."""
    number = np.bincount(step, minlength=count)
    total = np.bincount(step, weights=values, minlength=count)
    return np.where(number > 0, total / np.maximum(number, 1), -math.inf)


def _viterbi(scores: np.ndarray) -> np.ndarray:
    """The best state (steps,) for ``scores`` (steps, states); each change of state costs ``_SWITCH``."""
    best = scores[0].copy()
    previous = np.zeros(scores.shape, int)
    for t in range(1, len(scores)):
        change = int(np.argmax(best))
        stay = best >= best[change] - _SWITCH
        previous[t] = np.where(stay, np.arange(len(best)), change)
        best = np.where(stay, best, best[change] - _SWITCH) + scores[t]
    path = np.empty(len(scores), int)
    path[-1] = int(np.argmax(best))
    for t in range(len(scores) - 1, 0, -1):
        path[t - 1] = previous[t, path[t]]
    return path
