"""Lines spoken by their voices, each once: what was spoken before is read from the cache."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.disk.atomic import written_beside
from lipdub.errors import LipdubError, OptionError, ServiceError
from lipdub.plugins import fingerprint_of
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import SpokenLine
from lipdub.words_to_sound.cache import FolderCache
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice

_VERSION = 2  # raise when the same key stands for other sound
_FILE = "sound.npz"


def speak_line(line: Line, voice: AssignedVoice, pace: float = 1.0, cache: FolderCache | None = None) -> SpokenLine:
    """``line`` spoken by ``voice`` at ``pace`` (1: natural, 1.2: a fifth faster), from ``cache`` if it is there.

    Raises what ``Voice.speak`` raises, with the time of the line.
    """
    if cache is None:
        return SpokenLine(line, _sound_of(line, voice, pace))
    key = spoken_line_key(line, voice, pace)
    folder = cache(key, lambda where: _write(where / _FILE, _sound_of(line, voice, pace)))
    return SpokenLine(line, _read(folder / _FILE))


def spoken_line_key(line: Line, voice: AssignedVoice, pace: float = 1.0) -> str:
    """The name of a spoken line in the cache.

    It depends on the text, the language, the voice with its version and models, the pace and the reference, and on
    nothing else.
    """
    parts = (
        *("spoken", _VERSION, voice.voice.card.name, voice.detail, getattr(voice.voice, "detail", "")),
        *(line.text, line.language, f"{pace:.3f}", _digest(voice.reference), fingerprint_of(voice.voice)),
    )
    return "spoken-" + hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]


def _sound_of(line: Line, voice: AssignedVoice, pace: float) -> Sound:
    try:
        sound = voice.voice.speak(line, pace, voice.reference)
    except LipdubError as failed:
        if failed.at is None and isinstance(failed, OptionError | ServiceError):
            failed.at = line.span.start
        raise
    if sound.samples.shape[0] != 1 or sound.samples.shape[1] == 0:
        raise ServiceError(f"the voice {voice.voice.card.name} answered without mono sound", at=line.span.start)
    return Sound(sound.samples, sound.rate)


def _digest(reference: VoiceReference | None) -> str:
    if reference is None:
        return ""
    sound = np.ascontiguousarray(reference.sound.samples)
    return hashlib.sha256(sound.tobytes() + f"{reference.sound.rate} {reference.text}".encode()).hexdigest()


def _write(file: Path, sound: Sound) -> None:
    with written_beside(file) as partial:
        np.savez(partial, samples=sound.samples, rate=sound.rate)


def _read(file: Path) -> Sound:
    with np.load(file) as data:
        return Sound(data["samples"].astype(np.float32), int(data["rate"]), Fraction(0))
