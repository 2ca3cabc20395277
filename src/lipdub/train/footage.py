"""Footage to learn from: one face's mouth shapes, and what was heard of its voice."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float16, Float32, Float64

from lipdub import weights
from lipdub.anatomy.motion import measure
from lipdub.errors import NoSound, NothingToDub
from lipdub.faces.cuts import CutFinder
from lipdub.faces.nets import FaceFinder
from lipdub.faces.track import Tracker
from lipdub.media.probe import open_clip
from lipdub.media.read import frames, sound
from lipdub.speech.encoder import SpeechEncoder
from lipdub.speech.energy import gain_to_level, loudness
from lipdub.speech.listen import Ears
from lipdub.timeline.sound import HEARING_RATE, Heard


@dataclass(frozen=True, eq=False)
class Footage:
    """``shapes`` (n, 6) at ``seconds`` (n,) of clip time, frames with the face only; ``heard`` without encoder
    components, whose rows before projection are ``encoder``."""

    name: str
    seconds: Float64[np.ndarray, " n"]
    shapes: Float64[np.ndarray, "n 6"]
    heard: Heard
    encoder: Float16[np.ndarray, "rows 512"]

    def encoded(self, rows: Float32[np.ndarray, "rows 128"]) -> "Footage":
        """The same with components in ``heard``."""
        return replace(self, heard=replace(self.heard, encoded=rows))


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
        self.finder = FaceFinder(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
        whisper = weights.resolve("whisper-base")
        self.ears, self.encoder = Ears(weights.resolve("voice-activity"), None), SpeechEncoder(whisper)

    def film(self, path: Path) -> Footage:
        """Measure the face seen longest in ``path``. Raises ``NothingToDub`` if there is none, ``NoSound``, ..."""
        clip, cuts = open_clip(path), CutFinder()
        with tempfile.TemporaryDirectory() as folder:
            tracker = Tracker(Path(folder), clip.size, self.finder, rate=clip.rate)
            for frame in frames(clip):
                tracker.see(frame, cuts.see(frame))
            tracks = tracker.finish()
            if not tracks:
                raise NothingToDub("no face to learn from", file=path)
            track = max(tracks, key=len)
            motion = measure(track)
        voice = sound(path, rate=HEARING_RATE, mono=True)
        samples = np.ascontiguousarray(voice.samples[0])
        rows = self.encoder.raw(samples, gain_to_level(loudness(samples)))
        when = clip.times.seconds()[track.first : track.stop]
        heard = self.ears.listen(voice)
        return Footage(path.stem, when[motion.ok], motion.shapes[motion.ok], heard, rows.astype(np.float16))


def keep(footage: Footage, cache: Path) -> None:
    """Write ``footage`` into the folder ``cache``, where ``filmed`` finds it by its name."""
    cache.mkdir(parents=True, exist_ok=True)
    heard = footage.heard
    np.savez(
        cache / f"{footage.name}.footage.npz",
        seconds=footage.seconds,
        shapes=footage.shapes,
        encoder=footage.encoder,
        start=str(heard.start),
        phones=heard.phones,
        voiced=heard.voiced,
        energy=heard.energy,
    )


def _opened(path: Path) -> Footage:
    with np.load(path) as a:
        heard = Heard(Fraction(str(a["start"])), a["phones"], a["voiced"], a["energy"])
        return Footage(path.name.removesuffix(".footage.npz"), a["seconds"], a["shapes"], heard, a["encoder"])
