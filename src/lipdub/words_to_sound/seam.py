"""The seams of the sound: who hears words, who translates them, who speaks them.

Each is found by name through an entry point group (``lipdub.recognisers``, ``lipdub.translators``,
``lipdub.voices``). An entry is called with one text, what the user wrote after the colon ("" if nothing), and returns
the one it names. ``tests/speech/conformance.py`` holds the suites that every implementation passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from lipdub.plugins import PluginKind
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound

RECOGNISERS = PluginKind("lipdub.recognisers", "recogniser")
TRANSLATORS = PluginKind("lipdub.translators", "translator")
VOICES = PluginKind("lipdub.voices", "voice")


@dataclass(frozen=True, slots=True)
class Card:
    """Who does it, for the report: ``name``, ``licence`` (SPDX, or "not stated"), ``languages`` (BCP 47 tags it can;
    empty: it does not say), and whether words leave this machine (``local`` False)."""

    name: str
    licence: str
    languages: tuple[str, ...] = ()
    local: bool = True


@dataclass(frozen=True, slots=True)
class Recognised:
    """``words`` in order of time, on the clock of the sound they were heard in; the ``language`` (BCP 47) and how sure
    it is (0..1)."""

    words: tuple[Word, ...]
    language: str
    confidence: float = 1.0


@runtime_checkable
class Recogniser(Protocol):
    """Hears words."""

    @property
    def card(self) -> Card:
        """Who it is."""
        ...

    def hear(self, sound: Sound, language: str = "") -> Recognised:
        """The words of ``sound`` (mono at 16 kHz, minutes at most); ``language`` "" lets it find out."""
        ...


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """A line to be put into another language.

    ``characters`` that fit its span at a natural pace; ``before`` and ``after`` are neighbouring texts of the source.
    ``glossary`` says how terms are rendered. ``too_long`` is an earlier answer that did not fit ("": none): a shorter
    one is asked for.
    """

    line: Line
    characters: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    glossary: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    too_long: str = ""


@runtime_checkable
class Translator(Protocol):
    """Puts lines into another language."""

    @property
    def card(self) -> Card:
        """Who it is."""
        ...

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """One text per request, in ``language``, in order. Raises ``ServiceError`` or ``OptionError``."""
        ...


@dataclass(frozen=True, eq=False)
class VoiceReference:
    """How a speaker sounds: a clean stretch of that person's ``sound`` (mono) and its words, if they are known."""

    sound: Sound
    text: str = ""


@runtime_checkable
class Voice(Protocol):
    """Speaks lines."""

    @property
    def card(self) -> Card:
        """Who it is."""
        ...

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` as mono sound that starts at 0 with its first syllable and ends with its last, at any rate.

        ``pace`` 1 is the voice's natural one, 1.2 a fifth faster; a voice that cannot change it ignores it.
        ``reference`` is for those that can sound like somebody. Raises ``OptionError`` for a language it does not
        speak or a text without anything to say, ``ServiceError`` if a server or program fails.
        """
        ...
