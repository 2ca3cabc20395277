"""Fake recogniser, voice, translator and separator: for tests, and as short examples of how each is written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lipdub.errors import OptionError
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.seam import Block, ModelCard, Transcript, TranslationRequest, VoiceReference


@dataclass(frozen=True)
class FakeRecogniser:
    """Finds those of the given ``words`` that begin within a sound, unless the sound is silent."""

    words: Sequence[Word] = ()
    language: str = "en"
    card: ModelCard = field(default=ModelCard("fake", "Apache-2.0"))

    def transcribe(self, sound: Sound, language: str = "") -> Transcript:
        """The words that begin in ``sound``, with their spans cut to it; none in silence."""
        whole = sound.span
        parts = [(w, w.span.intersection(whole)) for w in self.words if w.span.start in whole]
        found = tuple(Word(w.text, part, w.confidence) for w, part in parts if part is not None)
        if not sound.samples.any() or not found:
            return Transcript((), language, 0.0)
        return Transcript(found, language or self.language)


@dataclass(frozen=True)
class FakeVoice:
    """A buzz with one burst a syllable, ``speed`` characters a second, at ``pitch`` hertz. Deterministic.

    A syllable is a group of vowels, or five characters in writing without vowels. Spaces take time, commas are pauses.
    """

    speed: float = 15.0
    pitch: float = 140.0
    rate: int = 16_000
    card: ModelCard = field(default=ModelCard("fake", "Apache-2.0"))

    def member(self, index: int) -> "FakeVoice":
        """Another voice: each of eight is 3 semitones higher than the one before."""
        return FakeVoice(self.speed, self.pitch * 2 ** (index % 8 / 4), self.rate, self.card)

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """Sound of ``len(text) / speed / pace`` seconds. Raises ``OptionError`` for a text without letters and
        digits."""
        text = line.text.strip()
        if not any(c.isalnum() for c in text):
            raise OptionError(f"the line '{text}' has nothing to say", at=line.span.start)
        seconds = np.arange(max(1, round(self.rate * max(len(text), 2) / self.speed / pace))) / self.rate
        voice = sum(np.sin(2 * np.pi * self.pitch * k * seconds) / k for k in range(1, 24))
        loud = np.interp(seconds * self.speed * pace, np.arange(len(text) * 4) / 4, _loudness(text))
        return Sound((0.2 * voice * loud).astype(np.float32)[None], self.rate)


def _loudness(text: str) -> np.ndarray:
    """The loudness of each quarter of a character of ``text``, 0..1: peaks on syllables, dips between them, 0 in
    pauses."""
    vowels = [m.span() for m in re.finditer(r"[aeiouyàâäáãåæéèêëíìîïóòôöõøœúùûüαεηιουωаеёиоуыэюя]+", text.lower())]
    peaks = [(start + end) / 2 for start, end in vowels] or [at + 2.5 for at in range(0, max(len(text) - 3, 1), 5)]
    at = (np.arange(len(text) * 4) + 0.5) / 4
    loud = np.maximum(0.15, np.exp(-(((at[:, None] - np.array(peaks)) / 1.2) ** 2)).max(1))
    pause = np.repeat([text[max(i - 1, 0) : i + 1].strip()[:1] in {*",.;:!?"} and i > 0 for i in range(len(text))], 4)
    return np.where(pause & (at < len(text) - 1), 0.0, loud)


@dataclass(frozen=True)
class FakeTranslator:
    """Gives the text in capitals with the language before it, repeated or cut to ``factor`` times its length.

    A text that was too long becomes shorter by a quarter.
    """

    factor: float = 1.0
    card: ModelCard = field(default=ModelCard("fake", "Apache-2.0"))

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """One text per request; terms of the glossary are replaced by their renderings."""
        return [self._one(request, language) for request in requests]

    def _one(self, request: TranslationRequest, language: str) -> str:
        if request.too_long:
            return request.too_long[: max(1, len(request.too_long) * 3 // 4)].strip()
        text = request.line.text.upper()
        for term, rendering in request.glossary.items():
            text = re.sub(rf"\b{re.escape(term.upper())}\b", lambda _, words=rendering: words, text)
        length = max(1, round(len(text) * self.factor))
        return f"[{language}] " + ((text + " ") * -(-length // (len(text) + 1)))[:length].strip()


@dataclass(frozen=True)
class FakeSeparator:
    """Multiplies every sound by ``gain`` where somebody speaks."""

    gain: float = 0.1
    card: ModelCard = field(default=ModelCard("fake", "Apache-2.0"))

    def without_speech(self, sound: Iterable[Block], rate: int, speech: Sequence[Span]) -> Iterator[Block]:
        """Every block, with the samples within ``speech`` multiplied by ``gain``."""
        first = 0
        for block in sound:
            gain = np.ones(block.shape[1], np.float32)
            for span in speech:
                gain[max(0, round(span.start * rate) - first) : max(0, round(span.end * rate) - first)] = self.gain
            yield block * gain
            first += block.shape[1]
