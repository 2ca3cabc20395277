"""Measures training pairs as they lie on the disk, whoever made them: whether they fit, and how good they are.

What is measured, by name: ``sync`` and ``reference_sync`` (sync scores of picture and sound); ``closures`` (part of the
requested ones that are found); ``changed`` (part of the frames in which the reference has other lips); ``flicker``,
``seam`` and ``sharpness`` of the reference's mouth over those of the picture's; ``distance`` of the two faces.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.engines.ltx.mask import LowerFace
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.errors import InputError, NoSound
from lipdub.faces.best_views import BestViews, FaceAppearance
from lipdub.faces.cuts import CutDetector
from lipdub.faces.tracker import FaceTracker
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.review.closures import closures
from lipdub.review.picture_scores import flicker, lip_zone, mouth_crop, seam, sharpness
from lipdub.sound_to_mouth.mouth_trajectory import closure_times, closure_weights
from lipdub.sound_to_mouth.sync import speech_seen, sync_score
from lipdub.studio.session import Session
from lipdub.studio.track_features import SoundTrack, track_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP
from lipdub.timeline.picture import Frame, Window
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.train.pair_columns import TrainingPair

_SOUND_SLACK = Fraction(1, 2)  # seconds by which a sound may be longer or shorter than its picture
_ENOUGH_SPEECH = 0.5  # seconds
_SEEN = 0.9  # part of the frames in which the face must be found
_BESIDE = 0.2  # part of the frames from which a second face is another person
_OTHER_LIPS = 3.0  # mean difference of 8-bit samples from which lips are others: coding alone makes about 1
_MARGIN = 0.3  # eye distances around the lips


@dataclass(frozen=True, eq=False)
class PairMeasurement:
    """What was found of a pair: ``frames`` (8 k + 1) that can be used, the ``rate``, the ``metrics``, the face's
    ``embedding`` (None: unknown), and why it cannot be used (``fault``, "" if it can)."""

    frames: int = 0
    rate: Fraction = Fraction(25)
    metrics: dict[str, float] = field(default_factory=dict)
    embedding: Float32[np.ndarray, "128"] | None = None
    fault: str = ""
    mask: Bool[np.ndarray, "frames height width"] | None = None


@dataclass(frozen=True, eq=False)
class _SeenFace:
    """The face of a video: its ``track``, and what its best views say (None: none was good)."""

    track: FaceTrack
    look: FaceAppearance | None


class _UnfitError(Exception):
    """A pair cannot be used; the text says why."""


def measure_pair(pair: TrainingPair, session: Session) -> PairMeasurement:
    """Measure ``pair`` with the models of ``session``. What cannot be used has a ``fault``; nothing is raised for it.

    Raises ``OutputError`` if there is no room for temporary files.
    """
    try:
        target, reference = open_clip(pair.video), open_clip(pair.reference_video)
        frames, rate = _usable_length(pair, target, reference)
        with temporary_folder("pair") as folder:
            return _measured(pair, (target, reference), (frames, rate), session, folder)
    except (_UnfitError, InputError) as unfit:
        return PairMeasurement(fault=str(unfit))


def _usable_length(pair: TrainingPair, target: Clip, reference: Clip) -> tuple[int, Fraction]:
    """(Frames, 8 k + 1, of both; their rate). Raises ``_UnfitError``, or ``InputError`` for a sound without samples."""
    rates = [clip.times.constant_rate for clip in (target, reference)]
    if rates[0] is None or rates[1] is None:
        raise _UnfitError("the rate of the frames varies")
    if abs(rates[0] - rates[1]) > Fraction(1, 100):
        raise _UnfitError(f"the rates differ: {float(rates[0]):g} and {float(rates[1]):g} frames a second")
    frames = [(len(clip) - 1) // 8 * 8 + 1 for clip in (target, reference)]
    if frames[0] != frames[1]:
        raise _UnfitError(f"the lengths differ: {len(target)} and {len(reference)} frames")
    if frames[0] < 9:
        raise _UnfitError(f"there are only {len(target)} frames")
    smaller = max(1, target.size[0] // reference.size[0])
    if any(a != b * smaller for a, b in zip(target.size, reference.size, strict=True)):
        raise _UnfitError(f"the sizes differ: {_size(target)} and {_size(reference)}")
    for clip in (target, reference):
        if any(side % 32 for side in clip.size):
            raise _UnfitError(f"{_size(clip)} pixels are not multiples of 32")
    if pair.video_mask is not None:
        mask = open_clip(pair.video_mask)
        if mask.size != target.size or len(mask) < frames[0]:
            raise _UnfitError(f"the mask has {len(mask)} frames of {_size(mask)}, the picture {_size(target)}")
    shown = frames[0] / rates[0]
    for path in (pair.audio, pair.reference_audio):
        heard = read_sound(path, rate=ANALYSIS_RATE, mono=True).span.duration
        if heard < Fraction(1, 10):
            raise NoSound("the sound is too short", file=path)
        if heard < shown - _SOUND_SLACK or heard > len(target) / rates[0] + _SOUND_SLACK:
            raise _UnfitError(f"the lengths differ: {float(heard):.2f} s of sound, {float(shown):.2f} s of picture")
    return frames[0], rates[0]


def _size(clip: Clip) -> str:
    return f"{clip.size[0]} x {clip.size[1]}"


def _measured(
    pair: TrainingPair, clips: tuple[Clip, Clip], length: tuple[int, Fraction], session: Session, folder: Path
) -> PairMeasurement:
    """The measurement of a pair whose files fit. Raises ``_UnfitError``."""
    target, reference = clips
    frames, rate = length
    shown, filmed = _face(target, frames, session, folder / "target"), _face(reference, frames, session, folder / "ref")
    motion = measure_motion(shown.track)
    other = measure_motion(filmed.track, motion.mean)
    metrics = {**_heard(pair.audio, target, motion, session), **_picture_metrics(target, reference, motion, frames)}
    heard = _heard(pair.reference_audio, reference, other, session)
    if "sync" in heard:
        metrics["reference_sync"] = heard["sync"]
    embeddings = [None if face.look is None else face.look.embedding for face in (shown, filmed)]
    if embeddings[0] is not None and embeddings[1] is not None:
        metrics["distance"] = float(np.linalg.norm(embeddings[0] - embeddings[1]))
    mask = mouth_mask(motion, target.size, frames) if pair.video_mask is None else None
    return PairMeasurement(frames, rate, metrics, embeddings[0], mask=mask)


def _face(clip: Clip, frames: int, session: Session, folder: Path) -> _SeenFace:
    """The only face in the first ``frames`` of ``clip``. Raises ``_UnfitError`` if there is none, are two, or a cut."""
    folder.mkdir()
    tracker = FaceTracker(folder, clip.size, session.tools.landmarker, rate=clip.rate)
    best, cuts = BestViews(session.tools.identifier.identifier), CutDetector()
    looks: dict[int, FaceAppearance] = {}
    for frame in read_frames(clip, 0, frames):
        cut = cuts.starts_shot(frame)
        if cut and frame.index > 0:
            raise _UnfitError(f"{clip.path.name} has a cut in it")
        looks |= dict(best.see(tracker.track(frame, cut)))
    looks |= dict(best.finish())
    tracks = sorted(tracker.finish(), key=len, reverse=True)
    if not tracks:
        raise _UnfitError(f"no face is in {clip.path.name}")
    if len(tracks) > 1 and len(tracks[1]) > _BESIDE * frames:
        raise _UnfitError(f"two people are in {clip.path.name}")
    seen = int(np.isfinite(tracks[0].landmarks.read(0, len(tracks[0]))[:, 0, 0]).sum())
    if seen < _SEEN * frames:
        raise _UnfitError(f"the face is seen in {seen} of {frames} frames of {clip.path.name}")
    return _SeenFace(tracks[0], looks.get(tracks[0].id))


def _heard(sound: Path, clip: Clip, motion: FaceMotion, session: Session) -> dict[str, float]:
    """``sync`` and ``closures`` of a mouth and a sound; nothing where nobody speaks."""
    features = track_features(SoundTrack(sound), session).features
    seconds = clip.times.seconds()[motion.track.first : motion.track.stop]
    if speech_seen(features, seconds) < _ENOUGH_SPEECH:
        return {}
    found = {"sync": sync_score(session.tools.prior, features, seconds, motion.shapes, motion.ok)}
    asked, met = closures(motion.shapes[:, AP], closure_weights(closure_times(features), seconds))
    return {**found, "closures": met / asked} if asked else found


def _picture_metrics(target: Clip, reference: Clip, motion: FaceMotion, frames: int) -> dict[str, float]:
    """``changed``, ``flicker``, ``seam`` and ``sharpness`` of the reference's mouth; nothing if it is smaller."""
    if target.size != reference.size:
        return {}
    crops: tuple[list, list] = ([], [])
    changes, seams, details = [], [], []
    pictures = zip(read_frames(target, 0, frames), read_frames(reference, 0, frames), strict=True)
    for row, was, now in _rows(motion, pictures):
        pair = [mouth_crop(motion, row, target.size, frame.rgb) for frame in (was, now)]
        if pair[0] is None or pair[1] is None:
            continue
        for kept, crop in zip(crops, pair, strict=True):
            kept.append(crop)
        landmarks, unit = motion.track.landmarks.read(row, row + 1)[0], float(motion.poses.scale[row])
        window = _lips(landmarks, unit, target.size)
        before, after, zone = was.rgb(window), now.rgb(window), lip_zone(landmarks, unit, window)
        changes.append(float(cv2.absdiff(before, after).mean(2)[zone > 0.5].mean()) if (zone > 0.5).any() else 0.0)
        seams.append(seam(after, before, zone))
        details.append(sharpness(after, before, zone))
    if not changes:
        return {}
    found = {
        "changed": float(np.mean(np.array(changes) > _OTHER_LIPS)),
        "flicker": flicker(np.array(crops[1]), np.array(crops[0])),
        "seam": _median(seams),
        "sharpness": _median(details),
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _median(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")


def _rows(motion: FaceMotion, pictures: Iterator[tuple[Frame, Frame]]) -> Iterator[tuple[int, Frame, Frame]]:
    """The rows of the track in which the face was found, with both frames."""
    for was, now in pictures:
        row = was.index - motion.track.first
        if was.index in motion.track and motion.ok[row]:
            yield row, was, now


def _lips(landmarks: np.ndarray, unit: float, size: tuple[int, int]) -> Window:
    outline = landmarks[np.concatenate([OUTER_UPPER, OUTER_LOWER]), :2]
    low, high = np.floor(outline.min(0) - _MARGIN * unit), np.ceil(outline.max(0) + _MARGIN * unit)
    return Window(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1).clipped(size)


def mouth_mask(motion: FaceMotion, size: tuple[int, int], frames: int) -> Bool[np.ndarray, "frames height width"]:
    """Where the mouth is in each of ``frames`` pictures of ``size`` (width, height): the lower face, as far as the
    engine ``ltx`` puts it into a picture. Where the face was lost the nearest outline is taken."""
    track = StudiedTrack.of(motion, motion.ok, size)
    lower = LowerFace.of(track, range(len(track)))
    known = np.flatnonzero(motion.ok)
    mask = np.zeros((frames, size[1], size[0]), bool)
    for index in range(frames):
        row = int(known[np.abs(known - (index - motion.track.first)).argmin()])
        outline = lower.outline(row, lower.reach(row, None))
        inside = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillConvexPoly(inside, np.round(outline).astype(np.int32), (1.0,))
        mask[index] = inside > 0
    return mask
