"""A voice for each speaker of a programme, and what voices can do beyond ``Voice``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from lipdub.timeline.lines import Line
from lipdub.words_to_sound.seam import VOICES, Voice, VoiceReference


@runtime_checkable
class VoiceFamily(Protocol):
    """A voice that can sound like several people."""

    def member(self, index: int) -> Voice:
        """The voice of person ``index``, from 0 on; the same each time."""
        ...


@runtime_checkable
class PitchedVoice(Protocol):
    """A voice whose pitch can be changed."""

    def at_pitch(self, hertz: float, language: str, beside: Sequence[Voice] = ()) -> Voice:
        """The voice with a median pitch of about ``hertz`` in ``language``, within the limits of the voice; unlike the
        voices ``beside`` it, which other people have, where there are several to choose from."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceTraits:
    """How a person speaks: the median pitch in ``hertz``; the ``spacing`` of the formants in hertz (0: not known; see
    ``vocal_tract``); and the ``embedding`` of the voice (see ``speaker_embedding``; empty: not known)."""

    hertz: float
    spacing: float = 0.0
    embedding: tuple[float, ...] = ()


@runtime_checkable
class ResemblingVoice(Protocol):
    """A voice that can be made to sound a little like a certain person."""

    def resembling(self, person: VoiceTraits, language: str, beside: Sequence[Voice] = ()) -> Voice:
        """The voice that is most like ``person`` in ``language``, and unlike the voices ``beside`` it, which other
        people have; the same each time."""
        ...


@runtime_checkable
class DescribedVoice(Protocol):
    """A voice that can tell more about itself than its card does."""

    def described(self, language: str) -> str:
        """Its name, and all that was done to it, as it speaks ``language``, for the report."""
        ...


@runtime_checkable
class CloningVoice(Protocol):
    """A voice that can imitate a person, of whom it is given a ``VoiceReference`` with each line."""

    @property
    def needs_reference(self) -> bool:
        """True if this voice cannot speak without a reference."""
        ...


@runtime_checkable
class ReferenceReadingVoice(Protocol):
    """A voice that imitates better if it is told what is said in the reference."""

    @property
    def wants_reference_text(self) -> bool:
        """True if the ``VoiceReference`` shall have its text."""
        ...


@runtime_checkable
class SelfCheckingVoice(Protocol):
    """A voice that can tell in advance whether it works on this machine."""

    def check_ready(self) -> None:
        """Raises ``MissingExtra``, ``WeightsError`` or ``OptionError`` if it cannot speak on this machine."""
        ...


@runtime_checkable
class ReadingVoice(Protocol):
    """A voice that can tell which lines it can read."""

    def reads(self, line: Line) -> bool:
        """True if something of ``line`` can be said."""
        ...


@dataclass(frozen=True, eq=False)
class AssignedVoice:
    """The ``voice`` of one speaker, the ``detail`` it was made with (a part of the key in the cache), and the
    ``reference`` for a voice that clones."""

    voice: Voice
    detail: str = ""
    reference: VoiceReference | None = None


MakeVoice = Callable[[str], Voice]
"""Makes the voice that ``NAME`` or ``NAME:DETAIL`` names."""


@dataclass(frozen=True, slots=True)
class SpeakerPitch:
    """The median pitch of speakers (``hertz``, by name), and the ``language`` in which they get voices; the ``traits``
    of those whom their voices shall resemble, by name."""

    hertz: Mapping[str, float]
    language: str = ""
    traits: Mapping[str, VoiceTraits] = field(default_factory=lambda: MappingProxyType({}))


def assign_voices(
    speakers: Sequence[str],
    default: str,
    named: Mapping[str, str] | None = None,
    pitch: SpeakerPitch | None = None,
    make: MakeVoice | None = None,
) -> dict[str, AssignedVoice]:
    """A voice for each of ``speakers``: the one that ``named`` gives them, else ``default``, both as ``NAME:DETAIL``.

    Speakers with the voice ``default`` and with traits in ``pitch`` get one that resembles them if the voice is a
    ``ResemblingVoice``; others get their own pitch (from ``pitch``), no two the same, if it is a ``PitchedVoice``;
    else they are different members of it, in order, if it is a ``VoiceFamily``. ``make`` makes a
    voice from its name (None: ``voice_named``). Raises ``OptionError`` for a voice that is not installed, and what
    the making of a voice raises.
    """
    named, make, out, index = named or {}, make or voice_named, {}, 0
    shared = make(default) if any(s not in named for s in speakers) else None
    hertz = _distinct_pitches(pitch.hertz if pitch else {}, [s for s in dict.fromkeys(speakers) if s not in named])
    for speaker in dict.fromkeys(speakers):
        if speaker in named:
            out[speaker] = AssignedVoice(make(named[speaker]), named[speaker])
        elif pitch and speaker in pitch.traits and isinstance(shared, ResemblingVoice):
            others = [other.voice for other in out.values()]
            out[speaker] = AssignedVoice(shared.resembling(pitch.traits[speaker], pitch.language, others), default)
        elif speaker in hertz and pitch and isinstance(shared, PitchedVoice):
            others = [other.voice for other in out.values()]
            out[speaker] = AssignedVoice(shared.at_pitch(hertz[speaker], pitch.language, others), default)
        elif isinstance(shared, VoiceFamily):
            out[speaker] = AssignedVoice(shared.member(index), f"{default} person {index}")
            index += 1
        else:
            assert shared is not None
            out[speaker] = AssignedVoice(shared, default)
    return out


LEAST_PITCH_RATIO = 1.15
"""The least ratio of the pitches of two speakers who share a voice (a little over two semitones)."""


def _distinct_pitches(hertz: Mapping[str, float], speakers: Sequence[str]) -> dict[str, float]:
    """The pitches of ``speakers``, where later ones are raised until all ratios are at least ``LEAST_PITCH_RATIO``."""
    out: dict[str, float] = {}
    for speaker in speakers:
        if speaker in hertz:
            pitch = hertz[speaker]
            while any(1 / LEAST_PITCH_RATIO < pitch / other < LEAST_PITCH_RATIO for other in out.values()):
                pitch *= 1.04
            out[speaker] = pitch
    return out


def voice_named(text: str) -> Voice:
    """The voice called ``NAME`` or ``NAME:DETAIL``, checked to work on this machine.

    Raises ``OptionError`` if it is not installed, and what ``check_ready`` raises.
    """
    voice = VOICES.create_named(text, Voice)
    if isinstance(voice, SelfCheckingVoice):
        voice.check_ready()
    return voice


def voice_described(assigned: AssignedVoice, language: str) -> str:
    """What the report calls the voice of a line in ``language``."""
    voice = assigned.voice
    return voice.described(language) if isinstance(voice, DescribedVoice) else voice.card.name
