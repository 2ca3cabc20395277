"""The voices that a user names, for the speakers of a script; and whether they can say its lines."""

import os
import re
from collections.abc import Mapping, Sequence

from lipdub.errors import OptionError
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import listed
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.voices.assign import AssignedVoice, MakeVoice, ReadingVoice, SpeakerPitch, assign_voices
from lipdub.words_to_sound.voices.languages import unsupported_language
from lipdub.words_to_sound.voices.speakable_text import latin_text, speakable_text

DEFAULT_VOICE = "nanotts"
"""The voice of speakers for whom the user names none: it needs no network and no download."""

NATURAL_VOICE = "kokoro"
"""The voice that takes its place where it is there: its model was fetched, and it speaks the language."""


OFF_SCREEN = "off screen"
"""The speaker of lines that nobody in the picture says, and whose voice is none of theirs."""

_PERSON = re.compile(r"person \d+[a-z]*")


def default_voice(lines: Sequence[Line]) -> str:
    """The voice of speakers of ``lines`` for whom the user names none: the one that ``LIPDUB_VOICE`` names, else
    ``NATURAL_VOICE`` where it is there, else ``DEFAULT_VOICE``."""
    if chosen := os.environ.get("LIPDUB_VOICE"):
        return chosen
    from lipdub.words_to_sound.voices.kokoro import ready_for

    languages = {line.language for line in lines}
    return NATURAL_VOICE if languages and all(map(ready_for, languages)) else DEFAULT_VOICE


def voices_for(
    lines: Sequence[Line],
    voice: Sequence[str] = (),
    pitch: SpeakerPitch | None = None,
    make: MakeVoice | None = None,
) -> dict[str, AssignedVoice]:
    """A voice for each speaker of ``lines``, by name.

    ``voice`` is what the user gave: ``NAME:DETAIL`` for everybody, ``SPEAKER=NAME:DETAIL`` for one (in any case).
    Speakers without a voice of their own get the pitch that they have in ``pitch``, if the voice can change its pitch.
    ``make`` makes a voice from its name (None: ``voice_named``).
    Raises ``OptionError`` for a voice or a speaker that does not exist, or if a speaker gets two voices.
    """
    speakers = list(dict.fromkeys(line.speaker for line in lines))
    named: dict[str, str] = {}
    shared: list[str] = []
    for text in voice:
        speaker, equals, name = text.partition("=")
        if not equals or ":" in speaker:
            shared.append(text)
            continue
        matching = [s for s in speakers if s.casefold() == speaker.strip().casefold()]
        if not matching:
            known = listed(s or "(no name)" for s in speakers)
            raise OptionError(f"the script has no speaker called '{speaker}'", remedy=f"Speakers: {known}")
        if named.keys() & set(matching):
            raise OptionError(f"the speaker '{speaker}' has two voices", remedy="Give --voice once for each speaker")
        named |= dict.fromkeys(matching, name)
    if len(shared) > 1:
        raise OptionError(
            f"--voice {redacted(shared[0])} and --voice {redacted(shared[1])} are both for all speakers",
            remedy=f"Name the speaker of one of them: --voice 'NAME={redacted(shared[1])}'",
        )
    return assign_voices(speakers, shared[0] if shared else default_voice(lines), named, pitch, make)


def person_name(person: str) -> str:
    """The name under which a person in the picture (an id) gets a voice; "" is somebody off screen."""
    return f"person {person}" if person else OFF_SCREEN


def people_with_voices(voice: Sequence[str]) -> tuple[str, ...]:
    """The people in the picture for whom ``voice`` names voices (``person 2=NAME``, ``off screen=NAME``)."""
    names = (text.partition("=")[0].strip().casefold() for text in voice if "=" in text)
    return tuple(dict.fromkeys(name for name in names if name == OFF_SCREEN or _PERSON.fullmatch(name)))


def check_voices(lines: Sequence[Line], voices: Mapping[str, AssignedVoice]) -> None:
    """Raise ``OptionError`` for a line in a language that its speaker's voice does not speak, or if the voices can read
    none of ``lines``."""
    for line in lines:
        card = voices[line.speaker].voice.card
        if card.languages and not any(same_language(tag, line.language) for tag in card.languages):
            raise unsupported_language(card.name, card.languages, line)
    if lines and not any(can_read(voices[line.speaker], line) for line in lines):
        first = lines[0]
        raise OptionError(
            f"the voice {voices[first.speaker].voice.card.name} cannot read any of the lines, e.g. '{first.text[:40]}'",
            at=first.span.start,
            remedy="Check the language, or name another voice with --voice",
        )


def can_read(voice: AssignedVoice, line: Line) -> bool:
    """True if ``line`` has something to say in letters that ``voice`` reads."""
    if isinstance(voice.voice, ReadingVoice):
        return voice.voice.reads(line)
    text = speakable_text(line.text, line.language)
    if text and reads_latin_only(voice):
        text = latin_text(text, line.language)
    return any(c.isalnum() for c in text)


def reads_latin_only(voice: AssignedVoice) -> bool:
    """True if ``voice`` reads Latin letters only, as the offline voices do."""
    return voice.voice.card.name == DEFAULT_VOICE
