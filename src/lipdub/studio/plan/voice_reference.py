"""References for voice cloning: each person's clearest seconds in the clip."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lipdub.media.sound_read import read_sound_chunks
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.transcribe import cut_sound
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.cloning import check_references, clearest_span, needs_reference, no_clear_speech


def with_references(
    voices: Mapping[str, AssignedVoice], lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None
) -> dict[str, AssignedVoice]:
    """``voices`` with a reference for each that needs one: a stretch of the clip's sound, whose ``features`` are
    given, in which that speaker of ``lines`` speaks alone and clearly.

    Raises ``OptionError`` if there is no such stretch of three seconds, or no clip with sound to find it in.
    """
    check_references(voices, features is not None)
    return {
        name: replace(voice, reference=_reference(name, lines, clip, features)) if needs_reference(voice) else voice
        for name, voice in voices.items()
    }


def _reference(name: str, lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None) -> VoiceReference:
    assert clip is not None, "references were checked"
    assert features is not None
    span = clearest_span(name, lines, features)
    if span is None:
        raise no_clear_speech(name, clip.path)
    return VoiceReference(_cut(clip, span))


def _cut(clip: Clip, span: Span) -> Sound:
    """The clip's sound in ``span``, mono; read no further than needed."""
    pieces = []
    for piece in read_sound_chunks(clip.path, mono=True, stream=clip.sound):
        pieces.append(cut_sound(piece, span))
        if piece.span.end >= span.end:
            break
    first = next(p for p in pieces if p.samples.shape[1])
    return Sound(np.concatenate([p.samples for p in pieces], axis=1), first.rate, first.start)
