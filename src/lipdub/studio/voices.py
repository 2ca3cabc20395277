"""Which voice speaks for whom: what users name, and whether it can say the lines."""

from collections.abc import Mapping, Sequence

from lipdub.errors import OptionError
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import listed
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.voices.assign import AssignedVoice, CloningVoice, SpeakerPitch, assign_voices
from lipdub.words_to_sound.voices.languages import unsupported_language
from lipdub.words_to_sound.voices.speakable_text import latin_text, speakable_text

DEFAULT_VOICE = "nanotts"
"""Who speaks if nobody is named: needs no network and no download."""


def voices_for(
    lines: Sequence[Line], voice: Sequence[str], heights: SpeakerPitch | None = None
) -> dict[str, AssignedVoice]:
    """A voice for every speaker; those that are not named are as high as ``heights`` tells, if the voice can be.

    Raises ``OptionError`` for a voice or a speaker that is not there.
    """
    speakers = list(dict.fromkeys(line.speaker for line in lines))
    named, shared = {}, []
    for text in voice:
        head, equals, tail = text.partition("=")
        if not equals or ":" in head:
            shared.append(text)
            continue
        meant = [s for s in speakers if s.casefold() == head.strip().casefold()]
        if not meant:
            known = listed(s or "(no name)" for s in speakers)
            raise OptionError(f"nobody called '{head}' speaks", remedy=f"Speakers: {known}")
        if named.keys() & set(meant):
            raise OptionError(f"'{head}' is given two voices", remedy="Give --voice once for each speaker")
        named |= dict.fromkeys(meant, tail)
    if len(shared) > 1:
        raise OptionError(
            f"--voice {redacted(shared[0])} and --voice {redacted(shared[1])} are both for everybody",
            remedy=f"Say who speaks with which: --voice 'NAME={redacted(shared[1])}'",
        )
    return assign_voices(speakers, shared[0] if shared else DEFAULT_VOICE, named, heights)


def check_voices(lines: Sequence[Line], voices: Mapping[str, AssignedVoice]) -> None:
    """Raises ``OptionError`` for a line in a language that its voice does not speak, or if none of the lines can be
    said at all."""
    unable = None
    for line in lines:
        card = voices[line.speaker].voice.card
        if card.languages and not any(same_language(tag, line.language) for tag in card.languages):
            raise unsupported_language(card.name, card.languages, line)
        unable = unable or (None if readable(line, voices) else line)
    if unable is not None and not any(readable(line, voices) for line in lines):
        name = voices[unable.speaker].voice.card.name
        raise OptionError(
            f"the voice {name} cannot read any of the lines, e.g. '{unable.text[:40]}'",
            at=unable.span.start,
            remedy="Check the language, or name another voice with --voice",
        )


def readable(line: Line, voices: Mapping[str, AssignedVoice]) -> bool:
    """Whether there is something to say that the voice can read: the offline voices know Latin letters alone."""
    text = speakable_text(line.text, line.language)
    if text and latin_alone(voices[line.speaker]):
        text = latin_text(text, line.language)
    return any(c.isalnum() for c in text)


def latin_alone(speaker: AssignedVoice) -> bool:
    return speaker.voice.card.name == DEFAULT_VOICE


def clones(voice: AssignedVoice) -> bool:
    """Whether the voice has to be given a reference of how the speaker sounds."""
    return isinstance(voice.voice, CloningVoice) and voice.voice.needs_reference


def check_references(voices: Mapping[str, AssignedVoice], clip: Clip | None) -> None:
    """Raises ``OptionError`` if a voice needs a reference and there is no ``clip`` with sound to take it from."""
    for name in (name for name, voice in voices.items() if clones(voice)):
        if clip is None or not clip.has_sound:
            raise OptionError(
                f"the voice shall sound like {called(name)}, and there is no clip with sound to hear that from",
                remedy="Give the clip, or a voice without {reference}",
            )


def called(speaker: str) -> str:
    """A speaker in a sentence."""
    return f"'{speaker}'" if speaker else "the speaker"
