"""Parts of a line that a voice speaks one by one, because it would not pause between them: joined with silence."""

from collections.abc import Sequence

import numpy as np

from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import SpokenLine
from lipdub.words_to_sound.duration_fit.render import mono_at_rate

SILENCE = 0.3
"""Seconds between two parts; the duration fit changes them."""


def join_parts(line: Line, parts: Sequence[SpokenLine]) -> SpokenLine:
    """``line`` as its ``parts`` (at least one) were spoken, with ``SILENCE`` between them: mono, at the sample rate of
    the first part."""
    rate = parts[0].sound.rate
    silence = np.zeros(round(SILENCE * rate), np.float32)
    pieces = [piece for part in parts for piece in (silence, mono_at_rate(part.sound, rate))]
    return SpokenLine(line, Sound(np.concatenate(pieces[1:])[None], rate))
