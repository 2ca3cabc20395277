"""The protocols of plugins: ``Recogniser``, ``Translator``, ``Voice`` and ``Separator``.

Implementations are found by name through entry point groups (``lipdub.recognisers``, ``lipdub.translators``,
``lipdub.voices``, ``lipdub.separators``). An entry point is a function that is called with one text, what the user
wrote after the colon of ``NAME:DETAIL`` ("" if nothing), and returns an implementation.
``tests/words_to_sound/conformance.py`` holds the test suites that every implementation passes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from lipdub.errors import OptionError
from lipdub.plugins import PluginKind
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span

RECOGNISERS = PluginKind("lipdub.recognisers", "recogniser")
TRANSLATORS = PluginKind("lipdub.translators", "translator")
VOICES = PluginKind("lipdub.voices", "voice")
SEPARATORS = PluginKind("lipdub.separators", "separator")

Block = Float32[np.ndarray, "channels _samples"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the report says about a plugin: its ``name``, its ``licence`` (SPDX, or "not stated"), the ``languages``
    that it knows (BCP 47; empty: not known), and ``local``, False if words leave this machine."""

    name: str
    licence: str
    languages: tuple[str, ...] = ()
    local: bool = True


@dataclass(frozen=True, slots=True)
class Transcript:
    """Recognised ``words`` in order of time, on the clock of the sound; its ``language`` (BCP 47), and the
    ``confidence`` (0..1) in that language."""

    words: tuple[Word, ...]
    language: str
    confidence: float = 1.0


@runtime_checkable
class Recogniser(Protocol):
    """Speech recognition: sound to words."""

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        ...

    def transcribe(self, sound: Sound, language: str = "") -> Transcript:
        """The words of ``sound`` (mono, 16 kHz, some minutes at most); ``language`` "": it is detected.

        A sound without speech gives no words and confidence 0. Raises ``OptionError`` for a language it does not know.
        """
        ...


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """A line to be translated.

    ``characters`` is how many fit its span at a natural pace. ``before`` and ``after`` are the texts of neighbouring
    lines in the source language. ``glossary`` gives the rendering of each term. ``too_long`` is an earlier translation
    that did not fit ("": none); a shorter one is wanted.
    """

    line: Line
    characters: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    glossary: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    too_long: str = ""


@runtime_checkable
class Translator(Protocol):
    """Translation of lines."""

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        ...

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """One text in ``language`` per request, in order. Raises ``ServiceError`` if it fails, ``OptionError`` if it
        does not know a language."""
        ...


@dataclass(frozen=True, eq=False)
class VoiceReference:
    """A sample of a person's voice, for voice cloning: clean speech (``sound``, mono), its ``text`` ("": not known) and
    the ``language`` of that (BCP 47)."""

    sound: Sound
    text: str = ""
    language: str = ""


@runtime_checkable
class Voice(Protocol):
    """Speech synthesis: lines to sound."""

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        ...

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` as mono sound at any sample rate. It starts at 0 with the first syllable and ends with the last.

        ``pace`` 1 is the voice's natural pace, 1.2 is a fifth faster; a voice that cannot change its pace ignores it.
        ``reference`` is for voices that clone. Raises ``OptionError`` for a language that it does not speak or a text
        with nothing to say, ``ServiceError`` if a server or program fails.
        """
        ...


@runtime_checkable
class Separator(Protocol):
    """Speech taken out of a sound."""

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        ...

    def without_speech(self, sound: Iterable[Block], rate: int, speech: Sequence[Span]) -> Iterator[Block]:
        """``sound`` (blocks of any length, channels x samples, -1..1; ``rate`` samples per second) without its speech:
        as many samples in as many channels, in blocks of any length, each at its time.

        ``speech`` are spans in which somebody speaks, in seconds from the first sample, sorted and disjoint; where they
        are more than a second away, every sample stays as it is. The samples do not depend on how the sound is cut into
        blocks, and only seconds of it are held in memory.
        """
        ...


def separator_named(text: str) -> Separator:
    """The separator called ``NAME`` or ``NAME:DETAIL``.

    Raises ``OptionError`` if it is not installed, and what its making raises (``MissingExtra``).
    """
    return SEPARATORS.create_named(text, Separator)


def recogniser_named(text: str) -> Recogniser:
    """The recogniser called ``NAME`` or ``NAME:DETAIL``.

    Raises ``OptionError`` if it is not installed, and what its making raises.
    """
    return RECOGNISERS.create_named(text, Recogniser)


def translator_named(text: str, source: str, target: str) -> Translator:
    """The translator called ``NAME`` or ``NAME:DETAIL``, for lines in ``source`` to be said in ``target``.

    Raises ``OptionError`` if ``text`` is "" or it is not installed, and what its making raises.
    """
    if not text:
        raise OptionError(
            f"the lines are in '{source}', the dub shall be in '{target}', and no translator is named",
            remedy="Name one (--translator openai:URL#MODEL or argos), or give a translated script (--script)",
        )
    return TRANSLATORS.create_named(text, Translator)
