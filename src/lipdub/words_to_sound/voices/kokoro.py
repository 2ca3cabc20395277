"""``kokoro``: natural voices in nine languages by Kokoro-82M (Apache-2.0), without a network and a graphics card.

The model is fetched by ``lipdub weights fetch kokoro``. Text becomes phones here (``lipdub.words_to_sound.phones``);
Chinese and Japanese need the extra ``kokoro``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np

from lipdub import weights
from lipdub.disk.identity import content_digest
from lipdub.errors import OptionError, ServiceError
from lipdub.plugins import package_version
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.weights import kokoro_files
from lipdub.words_to_sound.phones.lexicon import Lexicon, phones_of, read_lexicon
from lipdub.words_to_sound.seam import ModelCard, Voice, VoiceReference
from lipdub.words_to_sound.voices.assign import VoiceTraits
from lipdub.words_to_sound.voices.kokoro_choice import Resemblance, most_alike, nearest
from lipdub.words_to_sound.voices.kokoro_network import RATE, say
from lipdub.words_to_sound.voices.kokoro_voices import MIXED, VOICES, tag_of
from lipdub.words_to_sound.voices.languages import unsupported_language
from lipdub.words_to_sound.voices.pitch_and_formants import MOVES_VERSION, move_pitch_and_formants
from lipdub.words_to_sound.voices.speakable_text import require_speakable, speakable_text
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level

_SLOWEST, _FASTEST = 0.5, 2.0
_VERSION = 5  # raise when the same line sounds otherwise


def make(detail: str = "") -> "KokoroVoice":
    """The voice that ``detail`` describes: Kokoro's name of it (e.g. ``am_michael``), and ``lexicon=FILE``, each
    optional, with a comma. Without a name, each line is spoken by a voice of its language.

    Raises ``OptionError`` for an unknown name or a lexicon that cannot be read.
    """
    voice = KokoroVoice()
    for part in filter(None, (p.strip() for p in detail.split(","))):
        name, _, value = part.partition("=")
        if name == "lexicon" and value:
            voice = voice.with_lexicon(Path(value))
        elif tag_of(part) is None:
            known = ", ".join(n for names in VOICES.values() for n in names)
            raise OptionError(f"kokoro has no voice '{part}'", remedy=f"It has {known}")
        else:
            voice = replace(voice, name=part)
    return voice


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """The voice that Kokoro calls ``name``; "": voice number ``index`` of the line's language, or the one whose pitch
    is nearest to ``hertz`` (0: not given) of those that are not ``taken`` by other people, or the one that is most
    like ``person``, and moved towards it. ``lexicon``: the user's pronunciations, from a file with this ``digest``."""

    name: str = ""
    index: int = 0
    hertz: float = 0.0
    taken: tuple[str, ...] = ()
    person: VoiceTraits | None = None
    lexicon: Lexicon = field(default_factory=lambda: MappingProxyType({}), compare=False, hash=False)
    digest: str = ""

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        tag = tag_of(self.name)
        return ModelCard("kokoro", "Apache-2.0", (tag,) if tag else tuple(VOICES))

    @property
    def detail(self) -> str:
        """Which of Kokoro's voices it is."""
        other = f", not {', '.join(self.taken)}" if self.taken else ""
        if self.person and not self.name:
            timbre = hashlib.sha256(repr(self.person.embedding).encode()).hexdigest()[:16]
            return f"like {self.person.hertz:g} {self.person.spacing:g} {timbre}{other}"
        return self.name or (f"pitch {self.hertz:.0f}{other}" if self.hertz else f"person {self.index}")

    def fingerprint(self) -> tuple[object, ...]:
        """All that its sound depends on: versions, its name, the digests of the model's files and of the lexicon."""
        packages = ("onnxruntime", "unicode-rbnf", "pypinyin", "rjieba", "janome")
        versions = tuple(package_version(package) for package in packages)
        return (_VERSION, versions, self.detail, self.digest, weights.identity("kokoro"), *self._moves())

    def _moves(self) -> tuple[object, ...]:
        """All that the likeness to a person depends on: versions, and the voice that speaks each language."""
        if self.person is None or self.name:
            return ()
        packages = tuple(package_version(package) for package in ("python-stretch", "av", "soxr"))
        return (MOVES_VERSION, packages, tuple(self.in_language(tag).described for tag in VOICES))

    def member(self, index: int) -> "KokoroVoice":
        """Another of Kokoro's voices; the same one if a language has only one, or a ``name`` was given."""
        return self if self.name else replace(self, index=index)

    def at_pitch(self, hertz: float, language: str, beside: Sequence[Voice] = ()) -> "KokoroVoice":
        """The voice whose median pitch is nearest to ``hertz``, of each line's language, and that nobody ``beside`` has
        in ``language``, if it has enough of them; unchanged if a ``name`` was given."""
        tag = _tag_for(tuple(VOICES), language)
        taken = {one.in_language(tag).name for one in beside if isinstance(one, KokoroVoice)} if tag else set[str]()
        return self if self.name else replace(self, hertz=float(round(hertz)), taken=tuple(sorted(taken)))

    def resembling(self, person: VoiceTraits, language: str, beside: Sequence[Voice] = ()) -> "KokoroVoice":
        """The voice that is most like ``person``, of each line's language, and that nobody ``beside`` has in
        ``language``, if it has enough of them; unchanged if a ``name`` was given."""
        if self.name:
            return self
        tag = _tag_for(tuple(VOICES), language)
        taken = {one.in_language(tag).key for one in beside if isinstance(one, KokoroVoice)} if tag else set[str]()
        return replace(self, person=person, taken=tuple(sorted(taken)))

    def in_language(self, tag: str) -> Resemblance:
        """The voice that speaks the language ``tag``, one of ``VOICES``, and how far it is moved."""
        names = (*VOICES[tag], *MIXED.get(tag, ()))
        if self.name:
            return Resemblance(self.name)
        if self.person:
            return most_alike(self.person, names, self.taken)
        return Resemblance(nearest(names, self.hertz, self.taken) if self.hertz else names[self.index % len(names)])

    def described(self, language: str) -> str:
        """Kokoro's name of the voice that speaks ``language``, and how far it was moved towards a person."""
        tag = _tag_for(self.card.languages, language)
        return "kokoro" if tag is None else f"kokoro {self.in_language(tag).described}"

    def with_lexicon(self, path: Path) -> "KokoroVoice":
        """The voice with the pronunciations in the file ``path``. Raises ``OptionError``."""
        return replace(self, lexicon=read_lexicon(path), digest=content_digest(path))

    def check_ready(self) -> None:
        """Raises ``WeightsError`` if the model is not here."""
        weights.resolve("kokoro")

    def reads(self, line: Line) -> bool:
        """True if something of ``line`` can be said. Raises as ``speak``."""
        _, tag = self._who(line)
        text = speakable_text(line.text, line.language)
        return bool(text) and _has_sound(phones_of(text, tag, self.lexicon))

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at 24 kHz; the same text and pace give the same samples. ``reference`` is not used.

        Raises ``OptionError`` for a language it does not speak or a text with nothing to say, ``MissingExtra`` and
        ``WeightsError``.
        """
        who, tag = self._who(line)
        text = require_speakable(line.text, line.language)
        phones = phones_of(text, tag, self.lexicon)
        if not _has_sound(phones):
            raise OptionError(
                f"kokoro cannot read the letters of '{line.text[:40]}' in {tag}",
                at=line.span.start,
                remedy="Check the language of the line, or give its words in a lexicon (--voice kokoro:lexicon=FILE)",
            )
        folder = weights.resolve("kokoro")
        speed = min(max(pace, _SLOWEST), _FASTEST)
        styles = [folder / f"{one}.bin" for one in who.name.split("+")]
        try:
            samples = say(folder / kokoro_files.MODEL[0], styles, phones, speed)
        except RuntimeError as failed:
            raise ServiceError(f"kokoro failed on '{line.text[:40]}' ({failed})", at=line.span.start) from failed
        samples = np.asarray(samples, np.float32)
        return trim_and_level(move_pitch_and_formants(samples, RATE, who.semitones, who.formants), RATE)

    def _who(self, line: Line) -> tuple[Resemblance, str]:
        """The voice that speaks ``line``, and the tag of its language."""
        tags = self.card.languages
        tag = _tag_for(tags, line.language)
        if tag is None:
            raise unsupported_language("kokoro", tags, line)
        return self.in_language(tag), tag


def _tag_for(tags: Sequence[str], language: str) -> str | None:
    """The one of ``tags`` that is ``language``, or else a variety of it; None if there is none."""
    exact = [t for t in tags if t.lower() == language.lower()]
    return next(iter(exact or [t for t in tags if same_language(t, language)]), None)


def ready_for(language: str) -> bool:
    """True if the model is on this machine and a voice speaks ``language`` with what is installed."""
    tag = next((t for t in VOICES if same_language(t, language)), None)
    needed = _PACKAGES.get((tag or "").split("-")[0], ())
    return tag is not None and all(map(find_spec, needed)) and weights.present("kokoro") is not None


_PACKAGES = {"zh": ("rjieba", "pypinyin"), "ja": ("janome",)}


def _has_sound(phones: str) -> bool:
    return any(c.isalpha() for c in phones)
