"""How far the dub's onsets are from the source's."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.words_to_sound.duration_fit.phrases import find_phrases


def onset_errors(placed: Sequence[PlacedLine]) -> Float64[np.ndarray, " heard"]:
    """Seconds by which each line that can be heard begins after its aim (negative: before), in order.

    Measured in the sound as it will be heard, not taken from the plan; lines without sound are left out.
    """
    errors = []
    for line in placed:
        phrases = find_phrases(line.sound)
        if phrases:
            errors.append(float(line.sound.start + phrases[0].start - line.source_span.start))
    return np.array(errors, np.float64)
