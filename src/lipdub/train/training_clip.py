"""Training clips: the mouth shapes of one face, and the speech features of its voice."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from jaxtyping import Bool, Float16, Float64

from lipdub import weights
from lipdub.acoustics.level import gain_to_level, row_levels
from lipdub.disk.publish import atomic_output
from lipdub.errors import NoSound, NothingToDub
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.media.sound_read import read_sound
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.sound_to_mouth.encoder import IDENTITY, EncoderBasis, SpeechEncoder
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.train.longest_face import longest_face

SPEEDS = (0.85, 0.92, 1.09, 1.18)
"""Training also uses every voice resampled to these speeds (and pitches), to have more voices than clips."""

PLACES = ((0, 250), (100, 400), (250, 0), (400, 150), (50, 300))
"""For each voice of a clip, the two rows of a chunk that its first row is taken for: what the encoder says of a sound
depends on its place in the chunk, and mouths shall not."""

_FEATURE_KEYS = {"phones": "phone_posteriors", "voiced": "voice_activity", "energy": "energy"}
"""Names in a stored file -> fields of ``SpeechFeatures``, in their order."""


@dataclass(frozen=True, eq=False)
class MeasuredFace:
    """Mouth ``shapes`` at ``seconds`` of clip time, one row for each frame of a track; ``ok`` where the face was
    found."""

    seconds: Float64[np.ndarray, " n"]
    shapes: Float64[np.ndarray, "n 6"]
    ok: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class VoiceVariant:
    """The features of a clip's sound, resampled so that it plays at ``speed`` times its rate (and pitch).

    ``features`` are without encoder components; ``encoder`` holds the encoder's rows before projection, ``elsewhere``
    the same for another place of the sound in the encoder's chunks.
    """

    speed: float
    features: SpeechFeatures
    encoder: Float16[np.ndarray, "rows 512"]
    elsewhere: Float16[np.ndarray, "rows 512"]

    def clock(self, seconds: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Times of the clip's sound as seconds since the start of ``features``."""
        return (seconds - float(self.features.start)) / self.speed

    def encoded(self, basis: EncoderBasis) -> "VoiceVariant":
        """The same with encoder components in ``features``."""
        rows = basis.project(self.encoder.astype(np.float32))
        return replace(self, features=replace(self.features, encoder_features=rows))


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """Mouth ``shapes`` at ``seconds`` of clip time, for the n frames with the face.

    ``voices``: speed variants of the sound; the first is the original.
    """

    name: str
    seconds: Float64[np.ndarray, " n"]
    shapes: Float64[np.ndarray, "n 6"]
    voices: tuple[VoiceVariant, ...]

    @property
    def features(self) -> SpeechFeatures:
        """The features of the original voice."""
        return self.voices[0].features

    def encoded(self, basis: EncoderBasis) -> "TrainingClip":
        """The same with encoder components in the features."""
        return replace(self, voices=tuple(voice.encoded(basis) for voice in self.voices))


def measure_clips(paths: Sequence[Path], cache: Path | None = None) -> list[TrainingClip]:
    """Measure clips; those without a face or a voice are skipped, with a line in the log.

    ``cache`` is a folder in which measured clips are stored. Raises as ``ClipMeasurer`` does.
    """
    measurer, out = None, []
    for path in paths:
        stored = None if cache is None else cache / f"{path.stem}.footage.npz"
        if stored is not None and (kept := _load_clip(stored)) is not None:
            out.append(kept)
            continue
        measurer = measurer or ClipMeasurer()
        try:
            clip = measurer.measure(path)
        except (NothingToDub, NoSound) as nothing:
            logging.getLogger(__name__).warning("Skipped: %s", nothing)
            continue
        if cache is not None:
            store_clip(clip, cache)
        out.append(clip)
    return out


class ClipMeasurer:
    """Measures clips with the face and speech models, which are downloaded if they are missing."""

    def __init__(self) -> None:
        """Load the models. Raises ``WeightsError``."""
        self.landmarker = FaceLandmarker(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
        self.analyser, self.encoder = SpeechAnalyser(weights.resolve("voice-activity"), None), SpeechEncoder()

    def measure(self, path: Path) -> TrainingClip:
        """Measure the face that is longest in the picture.

        Raises ``NothingToDub`` without a face, ``NoSound`` without sound.
        """
        face = measure_face(path, self.landmarker)
        voice = read_sound(path, rate=ANALYSIS_RATE, mono=True)
        voices = tuple(self._voice(voice, *how) for how in zip((1.0, *SPEEDS), PLACES, strict=True))
        return TrainingClip(path.stem, face.seconds[face.ok], face.shapes[face.ok], voices)

    def _voice(self, voice: Sound, speed: float, places: tuple[int, int]) -> VoiceVariant:
        samples = np.ascontiguousarray(voice.samples[0])
        if speed != 1.0:
            samples = soxr.resample(samples, ANALYSIS_RATE, ANALYSIS_RATE / speed).astype(np.float32)
        features = self.analyser.analyse(Sound(samples[None], ANALYSIS_RATE, voice.start))
        gain = gain_to_level(row_levels(samples))
        here, elsewhere = (self.encoder.rows(samples, gain, place).astype(np.float16) for place in places)
        return VoiceVariant(speed, features, here, elsewhere)


def measure_face(path: Path, landmarker: FaceLandmarker) -> MeasuredFace:
    """Measure the face of ``path`` that is longest in the picture. Raises ``NothingToDub`` without a face."""
    with longest_face(path, landmarker) as (clip, motion):
        track = motion.track
        return MeasuredFace(clip.times.seconds()[track.first : track.stop], motion.shapes, motion.ok)


def store_clip(clip: TrainingClip, cache: Path) -> None:
    """Write ``clip`` to the folder ``cache``, where ``measure_clips`` finds it by its name."""
    cache.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"seconds": clip.seconds, "shapes": clip.shapes, "made_by": IDENTITY}
    arrays |= {"start": str(clip.features.start), "speeds": np.array([v.speed for v in clip.voices])}
    for i, voice in enumerate(clip.voices):
        arrays |= {f"{key}{i}": getattr(voice.features, name) for key, name in _FEATURE_KEYS.items()}
        arrays |= {f"encoder{i}": voice.encoder, f"elsewhere{i}": voice.elsewhere}
    path = cache / f"{clip.name}.footage.npz"
    with atomic_output(path, overwrite=True) as part, part.open("wb") as file:
        np.savez(file, **arrays)


def _load_clip(path: Path) -> TrainingClip | None:
    """The clip in the file ``path``; None if there is none, or it was measured with another speech encoder."""
    if not path.exists():
        return None
    with np.load(path) as a:
        if "made_by" not in a or str(a["made_by"]) != IDENTITY:
            return None
        start = Fraction(str(a["start"]))
        features = [SpeechFeatures(start, *(a[f"{key}{i}"] for key in _FEATURE_KEYS)) for i in range(len(a["speeds"]))]
        voices = tuple(
            VoiceVariant(float(speed), features[i], a[f"encoder{i}"], a[f"elsewhere{i}"])
            for i, speed in enumerate(a["speeds"])
        )
        return TrainingClip(path.name.removesuffix(".footage.npz"), a["seconds"], a["shapes"], voices)
