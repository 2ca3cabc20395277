"""Speech features of sound tracks, kept in the store, so that no sound is analysed twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.disk.temporary_folder import temporary_folder
from lipdub.media.sound_damage import SoundDamage, SoundLog
from lipdub.media.sound_read import READ_WHOLE, SoundReadOptions, read_sound_chunks
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.timeline.clip import Clip
from lipdub.timeline.samples import SampleFile, Samples
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span

VERSION = 3
"""Raise when the features of the same sound change."""

BEYOND = Fraction(1)
"""Seconds of a dub track after the end of the picture that are still analysed."""

BLANK = 15
"""The column of phone posteriors that means that nothing is said."""

_DAMAGE = "damage.json"


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """Sound stream ``stream`` of the file ``path`` (counted from 0; None: the one that players play), as far as the
    instant ``until`` of its own clock (None: to its end)."""

    path: Path
    stream: int | None = None
    until: Fraction | None = None


@dataclass(frozen=True, eq=False)
class TrackFeatures:
    """The speech ``features`` of a sound track, and the ``damage`` that was found while it was read."""

    features: SpeechFeatures
    damage: SoundDamage

    def shifted(self, later: Fraction) -> "TrackFeatures":
        """The same, ``later`` seconds later."""
        return replace(self, features=replace(self.features, start=self.features.start + later))


def own_track(clip: Clip) -> SoundTrack:
    """The clip's own sound."""
    return SoundTrack(clip.path, clip.sound)


def dub_track(path: Path, clip: Clip) -> SoundTrack:
    """A dub track for ``clip``, analysed no further than shortly after the picture's end."""
    return SoundTrack(path, None, clip.span.end - clip.start + BEYOND)


def whole_of(clip: Clip) -> Span:
    """From where players start the clip to the end of its picture."""
    return Span(min(clip.start, clip.span.end), clip.span.end)


def clip_features(clip: Clip, session: Session) -> TrackFeatures:
    """The speech features of the clip's own sound, on the clip's clock. Raises what ``track_features`` raises."""
    found = track_features(own_track(clip), session)
    return replace(found, features=_on_clock_of(clip, found.features)) if clip.retimed else found


def _on_clock_of(clip: Clip, features: SpeechFeatures) -> SpeechFeatures:
    """The features of the clip's own sound on the clip's clock: stretched as its picture is, and silent where the
    picture stands still. Values between rows are linear."""
    start, end = clip.instant(features.start), clip.instant(features.span.end)
    count, step = int((end - start) / FEATURE_STEP), float(FEATURE_STEP)
    seconds = float(start) + np.arange(count) * step
    pieces = list(clip.clock.pieces(Span(features.start, features.span.end)))
    shown = [float(start), *(float(piece.clip.end) for piece in pieces)]
    heard = [float(features.start), *(float(piece.file.end) for piece in pieces)]
    at = (np.interp(seconds, shown, heard) - float(features.start)) / step
    silent = np.zeros(count, bool)
    for span in clip.clock.still:
        silent |= (seconds >= float(span.start)) & (seconds < float(span.end))
    low = np.clip((at + 1e-6).astype(int), 0, len(features) - 1)
    high, part = np.minimum(low + 1, len(features) - 1), np.clip(at - low, 0, 1).astype(np.float32)

    def between(rows: np.ndarray, quiet: np.ndarray | None = None) -> np.ndarray:
        share = part.reshape(-1, *(1,) * (rows.ndim - 1))
        found = (rows[low] * (1 - share) + rows[high] * share).astype(rows.dtype)
        if quiet is not None:
            found[silent] = quiet
        return found

    blank = np.eye(1, features.phone_posteriors.shape[1], BLANK, np.float32)[0]
    encoded = features.encoder_features
    return SpeechFeatures(
        start=start,
        phone_posteriors=between(features.phone_posteriors, blank),
        voice_activity=between(features.voice_activity, np.zeros(())),
        energy=between(features.energy, np.zeros(3)),
        encoder_features=None if encoded is None else between(encoded),
    )


def dub_features(track: Path, clip: Clip, session: Session) -> TrackFeatures:
    """The speech features of a dub track, on the clock of ``clip``: it begins where players start the clip.

    Raises what ``track_features`` raises.
    """
    return track_features(dub_track(track, clip), session).shifted(clip.start)


def track_features(track: SoundTrack, session: Session) -> TrackFeatures:
    """The speech features of a sound track, on its own clock; from the store if they were made before.

    Its samples are never in memory at once: they lie in a temporary file meanwhile. Raises ``InputError`` if the file
    cannot be read or was changed, and ``OutputError`` if the features cannot be kept.
    """
    chosen = session.tools.analyser

    def make(folder: Path) -> None:
        log = SoundLog()
        with spooled(track, SoundReadOptions(track.until, log)) as (samples, start):
            features = chosen.analyser.analyse_samples(samples, start)
        write_features(folder, features, log.damage)

    until = None if track.until is None else str(track.until)
    made_from = key(VERSION, session.inputs.digest(track.path), track.stream, until, chosen.identity)
    return read_features(session.store.folder(f"features-{made_from}", make))


@contextmanager
def spooled(track: SoundTrack, reading: SoundReadOptions = READ_WHOLE) -> Iterator[tuple[Samples, Fraction]]:
    """The samples of a track (mono, 16 kHz) in a temporary file, and the instant at which they start.

    Raises what ``read_sound_chunks`` raises.
    """
    with temporary_folder("sound") as folder:
        samples, start = SampleFile(folder / "samples"), None
        try:
            pieces = read_sound_chunks(track.path, rate=ANALYSIS_RATE, mono=True, stream=track.stream, reading=reading)
            for piece in pieces:
                start = piece.start if start is None else start
                samples.append(piece.samples[0])
            yield samples, start or Fraction(0)
        finally:
            samples.close()


def write_features(folder: Path, features: SpeechFeatures, damage: SoundDamage) -> None:
    """Write features into a folder, with the damage of their sound. Raises ``OSError``."""
    (folder / _DAMAGE).write_text(damage.to_json(), "utf-8")
    encoded = np.zeros((0, 128), np.float32) if features.encoder_features is None else features.encoder_features
    np.savez(
        folder / "features.npz",
        start=str(features.start),
        phones=features.phone_posteriors,
        voiced=features.voice_activity,
        energy=features.energy,
        encoded=encoded,
        has_encoded=features.encoder_features is not None,
    )


def read_features(folder: Path) -> TrackFeatures:
    """What ``write_features`` wrote."""
    damage = SoundDamage.from_json((folder / _DAMAGE).read_text("utf-8"))
    with np.load(folder / "features.npz") as a:
        features = SpeechFeatures(
            start=Fraction(str(a["start"])),
            phone_posteriors=a["phones"],
            voice_activity=a["voiced"],
            energy=a["energy"],
            encoder_features=a["encoded"] if bool(a["has_encoded"]) else None,
        )
    return TrackFeatures(features, damage)
