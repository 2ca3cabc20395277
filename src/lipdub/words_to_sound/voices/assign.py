"""Who speaks whose lines: one person, one voice, in the whole programme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lipdub.words_to_sound.seam import VOICES, Voice, VoiceReference


@runtime_checkable
class VoiceFamily(Protocol):
    """What a voice can be besides: several people."""

    def member(self, index: int) -> Voice:
        """The voice of the ``index``-th person, from 0 on; the same one each time."""
        ...


@runtime_checkable
class PitchedVoice(Protocol):
    """What a voice can be besides: as high as somebody else's."""

    def at_pitch(self, hertz: float, language: str) -> Voice:
        """The voice with about that median pitch, as far as it goes."""
        ...


@runtime_checkable
class CloningVoice(Protocol):
    """What a voice can be besides: like somebody, whose ``VoiceReference`` it is given with every line."""

    @property
    def mimics(self) -> bool:
        """True if it needs a reference as it was made."""
        ...


@runtime_checkable
class PreparedVoice(Protocol):
    """What a voice can do besides: say at once, and not after an hour, what it lacks."""

    def ready(self) -> None:
        """Raises ``MissingExtra``, ``WeightsError`` or ``OptionError`` if it cannot speak on this machine."""
        ...


@dataclass(frozen=True, eq=False)
class AssignedVoice:
    """Somebody's ``voice``, the ``detail`` it was made with (it names the sound in the cache), and, for voices that can
    sound like somebody, a ``reference``."""

    voice: Voice
    detail: str = ""
    reference: VoiceReference | None = None


@dataclass(frozen=True, slots=True)
class SpeakerPitch:
    """How high each of some speakers speaks (``hertz``, median), and the ``language`` they are given a voice in."""

    hertz: Mapping[str, float]
    language: str = ""


def assign_voices(
    speakers: Sequence[str], otherwise: str, named: Mapping[str, str] | None = None, heights: SpeakerPitch | None = None
) -> dict[str, AssignedVoice]:
    """A voice for each of ``speakers``: the one that ``named`` gives them, else ``otherwise``, both ``name:detail``.

    Speakers who share ``otherwise`` are as high as they are in ``heights``, no two alike, if the voice can be tuned;
    else different people of it, if it has them, in the order of ``speakers``. Raises ``OptionError`` for a name that
    is not installed, and what making a voice raises.
    """
    named, out, index = named or {}, {}, 0
    shared = voice_named(otherwise) if any(s not in named for s in speakers) else None
    tuned = _apart(heights.hertz if heights else {}, [s for s in dict.fromkeys(speakers) if s not in named])
    for speaker in dict.fromkeys(speakers):
        if speaker in named:
            out[speaker] = AssignedVoice(voice_named(named[speaker]), named[speaker])
        elif speaker in tuned and heights and isinstance(shared, PitchedVoice):
            out[speaker] = AssignedVoice(shared.at_pitch(tuned[speaker], heights.language), otherwise)
        elif isinstance(shared, VoiceFamily):
            out[speaker] = AssignedVoice(shared.member(index), f"{otherwise} person {index}")
            index += 1
        else:
            assert shared is not None
            out[speaker] = AssignedVoice(shared, otherwise)
    return out


APART = 1.15
"""Between the pitches of two speakers who share a voice: a little over two semitones, so that they can be told."""


def _apart(hertz: Mapping[str, float], speakers: Sequence[str]) -> dict[str, float]:
    """The pitches of ``speakers``, later ones raised until no two are nearer than ``APART``."""
    out: dict[str, float] = {}
    for speaker in speakers:
        if speaker in hertz:
            height = hertz[speaker]
            while any(1 / APART < height / other < APART for other in out.values()):
                height *= 1.04
            out[speaker] = height
    return out


def voice_named(text: str) -> Voice:
    """The voice that ``name`` or ``name:detail`` names, ready to speak.

    Raises ``OptionError`` if it is not installed, and what it says it lacks.
    """
    voice = VOICES.create_named(text, Voice)
    if isinstance(voice, PreparedVoice):
        voice.ready()
    return voice
