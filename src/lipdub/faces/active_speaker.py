"""Active speaker detection: which face speaks when, and which face the user chose.

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
from lipdub.timeline.time import parse_instant

_STEP = 0.2  # seconds
_SWITCH = 4.0  # cost of a change of speaker
_AGREE, _AGREE_AT = 2.0, 0.2  # weight of agreement per step, and the agreement that is no evidence
_ACTIVITY_WEIGHT = 1.0  # weight of a mouth's activity
_PRIOR = 0.3  # log odds that a face in the picture speaks rather than nobody
_SMOOTH = 0.5  # seconds over which activity is averaged
_TALKING = 0.35  # eye distances per second: a mouth whose aperture moves faster is talking
_JITTER = 0.25  # pixels: noise of landmarks between frames
_MINOR = 0.4  # faces smaller than this part of the largest are background


@dataclass(frozen=True, slots=True)
class FaceSelector:
    """The user's choice of a face: ``kind`` is ``"auto"``, ``"left"``, ``"right"``, ``"largest"``, or ``"at"`` with a
    ``point`` (display pixels) and an ``instant`` (s)."""

    kind: str
    point: tuple[float, float] = (0.0, 0.0)
    instant: Fraction = Fraction(0)


def parse_face_selector(text: str) -> FaceSelector:
    """Parse the option that chooses a face. Raises ``OptionError``, which lists what can be given."""
    word = text.strip().lower()
    if word in ("auto", "left", "right", "largest"):
        return FaceSelector(word)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*@\s*(.+)", word)
    if found:
        try:
            return FaceSelector("at", (float(found[1]), float(found[2])), parse_instant(found[3]))
        except ValueError as wrong:
            raise OptionError(f"face '{text}': {wrong}", remedy="For example 640,300@0:12.5.") from wrong
    raise OptionError(
        f"'{text}' does not name a face",
        remedy="Use auto, left, right, largest, or X,Y@TIME: a point on the face in pixels, and when.",
    )


@dataclass(frozen=True, eq=False)
class SpeakingEvidence:
    """Evidence about one track, per row: ``times`` in seconds; ``agreement`` of the mouth's motion with the speech,
    -1..1 (NaN: unknown); ``speaking``, the probability (0..1) of speech in the sound."""

    times: Float[np.ndarray, " frames"]
    agreement: Float[np.ndarray, " frames"]
    speaking: Float[np.ndarray, " frames"]


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
    choice: FaceSelector,
    evidence: Sequence[SpeakingEvidence],
) -> SpeakerAssignment:
    """Decide which face speaks when. The sequences are parallel.

    With a choice other than ``auto`` the chosen face of each shot speaks throughout. Raises ``OptionError`` if there is
    no face at the chosen point.
    """
    spans: dict[int, tuple[tuple[int, int], ...]] = {track.id: () for track in tracks}
    if choice.kind == "at":
        track = tracks[_track_at_point(tracks, choice, evidence)]
        spans[track.id] = ((0, len(track)),)
        return SpeakerAssignment(spans, (f"Only face {track.id} is dubbed, the one at the point given.",))
    for shot in sorted({(t.shot.first, t.shot.stop) for t in tracks}):
        members = [i for i, t in enumerate(tracks) if t.shot == Shot(*shot)]
        if choice.kind == "auto":
            spans |= _speakers([motions[i] for i in members], [evidence[i] for i in members])
        else:
            for i in _tracks_by_position(members, motions, choice.kind):
                spans[tracks[i].id] = ((0, len(tracks[i])),)
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


def _track_at_point(tracks: Sequence[FaceTrack], choice: FaceSelector, evidence: Sequence[SpeakingEvidence]) -> int:
    """Index of the track whose face is at the choice's point and time."""
    best, index = math.inf, -1
    for i, (track, known) in enumerate(zip(tracks, evidence, strict=True)):
        row = int(np.searchsorted(known.times, float(choice.instant) + 1e-6, side="right")) - 1
        if row < 0 or row >= len(track) or (row == len(track) - 1 and float(choice.instant) > known.times[-1] + 0.1):
            continue
        face = track.landmarks.read(row, row + 1)[0, :, :2]
        if not np.isfinite(face).all():
            continue
        low, high = face.min(0), face.max(0)
        distance = float(np.linalg.norm(np.array(choice.point) - (low + high) / 2))
        if distance < min(best, 0.75 * float((high - low).max())):
            best, index = distance, i
    if index < 0:
        x, y = choice.point
        raise OptionError(
            f"no face was found at {x:g},{y:g}",
            at=choice.instant,
            remedy="Give a point on the face, at a time when it is visible, or use left, right, largest or auto.",
        )
    return index


def _tracks_by_position(members: Sequence[int], motions: Sequence[FaceMotion], kind: str) -> list[int]:
    """Of a shot's faces, the one that ``kind`` means; several if they follow each other in its place."""

    def typical(values: np.ndarray) -> float:
        return float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0

    size = {i: typical(motions[i].poses.scale) for i in members}
    left = {i: typical(motions[i].poses.shift[:, 0]) for i in members}
    largest = max(size.values())
    able = [i for i in members if size[i] >= _MINOR * largest]
    order = {"left": lambda i: left[i], "right": lambda i: -left[i], "largest": lambda i: -size[i]}[kind]
    out: list[int] = []
    for i in sorted(able, key=order):
        a = motions[i].track
        if all(a.stop <= motions[j].track.first or a.first >= motions[j].track.stop for j in out):
            out.append(i)
    return out


def _speakers(
    motions: Sequence[FaceMotion], evidence: Sequence[SpeakingEvidence]
) -> dict[int, tuple[tuple[int, int], ...]]:
    """The most likely sequence of speakers in one shot, as row ranges of each track."""
    begin = min(float(known.times[0]) for known in evidence)
    steps = [((known.times - begin) / _STEP + 1e-6).astype(int) for known in evidence]
    count = 1 + max(int(step[-1]) for step in steps)
    scores = np.full((count, len(motions) + 1), -math.inf)
    scores[:, -1] = 0.0
    for k, (motion, known, step) in enumerate(zip(motions, evidence, steps, strict=True)):
        scores[:, k] = _step_means(_log_odds(motion, known), step, count)
    speaker = _viterbi(scores)
    numbered = enumerate(zip(motions, steps, strict=True))
    return {motion.track.id: tuple(true_runs(speaker[step] == k)) for k, (motion, step) in numbered}


def _log_odds(motion: FaceMotion, known: SpeakingEvidence) -> np.ndarray:
    """Log odds, per row, that this face speaks rather than nobody in the picture."""
    activity = np.nan_to_num(mouth_activity(motion, known.times))
    agrees = np.nan_to_num(_AGREE * (known.agreement - _AGREE_AT))

    return _PRIOR + np.clip(known.speaking, 0, 1) * (_ACTIVITY_WEIGHT * activity + agrees)


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
