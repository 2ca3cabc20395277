"""Voices that can sound like somebody are given that person's cleanest seconds in the clip."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lipdub.errors import OptionError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.aims import source_windows
from lipdub.words_to_sound.recognise.transcribe import cut
from lipdub.words_to_sound.recognise.voice_reference import reference_span
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice, CloningVoice


def mimics(speaker: AssignedVoice) -> bool:
    """Whether the voice wants to be given how the speaker sounds."""
    return isinstance(speaker.voice, CloningVoice) and speaker.voice.mimics


def likened(
    voices: Mapping[str, AssignedVoice], lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None
) -> dict[str, AssignedVoice]:
    """``voices`` with a reference for each that asks for one: where ``heard``, the clip's sound, has that speaker of
    ``lines`` alone and clear.

    Raises ``OptionError`` if there is no such stretch of three seconds, or no clip to find it in.
    """
    return {
        name: replace(speaker, reference=_reference(name, lines, clip, features)) if mimics(speaker) else speaker
        for name, speaker in voices.items()
    }


def _reference(name: str, lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None) -> VoiceReference:
    who = f"'{name}'" if name else "the speaker"
    if clip is None or not clip.has_sound or features is None:
        raise OptionError(
            f"the voice shall sound like {who}, and there is no clip with sound to hear that from",
            remedy="Give the clip, or a voice without {reference}",
        )
    span = clearest_span(name, lines, features)
    if span is None:
        raise OptionError(
            f"the voice shall sound like {who}, who nowhere speaks three seconds alone and clearly",
            file=clip.path,
            remedy="Name a voice without {reference} for this speaker (--voice)",
        )
    return VoiceReference(_cut(clip, span))


def clearest_span(name: str, lines: Sequence[Line], features: SpeechFeatures) -> Span | None:
    """The best stretch of ``heard`` in which the speaker ``name`` of ``lines`` speaks and no other; None if there is
    none. What the script calls a line is taken for its speech wherever somebody is heard in it."""
    windows, theirs = source_windows(features), []
    others = [line.span for line in lines if line.speaker != name]
    for line in (line for line in lines if line.speaker == name):
        first = bisect_right(windows, line.span.start, key=lambda w: w.end)
        stop = bisect_left(windows, line.span.end, key=lambda w: w.start)
        inside = (window.intersection(line.span) for window in windows[first:stop])
        words = tuple(Word("", span) for span in inside if span is not None)
        if words:
            theirs.append(replace(line, words=words))
    return reference_span(theirs, features, others)


def _cut(clip: Clip, span: Span) -> Sound:
    """The clip's sound in ``span``, mono; read no further than needed."""
    pieces = []
    for piece in read_sound_chunks(clip.path, mono=True, stream=clip.sound):
        pieces.append(cut(piece, span))
        if piece.span.end >= span.end:
            break
    first = next(p for p in pieces if p.samples.shape[1])
    return Sound(np.concatenate([p.samples for p in pieces], axis=1), first.rate, first.start)
