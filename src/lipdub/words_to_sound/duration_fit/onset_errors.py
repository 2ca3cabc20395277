"""The differences between the dub's onsets and the source's."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.words_to_sound.duration_fit.phrases import find_phrases


def onset_errors(placed: Sequence[PlacedLine]) -> Float64[np.ndarray, " audible"]:
    """Seconds by which each line begins after the source does (negative: before), in order of ``placed``.

    Onsets are measured in the samples, not taken from the plan. Lines without a phrase in their sound are left out.
    """
    errors = []
    for line in placed:
        phrases = find_phrases(line.sound)
        if phrases:
            errors.append(float(line.sound.start + phrases[0].start - line.source_span.start))
    return np.array(errors, np.float64)
