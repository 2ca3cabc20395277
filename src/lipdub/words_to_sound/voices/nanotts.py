"""``nanotts``: six small voices that need no network and no graphics card (py-nanotts, Pico, Apache-2.0).

There is one voice for each language: en-US, en-GB, de-DE, es-ES, fr-FR, it-IT. Other voices are made from it by changes
of pitch and formants (the length of the throat), so that people in one programme differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr
from jaxtyping import Float32

from lipdub.errors import OptionError
from lipdub.plugins import package_version
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import ModelCard, Voice, VoiceReference
from lipdub.words_to_sound.voices.languages import unsupported_language
from lipdub.words_to_sound.voices.pico import LINGWARE, RATE, check_installed, synthesise
from lipdub.words_to_sound.voices.speakable_text import latin_text, require_speakable, split_text
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level, trim_silence

PITCH_AND_FORMANTS = (
    (1.0, 1.0),
    (0.62, 0.87),
    (1.18, 1.1),
    (0.8, 0.94),
    (0.55, 0.82),
    (0.95, 1.12),
    (0.72, 0.9),
    (1.3, 1.05),
)
"""(pitch, formants) of the first, second, ... speaker of a programme; after the last, the first again."""

_PITCHES = {"en-US": 162.0, "en-GB": 175.0, "de-DE": 163.0, "es-ES": 199.0, "fr-FR": 193.0, "it-IT": 177.0}
"""Median pitch of each voice as it is, in hertz (measured with ``voices.pitch`` on a sentence each)."""

_SAME_PITCH = 0.08  # a pitch that differs by less than this ratio from the voice's own is not changed
_THROAT = 0.3  # formants are pitch to this power: deep voices come from long throats (men's 0.87 at 0.62)

_NATURAL_SPEED = {"fr-FR": 0.8, "de-DE": 0.9}
"""Pico's speed at pace 1 where its own is too fast: French, 21 characters a second (now 17; a recogniser misses as many
words as before), and German, 17 (now 15; it misses half as many)."""

_VERSION = 1  # raise when the same line sounds different
_LONGEST = 600  # characters spoken at once; memory is Pico's only limit
_GAP = 0.35  # seconds between two parts of a text that are spoken one after the other
_NEAR = 0.03  # accepted error of the duration
_TRIES = (1.0, 1.1, 0.9, 1.2, 0.8, 1.3)  # factors of the speed that are tried


def make(detail: str = "") -> "NanoVoice":
    """The voice that ``detail`` describes: a language tag, ``pitch=`` and ``formants=``, each optional, with commas.

    Example: ``es-ES,pitch=0.8,formants=0.9``. Without a tag, each line is spoken by the voice of its language. Raises
    ``OptionError`` if it cannot be read.
    """
    voice = NanoVoice()
    for part in filter(None, (p.strip() for p in detail.split(","))):
        name, _, value = part.partition("=")
        if not value:
            voice = replace(voice, tag=_tag(name))
        elif name in _RANGES:
            voice = replace(voice, **{name: _number(name, value)})
        else:
            raise OptionError(f"nanotts does not know '{name}'", remedy="It knows pitch and formants")
    return voice


@dataclass(frozen=True, slots=True)
class NanoVoice:
    """The voice ``tag``, a key of ``LINGWARE`` ("": that of the line's language), with ``pitch`` (0.5..2) and
    ``formants`` (0.7..1.4) relative to the voice's own; 0.6 and 0.87 sound like a man."""

    tag: str = ""
    pitch: float = 1.0
    formants: float = 1.0

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        return ModelCard("nanotts", "Apache-2.0", (self.tag,) if self.tag else tuple(LINGWARE))

    @property
    def detail(self) -> str:
        """The text from which ``make`` makes this voice."""
        parts = [self.tag] if self.tag else []
        parts += [
            f"{name}={value:g}" for name, value in (("pitch", self.pitch), ("formants", self.formants)) if value != 1
        ]
        return ",".join(parts)

    def fingerprint(self) -> tuple[object, ...]:
        """All that its sound depends on: versions, the speed at its natural pace, and ``detail``."""
        return (_VERSION, package_version("py-nanotts"), tuple(sorted(_NATURAL_SPEED.items())), self.detail)

    def member(self, index: int) -> "NanoVoice":
        """The voice of another person in the same language, with the pitch and formants
        ``PITCH_AND_FORMANTS[index]``."""
        pitch, formants = PITCH_AND_FORMANTS[index % len(PITCH_AND_FORMANTS)]
        return replace(
            self, pitch=_clamped("pitch", self.pitch * pitch), formants=_clamped("formants", self.formants * formants)
        )

    def at_pitch(self, hertz: float, language: str, beside: Sequence[Voice] = ()) -> "NanoVoice":
        """The voice with a median pitch of about ``hertz``, but within 0.55 to 1.35 of its own; unchanged if the user
        chose a pitch."""
        if self.pitch != 1:
            return self
        tag = self.tag or next((t for t in LINGWARE if same_language(t, language)), "")
        ratio = hertz / _PITCHES[tag] if tag in _PITCHES else 1.0
        if abs(ratio - 1) < _SAME_PITCH:
            return self
        pitch = round(min(max(ratio, 0.55), 1.35) * 20) / 20  # steps: a small difference does not change cached lines
        return replace(self, pitch=pitch, formants=round(pitch**_THROAT, 2))

    def check_ready(self) -> None:
        """Raises ``MissingExtra`` if py-nanotts is not installed."""
        check_installed()

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at 16 kHz; the same text and pace give the same samples. ``reference`` is not used.

        Raises ``OptionError`` for another language or a text with nothing to say, ``MissingExtra`` if py-nanotts is not
        installed.
        """
        tag = self._tag_for(line)
        text = latin_text(require_speakable(line.text, tag), tag)
        if not any(c.isalnum() for c in text):
            raise OptionError(f"nanotts cannot read the letters of '{line.text[:40]}'", at=line.span.start)
        natural = self._synthesised(text, tag, 1.0)
        if abs(pace - 1) < 0.005:
            return trim_and_level(natural, RATE)
        return trim_and_level(self._paced(text, tag, pace, len(natural) / pace), RATE)

    def _tag_for(self, line: Line) -> str:
        tags = (self.tag,) if self.tag else tuple(LINGWARE)
        if self.tag and not line.language:
            return self.tag
        for exact in (True, False):
            for tag in tags:
                if tag.lower() == line.language.lower() if exact else same_language(tag, line.language):
                    return tag
        raise unsupported_language("nanotts", tags, line)

    def _paced(self, text: str, tag: str, pace: float, wanted: float) -> Float32[np.ndarray, " samples"]:
        """``text`` in about ``wanted`` samples: Pico adds and drops pauses as its speed changes, so some are tried."""
        best, error = np.zeros(0, np.float32), np.inf
        for factor in _TRIES:
            speech = self._synthesised(text, tag, pace * factor)
            if abs(len(speech) / wanted - 1) < error:
                best, error = speech, abs(len(speech) / wanted - 1)
            if error < _NEAR:
                break
        return best

    def _synthesised(self, text: str, tag: str, pace: float) -> Float32[np.ndarray, " samples"]:
        """Speech without silence at both ends. Formants are changed by playback at another speed than spoken."""
        speed = min(max(round(100 * _NATURAL_SPEED.get(tag, 1.0) * pace / self.formants), 20), 500)
        pitch = min(max(round(100 * self.pitch / self.formants), 50), 200)
        pieces: list[np.ndarray] = []
        for part in split_text(text, _LONGEST):
            pieces += [trim_silence(synthesise(part, tag, speed, pitch).astype(np.float32) / 32768, RATE)]
            pieces += [np.zeros(round(_GAP * RATE * self.formants / pace), np.float32)]
        speech = np.concatenate(pieces[:-1])
        return speech if self.formants == 1 else soxr.resample(speech, RATE * self.formants, RATE).astype(np.float32)


_RANGES = {"pitch": (0.5, 2.0), "formants": (0.7, 1.4)}


def _clamped(name: str, value: float) -> float:
    low, high = _RANGES[name]
    return round(min(max(value, low), high), 3)


def _number(name: str, value: str) -> float:
    low, high = _RANGES[name]
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise OptionError(f"nanotts takes {name} from {low:g} to {high:g}, not '{value}'")
    return number


def _tag(name: str) -> str:
    for tag in LINGWARE:
        if tag.lower() == name.lower() or (same_language(tag, name) and "-" not in name):
            return tag
    raise OptionError(f"nanotts has no voice '{name}'", remedy=f"It has {', '.join(LINGWARE)}")
