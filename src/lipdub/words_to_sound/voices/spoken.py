"""Lines to sound, each spoken once."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.disk.atomic import written_beside
from lipdub.errors import LipdubError, OptionError, ServiceError
from lipdub.plugins import fingerprint_of
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import SpokenLine
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.text import sayable

Keep = Callable[[str, Callable[[Path], None]], Path]
"""``keep(name, make)`` gives the folder called ``name``; ``make(folder)`` fills it first if it is not there yet."""

_VERSION = 2
_FILE = "sound.npz"


def speak_lines(
    lines: Iterable[Line], cast: Mapping[str, AssignedVoice], keep: Keep | None = None, pace: float = 1.0
) -> Iterator[SpokenLine]:
    """Each of ``lines`` as its speaker in ``cast`` says it; lines without anything to say are skipped.

    ``keep`` holds what was spoken before, so that a run that was stopped goes on where it was. Raises ``OptionError``
    for a speaker who is not cast, and what voices raise, with the line's time.
    """
    for line in lines:
        if not sayable(line.text, line.language):
            continue
        if line.speaker not in cast:
            raise OptionError(f"'{line.speaker}' has no voice", at=line.span.start)
        yield speak_line(line, cast[line.speaker], pace, keep)


def speak_line(line: Line, speaker: AssignedVoice, pace: float = 1.0, keep: Keep | None = None) -> SpokenLine:
    """``line`` by ``speaker``, faster by ``pace``: from ``keep`` if it was spoken before."""
    if keep is None:
        return SpokenLine(line, _said(line, speaker, pace))
    folder = keep(line_key(line, speaker, pace), lambda where: _write(where / _FILE, _said(line, speaker, pace)))
    return SpokenLine(line, _read(folder / _FILE))


def line_key(line: Line, speaker: AssignedVoice, pace: float = 1.0) -> str:
    """The name of a spoken line: changes with text, language, voice (its version and models, too), pace and reference,
    and with nothing else."""
    parts = (
        *("spoken", _VERSION, speaker.voice.card.name, speaker.detail, getattr(speaker.voice, "detail", "")),
        *(line.text, line.language, f"{pace:.3f}", _digest(speaker.reference), fingerprint_of(speaker.voice)),
    )
    return "spoken-" + hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]


def _said(line: Line, speaker: AssignedVoice, pace: float) -> Sound:
    try:
        sound = speaker.voice.speak(line, pace, speaker.reference)
    except LipdubError as failed:
        if failed.at is None and isinstance(failed, OptionError | ServiceError):
            failed.at = line.span.start
        raise
    if sound.samples.shape[0] != 1 or sound.samples.shape[1] == 0:
        raise ServiceError(f"the voice {speaker.voice.card.name} answered without mono sound", at=line.span.start)
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
