"""Hearing the source and the dub, beside the first pass; kept, so that no sound is listened to twice."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub import weights
from lipdub.errors import MissingExtra
from lipdub.media.listen import sound
from lipdub.plugins import version_of
from lipdub.speech.listen import Ears
from lipdub.studio.store import Store, key
from lipdub.timeline.sound import HEARING_RATE, Heard

_FIRST_TRACK = 0
"""Which of a file's sound tracks is heard."""

VERSION = 2
"""Raise when what is heard changes for the same sound."""


@dataclass(frozen=True, eq=False)
class Hearing:
    """Ears, where to keep what they heard, and why they are not the best ones (empty if they are)."""

    ears: Ears
    store: Store
    keen: bool
    why: str = ""

    def hear(self, path: Path, digest: str, later: Fraction = Fraction(0)) -> Heard:
        """What the first sound track of ``path`` says, ``later`` seconds later than its own clock has it."""

        def listen(folder: Path) -> None:
            _keep(folder, self.ears.listen(sound(path, rate=HEARING_RATE, mono=True)))

        folder = self.store.folder(f"heard-{key(VERSION, digest, _FIRST_TRACK, self.identity)}", listen)
        return _kept(folder, later)

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes when the ears do: the models they hear with, by digest or version."""
        models = ("voice-activity", *(["whisper-base"] if self.keen else []))
        return ("hama", version_of("hama"), *(weights.identity(name) for name in models))


def open_ears(wish: str, store: Store, consent: weights.Consent | None) -> Hearing:
    """The best ears that ``wish`` (auto, best, light) and this machine allow.

    Raises ``WeightsError`` or ``MissingExtra`` if ``best`` is wished and cannot be had.
    """
    voice = weights.resolve("voice-activity", consent)
    if wish == "light":
        return Hearing(Ears(voice, None), store, False, "light hearing was asked for")
    try:
        Ears.check_encoder()
        encoder = weights.resolve("whisper-base", consent) if wish == "best" else weights.present("whisper-base")
    except MissingExtra:
        if wish == "best":
            raise
        return Hearing(Ears(voice, None), store, False, "the package 'faster-whisper' is not installed (lipdub[hear])")
    if encoder is None:
        why = "the whisper-base weights are not here (lipdub weights fetch whisper-base)"
        return Hearing(Ears(voice, None), store, False, why)
    return Hearing(Ears(voice, encoder), store, True)


def _keep(folder: Path, heard: Heard) -> None:
    encoded = np.zeros((0, 128), np.float32) if heard.encoded is None else heard.encoded
    np.savez(
        folder / "heard.npz",
        start=str(heard.start),
        phones=heard.phones,
        voiced=heard.voiced,
        energy=heard.energy,
        encoded=encoded,
        has_encoded=heard.encoded is not None,
    )


def _kept(folder: Path, later: Fraction) -> Heard:
    with np.load(folder / "heard.npz") as a:
        return Heard(
            start=Fraction(str(a["start"])) + later,
            phones=a["phones"],
            voiced=a["voiced"],
            energy=a["energy"],
            encoded=a["encoded"] if bool(a["has_encoded"]) else None,
        )
