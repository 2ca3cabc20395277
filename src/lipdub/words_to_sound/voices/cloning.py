"""References for voices that clone: where a speaker talks alone and clearly in the clip."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lipdub.errors import OptionError
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.source_timing import source_windows
from lipdub.words_to_sound.recognise.voice_reference import reference_span
from lipdub.words_to_sound.voices.assign import AssignedVoice, CloningVoice, ReferenceReadingVoice


def needs_reference(voice: AssignedVoice) -> bool:
    """True if the voice cannot speak without a ``VoiceReference`` of the person whom it imitates."""
    return isinstance(voice.voice, CloningVoice) and voice.voice.needs_reference


def wants_text(voice: AssignedVoice) -> bool:
    """True if the voice wants to know what is said in its reference."""
    return isinstance(voice.voice, ReferenceReadingVoice) and voice.voice.wants_reference_text


def check_references(voices: Mapping[str, AssignedVoice], clip_has_sound: bool) -> None:
    """Raise ``OptionError`` if one of ``voices``, by speaker, needs a reference and there is no clip with sound."""
    for speaker, voice in voices.items():
        if needs_reference(voice) and not clip_has_sound:
            raise no_sound_for_reference(speaker)


def clearest_span(speaker: str, lines: Sequence[Line], features: SpeechFeatures) -> Span | None:
    """The best span (clip time) for a reference of ``speaker``, in which nobody else speaks; None if there is none.

    ``lines`` are those of the script or transcript, ``features`` those of the clip's own sound. All speech in the span
    of a line is taken to be that of its speaker. For the length and quality of the span see ``VoiceReferenceOptions``.
    """
    windows, own = source_windows(features), []
    others = [line.span for line in lines if line.speaker != speaker]
    for line in (line for line in lines if line.speaker == speaker):
        first = bisect_right(windows, line.span.start, key=lambda w: w.end)
        stop = bisect_left(windows, line.span.end, key=lambda w: w.start)
        inside = (window.intersection(line.span) for window in windows[first:stop])
        words = tuple(Word("", span) for span in inside if span is not None)
        if words:
            own.append(replace(line, words=words))
    return reference_span(own, features, others)


def no_sound_for_reference(speaker: str) -> OptionError:
    """The error for a voice that needs a reference of ``speaker`` though there is no clip with sound."""
    return OptionError(
        f"the voice of {_named(speaker)} needs a sample of that person's speech, and there is no clip with sound",
        remedy="Give the clip, or a voice that imitates nobody",
    )


def no_clear_speech(speaker: str, clip: Path) -> OptionError:
    """The error for a voice that needs a reference of ``speaker``, who nowhere speaks alone and clearly in ``clip``."""
    return OptionError(
        f"the voice of {_named(speaker)} needs three seconds in which that person speaks alone and clearly",
        file=clip,
        remedy="Name a voice that imitates nobody for this speaker (--voice)",
    )


def _named(speaker: str) -> str:
    return f"'{speaker}'" if speaker else "the speaker"
