"""Who speaks whose lines: one person, one voice, in the whole programme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lipdub.speech.seam import VOICES, Reference, Voice


@runtime_checkable
class Ensemble(Protocol):
    """What a voice can be besides: several people."""

    def member(self, index: int) -> Voice:
        """The voice of the ``index``-th person, from 0 on; the same one each time."""
        ...


@runtime_checkable
class Prepared(Protocol):
    """What a voice can do besides: say at once, and not after an hour, what it lacks."""

    def ready(self) -> None:
        """Raises ``MissingExtra``, ``WeightsError`` or ``OptionError`` if it cannot speak on this machine."""
        ...


@dataclass(frozen=True, eq=False)
class Speaker:
    """Somebody's ``voice``, the ``detail`` it was made with (it names the sound in the cache), and, for voices that can
    sound like somebody, a ``reference``."""

    voice: Voice
    detail: str = ""
    reference: Reference | None = None


def cast(speakers: Sequence[str], otherwise: str, named: Mapping[str, str] | None = None) -> dict[str, Speaker]:
    """A voice for each of ``speakers``: the one that ``named`` gives them, else ``otherwise``, both ``name:detail``.

    Speakers who share ``otherwise`` get different people of it if it has them, in the order of ``speakers``. Raises
    ``OptionError`` for a name that is not installed, and what making a voice raises.
    """
    named, out, index = named or {}, {}, 0
    shared = voice_named(otherwise) if any(s not in named for s in speakers) else None
    for speaker in dict.fromkeys(speakers):
        if speaker in named:
            out[speaker] = Speaker(voice_named(named[speaker]), named[speaker])
        elif isinstance(shared, Ensemble):
            out[speaker] = Speaker(shared.member(index), f"{otherwise} person {index}")
            index += 1
        else:
            assert shared is not None
            out[speaker] = Speaker(shared, otherwise)
    return out


def voice_named(text: str) -> Voice:
    """The voice that ``name`` or ``name:detail`` names, ready to speak.

    Raises ``OptionError`` if it is not installed, and what it says it lacks.
    """
    name, _, detail = text.partition(":")
    voice = VOICES.checked(name, VOICES.factory(name)(detail), Voice)
    if isinstance(voice, Prepared):
        voice.ready()
    return voice
