"""References for voice cloning: each person's clearest seconds in the clip."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lipdub.errors import OptionError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.studio.voices import called, check_references, clones
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.source_timing import source_windows
from lipdub.words_to_sound.recognise.transcribe import cut_sound
from lipdub.words_to_sound.recognise.voice_reference import reference_span
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice


def with_references(
    voices: Mapping[str, AssignedVoice], lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None
) -> dict[str, AssignedVoice]:
    """``voices`` with a reference for each that needs one: a stretch of the clip's sound, whose ``features`` are
    given, in which that speaker of ``lines`` speaks alone and clearly.

    Raises ``OptionError`` if there is no such stretch of three seconds, or no clip with sound to find it in.
    """
    check_references(voices, None if features is None else clip)
    return {
        name: replace(voice, reference=_reference(name, lines, clip, features)) if clones(voice) else voice
        for name, voice in voices.items()
    }


def _reference(name: str, lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None) -> VoiceReference:
    assert clip is not None, "references were checked"
    assert features is not None
    span = clearest_span(name, lines, features)
    if span is None:
        raise OptionError(
            f"the voice shall sound like {called(name)}, who nowhere speaks three seconds alone and clearly",
            file=clip.path,
            remedy="Name a voice without {reference} for this speaker (--voice)",
        )
    return VoiceReference(_cut(clip, span))


def clearest_span(name: str, lines: Sequence[Line], features: SpeechFeatures) -> Span | None:
    """The best stretch of ``features`` in which the speaker ``name`` of ``lines`` speaks and nobody else; None if
    there is none. All speech inside the span of a line counts as that line's."""
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
        pieces.append(cut_sound(piece, span))
        if piece.span.end >= span.end:
            break
    first = next(p for p in pieces if p.samples.shape[1])
    return Sound(np.concatenate([p.samples for p in pieces], axis=1), first.rate, first.start)
