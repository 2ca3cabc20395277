"""Footage to learn from: one face's mouth shapes, and what was heard of its voice."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from jaxtyping import Float16, Float64

from lipdub import weights
from lipdub.acoustics.level import gain_to_level, loudness
from lipdub.anatomy.motion import measure_motion
from lipdub.disk.publish import atomic_output
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import NoSound, NothingToDub
from lipdub.faces.cuts import CutDetector
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.tracker import FaceTracker
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.sound_to_mouth.encoder import EncoderBasis, SpeechEncoder
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures

SPEEDS = (0.85, 0.92, 1.09, 1.18)
"""Every voice is also learnt played slower and lower, or faster and higher: more voices than there are clips."""

_HEARD_PARTS = ("phones", "voiced", "energy")


@dataclass(frozen=True, eq=False)
class Voice:
    """What was heard when the clip's sound was played at ``speed`` times its rate, pitch and all.

    ``heard`` is without encoder components; its rows before projection are ``encoder``.
    """

    speed: float
    features: SpeechFeatures
    encoder: Float16[np.ndarray, "rows 512"]

    def clock(self, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Clip times of the sound as seconds since the start of ``heard``."""
        return (seconds - float(self.features.start)) / self.speed

    def encoded(self, basis: EncoderBasis) -> "Voice":
        """The same with components in ``heard``."""
        rows = basis.project(self.encoder.astype(np.float32))
        return replace(self, features=replace(self.features, encoded=rows))


@dataclass(frozen=True, eq=False)
class Footage:
    """``shapes`` (n, 6) at ``seconds`` (n,) of clip time, frames with the face only; ``voices``, as filmed first."""

    name: str
    seconds: Float64[np.ndarray, " n"]
    shapes: Float64[np.ndarray, "n 6"]
    voices: tuple[Voice, ...]

    @property
    def features(self) -> SpeechFeatures:
        """What was heard of the voice as filmed."""
        return self.voices[0].features

    def encoded(self, basis: EncoderBasis) -> "Footage":
        """The same with encoder components in what was heard."""
        return replace(self, voices=tuple(voice.encoded(basis) for voice in self.voices))


def filmed(paths: Sequence[Path], cache: Path | None = None) -> list[Footage]:
    """Measure clips; those without a face or a voice are passed over, with a line in the log.

    ``cache`` is a folder that keeps what was measured. Raises what ``Crew`` does.
    """
    crew, out = None, []
    for path in paths:
        kept = None if cache is None else cache / f"{path.stem}.footage.npz"
        if kept is not None and kept.exists():
            out.append(_opened(kept))
            continue
        crew = crew or Crew()
        try:
            footage = crew.film(path)
        except (NothingToDub, NoSound) as nothing:
            logging.getLogger(__name__).warning("Passed over: %s", nothing)
            continue
        if cache is not None:
            keep(footage, cache)
        out.append(footage)
    return out


class Crew:
    """The models that measure footage; fetched where they are missing."""

    def __init__(self) -> None:
        """Raises ``WeightsError`` or ``MissingExtra``."""
        self.finder = FaceLandmarker(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
        whisper = weights.resolve("whisper-base")
        self.ears, self.encoder = SpeechAnalyser(weights.resolve("voice-activity"), None), SpeechEncoder(whisper)

    def film(self, path: Path) -> Footage:
        """Measure the face seen longest in ``path``. Raises ``NothingToDub`` if there is none, ``NoSound``, ..."""
        clip, cuts = open_clip(path), CutDetector()
        with temporary_folder("footage") as folder:
            tracker = FaceTracker(folder, clip.size, self.finder, rate=clip.rate)
            for frame in read_frames(clip):
                tracker.track(frame, cuts.starts_shot(frame))
            tracks = tracker.finish()
            if not tracks:
                raise NothingToDub("no face to learn from", file=path)
            track = max(tracks, key=len)
            motion = measure_motion(track)
        voice = read_sound(path, rate=ANALYSIS_RATE, mono=True)
        when = clip.times.seconds()[track.first : track.stop]
        voices = tuple(self._voice(voice, speed) for speed in (1.0, *SPEEDS))
        return Footage(path.stem, when[motion.ok], motion.shapes[motion.ok], voices)

    def _voice(self, voice: Sound, speed: float) -> Voice:
        samples = np.ascontiguousarray(voice.samples[0])
        if speed != 1.0:
            samples = soxr.resample(samples, ANALYSIS_RATE, ANALYSIS_RATE / speed).astype(np.float32)
        features = self.ears.listen(Sound(samples[None], ANALYSIS_RATE, voice.start))
        rows = self.encoder.raw(samples, gain_to_level(loudness(samples)))
        return Voice(speed, features, rows.astype(np.float16))


def keep(footage: Footage, cache: Path) -> None:
    """Write ``footage`` into the folder ``cache``, where ``filmed`` finds it by its name."""
    cache.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"seconds": footage.seconds, "shapes": footage.shapes}
    arrays |= {"start": str(footage.features.start), "speeds": np.array([v.speed for v in footage.voices])}
    for i, voice in enumerate(footage.voices):
        arrays |= {f"{part}{i}": getattr(voice.features, part) for part in _HEARD_PARTS}
        arrays[f"encoder{i}"] = voice.encoder
    kept = cache / f"{footage.name}.footage.npz"
    with atomic_output(kept, overwrite=True) as part, part.open("wb") as file:
        np.savez(file, **arrays)


def _opened(path: Path) -> Footage:
    with np.load(path) as a:
        start = Fraction(str(a["start"]))
        voices = tuple(
            Voice(float(speed), SpeechFeatures(start, *(a[f"{part}{i}"] for part in _HEARD_PARTS)), a[f"encoder{i}"])
            for i, speed in enumerate(a["speeds"])
        )
        return Footage(path.name.removesuffix(".footage.npz"), a["seconds"], a["shapes"], voices)
