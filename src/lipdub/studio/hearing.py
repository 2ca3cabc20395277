"""Hearing the source and the dub, beside the first pass; kept, so that no sound is listened to twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub import weights
from lipdub.disk.scratch import scratch_folder
from lipdub.errors import MissingExtra
from lipdub.media.listen import WHOLE, Reading, sound_in_pieces
from lipdub.media.sound_damage import SoundDamage, SoundLog
from lipdub.plugins import version_of
from lipdub.sound_to_mouth.analyser import SpeechAnalyser
from lipdub.studio.store import Store, key
from lipdub.timeline.samples import SampleFile, Samples
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures

VERSION = 2
"""Raise when what is heard changes for the same sound."""

_DAMAGE = "damage.json"


@dataclass(frozen=True, slots=True)
class Track:
    """Sound stream ``stream`` of the file ``path`` (counted from 0; None: the one that players play), as far as the
    instant ``until`` of its own clock (None: to its end)."""

    path: Path
    stream: int | None = None
    until: Fraction | None = None


@contextmanager
def spooled(track: Track, reading: Reading = WHOLE) -> Iterator[tuple[Samples, Fraction]]:
    """The samples of a track (mono, 16 kHz) in a temporary file, and the instant at which they start.

    Raises what ``sound_in_pieces`` raises.
    """
    with scratch_folder("sound") as folder:
        samples, start = SampleFile(folder / "samples"), None
        try:
            pieces = sound_in_pieces(track.path, rate=ANALYSIS_RATE, mono=True, stream=track.stream, reading=reading)
            for piece in pieces:
                start = piece.start if start is None else start
                samples.append(piece.samples[0])
            yield samples, start or Fraction(0)
        finally:
            samples.close()


@dataclass(frozen=True, eq=False)
class Hearing:
    """Ears, where to keep what they heard, and why they are not the best ones (empty if they are)."""

    ears: SpeechAnalyser
    store: Store
    keen: bool
    why: str = ""
    _damage: dict[Track, SoundDamage] = field(default_factory=dict)

    def hear(self, track: Track | Path, digest: str, later: Fraction = Fraction(0)) -> SpeechFeatures:
        """What a sound track says (of a path: the one that players play), ``later`` seconds later than its own clock
        has it. Its samples are never held at once: they lie in a temporary file meanwhile."""
        track = Track(track) if isinstance(track, Path) else track

        def listen(folder: Path) -> None:
            log = SoundLog()
            with spooled(track, Reading(track.until, log)) as (samples, start):
                features = self.ears.listen_to(samples, start)
            _keep(folder, features, log.damage)

        until = None if track.until is None else str(track.until)
        folder = self.store.folder(f"heard-{key(VERSION, digest, track.stream, until, self.identity)}", listen)
        self._damage[track] = SoundDamage.from_json((folder / _DAMAGE).read_text("utf-8"))
        return _kept(folder, later)

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes when the ears do: the models they hear with, by digest or version."""
        models = ("voice-activity", *(["whisper-base"] if self.keen else []))
        return ("hama", version_of("hama"), *(weights.identity(name) for name in models))

    def doubts(self, track: Track, name: str) -> tuple[str, ...]:
        """Sentences about ``name`` ("the dub track"), a track that was heard: what was lost or is strange in it."""
        found = self._damage.get(track)
        return () if found is None else found.doubts(name)


def open_ears(wish: str, store: Store, consent: weights.AskDownload | None) -> Hearing:
    """The best ears that ``wish`` (auto, best, light) and this machine allow.

    Raises ``WeightsError`` or ``MissingExtra`` if ``best`` is wished and cannot be had.
    """
    voice = weights.resolve("voice-activity", consent)
    if wish == "light":
        return Hearing(SpeechAnalyser(voice, None), store, False, "light hearing was asked for")
    try:
        SpeechAnalyser.check_encoder()
        encoder = weights.resolve("whisper-base", consent) if wish == "best" else weights.present("whisper-base")
    except MissingExtra:
        if wish == "best":
            raise
        return Hearing(
            SpeechAnalyser(voice, None), store, False, "the package 'faster-whisper' is not installed (lipdub[hear])"
        )
    if encoder is None:
        why = "the whisper-base weights are not here (lipdub weights fetch whisper-base)"
        return Hearing(SpeechAnalyser(voice, None), store, False, why)
    return Hearing(SpeechAnalyser(voice, encoder), store, True)


def _keep(folder: Path, features: SpeechFeatures, damage: SoundDamage) -> None:
    (folder / _DAMAGE).write_text(damage.to_json(), "utf-8")
    encoded = np.zeros((0, 128), np.float32) if features.encoded is None else features.encoded
    np.savez(
        folder / "heard.npz",
        start=str(features.start),
        phones=features.phones,
        voiced=features.voiced,
        energy=features.energy,
        encoded=encoded,
        has_encoded=features.encoded is not None,
    )


def _kept(folder: Path, later: Fraction) -> SpeechFeatures:
    with np.load(folder / "heard.npz") as a:
        return SpeechFeatures(
            start=Fraction(str(a["start"])) + later,
            phones=a["phones"],
            voiced=a["voiced"],
            energy=a["energy"],
            encoded=a["encoded"] if bool(a["has_encoded"]) else None,
        )
