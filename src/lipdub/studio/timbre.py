"""How high the people in a clip speak, so that a voice without a name suits them."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lipdub.media.listen import sound
from lipdub.speech.voices.cast import Heights
from lipdub.speech.voices.pitch import pitch_of
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import Line
from lipdub.timeline.sound import HEARING_RATE
from lipdub.timeline.time import Span

LISTENED = Fraction(60)
"""Seconds of each speaker that are listened to."""


def heights_of(clip: Clip, lines: Sequence[Line], windows: Sequence[Span]) -> Heights:
    """The median pitch of every speaker of ``lines`` whose voice can be heard in the clip; ``windows`` is when somebody
    speaks. Speech in the lines of two speakers at once belongs to neither."""
    language = lines[0].language if lines else ""
    if not clip.has_sound or not windows:
        return Heights({}, language)
    heard = sound(clip.path, rate=HEARING_RATE, mono=True)
    hertz = {}
    for speaker in dict.fromkeys(line.speaker for line in lines):
        others = [line.span for line in lines if line.speaker != speaker]
        own = [
            line.span for line in lines if line.speaker == speaker and not any(line.span.overlaps(o) for o in others)
        ]
        pieces, left = [], LISTENED
        for span in _shared(own, windows):
            first = round((span.start - heard.start) * HEARING_RATE)
            stop = first + round(min(span.duration, left) * HEARING_RATE)
            pieces.append(heard.samples[0, max(first, 0) : max(stop, 0)])
            left -= min(span.duration, left)
        found = pitch_of(np.concatenate([*pieces, np.zeros(0, np.float32)]))
        if found is not None:
            hertz[speaker] = found
    return Heights(hertz, language)


def _shared(own: Sequence[Span], windows: Sequence[Span]) -> list[Span]:
    """Where both are, in order."""
    return [piece for span in own for window in windows if (piece := span.intersection(window)) is not None]
