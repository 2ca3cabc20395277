"""``nanotts``: six small voices that need no network and no graphics card (py-nanotts, Pico, Apache-2.0).

One voice a language: en-US, en-GB, de-DE, es-ES, fr-FR, it-IT. Others are made of it by pitch and by the length of the
throat (formants), so that people in one programme differ.
"""

from dataclasses import dataclass, replace

import numpy as np
import soxr
from jaxtyping import Float32

from lipdub.errors import OptionError
from lipdub.plugins import package_version
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import Card, VoiceReference
from lipdub.words_to_sound.voices.finish import finished, trimmed
from lipdub.words_to_sound.voices.languages import refuse
from lipdub.words_to_sound.voices.pico import LINGWARE, RATE, present, spoken
from lipdub.words_to_sound.voices.text import in_latin, sentences, words_for

CHARACTERS = ((1.0, 1.0), (0.62, 0.87), (1.18, 1.1), (0.8, 0.94), (0.55, 0.82), (0.95, 1.12), (0.72, 0.9), (1.3, 1.05))
"""(pitch, formants) of the first, second... speaker of a programme; then it starts again."""

_HEIGHTS = {"en-US": 162.0, "en-GB": 175.0, "de-DE": 163.0, "es-ES": 199.0, "fr-FR": 193.0, "it-IT": 177.0}
"""Median pitch of each voice as it comes, in hertz (``voices.pitch``, a sentence each)."""

_ALIKE = 0.08  # a pitch so near to the voice's own is left alone
_THROAT = 0.3  # formants go with the pitch to this power: deep voices come from long throats (men's 0.87 at 0.62)

_NATURAL = {"fr-FR": 0.8, "de-DE": 0.9}
"""Speed at pace 1 where Pico's own hurries: French at 21 characters a second (17 now; a recogniser misses as many
words as before), German at 17 (15 now; it misses half as many)."""

_VERSION = 1  # raise when the same line sounds otherwise
_LONGEST = 600  # characters spoken at one go; memory is Pico's only limit, its rhythm stays good far beyond
_GAP = 0.35  # seconds between the goes
_NEAR = 0.03  # a pace is met within
_TRIES = (1.0, 1.1, 0.9, 1.2, 0.8, 1.3)


def make(detail: str = "") -> "NanoVoice":
    """The voice that ``detail`` describes: a tag, ``pitch=`` and ``formants=``, each optional, with commas between.

    ``es-ES,pitch=0.8,formants=0.9``. Without a tag, every line is spoken by the voice of its own language. Raises
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


def voice_for(index: int) -> str:
    """Detail for the ``index``-th speaker of a programme: ``pitch=...,formants=...``; speaker 0 is as it comes ("")."""
    pitch, formants = CHARACTERS[index % len(CHARACTERS)]
    return "" if pitch == formants == 1 else f"pitch={pitch:g},formants={formants:g}"


@dataclass(frozen=True, slots=True)
class NanoVoice:
    """``tag`` a key of ``LINGWARE`` or "" (that of the line's language); ``pitch`` 0.5..2 and ``formants`` 0.7..1.4 of
    the voice's own (0.6 and 0.87: like a man)."""

    tag: str = ""
    pitch: float = 1.0
    formants: float = 1.0

    @property
    def card(self) -> Card:
        """Who it is."""
        return Card("nanotts", "Apache-2.0", (self.tag,) if self.tag else tuple(LINGWARE))

    @property
    def detail(self) -> str:
        """What ``make`` makes it from."""
        parts = [self.tag] if self.tag else []
        parts += [
            f"{name}={value:g}" for name, value in (("pitch", self.pitch), ("formants", self.formants)) if value != 1
        ]
        return ",".join(parts)

    def fingerprint(self) -> tuple[object, ...]:
        """What its sound depends on beside ``detail``: versions, and how fast it speaks at its natural pace."""
        return (_VERSION, package_version("py-nanotts"), tuple(sorted(_NATURAL.items())), self.detail)

    def member(self, index: int) -> "NanoVoice":
        """The same language by another person: pitch and formants of ``voice_for(index)``."""
        pitch, formants = CHARACTERS[index % len(CHARACTERS)]
        return replace(
            self, pitch=_kept("pitch", self.pitch * pitch), formants=_kept("formants", self.formants * formants)
        )

    def at_pitch(self, hertz: float, language: str) -> "NanoVoice":
        """The same voice about as high as ``hertz``, as far as it goes (0.55 to 1.35 of its own); itself if its pitch
        was chosen already."""
        if self.pitch != 1:
            return self
        tag = self.tag or next((t for t in LINGWARE if same_language(t, language)), "")
        ratio = hertz / _HEIGHTS[tag] if tag in _HEIGHTS else 1.0
        if abs(ratio - 1) < _ALIKE:
            return self
        pitch = round(min(max(ratio, 0.55), 1.35) * 20) / 20  # in steps, so that a little does not change every line
        return replace(self, pitch=pitch, formants=round(pitch**_THROAT, 2))

    def ready(self) -> None:
        """Raises ``MissingExtra`` without py-nanotts."""
        present()

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at 16 kHz; the same words and pace are the same samples. ``reference`` is not used.

        Raises ``OptionError`` for another language or nothing to say, ``MissingExtra`` without py-nanotts.
        """
        tag = self._tag_for(line)
        text = in_latin(words_for(line.text, tag), tag)
        if not any(c.isalnum() for c in text):
            raise OptionError(f"nanotts cannot read the letters of '{line.text[:40]}'", at=line.span.start)
        natural = self._said(text, tag, 1.0)
        if abs(pace - 1) < 0.005:
            return finished(natural, RATE)
        return finished(self._paced(text, tag, pace, len(natural) / pace), RATE)

    def _tag_for(self, line: Line) -> str:
        tags = (self.tag,) if self.tag else tuple(LINGWARE)
        if self.tag and not line.language:
            return self.tag
        for exact in (True, False):
            for tag in tags:
                if tag.lower() == line.language.lower() if exact else same_language(tag, line.language):
                    return tag
        raise refuse("nanotts", tags, line)

    def _paced(self, text: str, tag: str, pace: float, wanted: float) -> Float32[np.ndarray, " samples"]:
        """``text`` as near to ``wanted`` samples as can be: pauses come and go with Pico's speed, so some are tried."""
        best, miss = np.zeros(0, np.float32), np.inf
        for nudge in _TRIES:
            said = self._said(text, tag, pace * nudge)
            if abs(len(said) / wanted - 1) < miss:
                best, miss = said, abs(len(said) / wanted - 1)
            if miss < _NEAR:
                break
        return best

    def _said(self, text: str, tag: str, pace: float) -> Float32[np.ndarray, " samples"]:
        """Speech without the silence around it; ``formants`` by playing a voice slower or faster than it spoke."""
        speed = min(max(round(100 * _NATURAL.get(tag, 1.0) * pace / self.formants), 20), 500)
        pitch = min(max(round(100 * self.pitch / self.formants), 50), 200)
        pieces: list[np.ndarray] = []
        for part in sentences(text, _LONGEST):
            pieces += [trimmed(spoken(part, tag, speed, pitch).astype(np.float32) / 32768, RATE)]
            pieces += [np.zeros(round(_GAP * RATE * self.formants / pace), np.float32)]
        said = np.concatenate(pieces[:-1])
        return said if self.formants == 1 else soxr.resample(said, RATE * self.formants, RATE).astype(np.float32)


_RANGES = {"pitch": (0.5, 2.0), "formants": (0.7, 1.4)}


def _kept(name: str, value: float) -> float:
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
