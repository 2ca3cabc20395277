"""How a dub is mixed, from the user's options. Only imported where something is mixed or checked for it."""

from dataclasses import replace
from math import isfinite

from lipdub.compose.mix.mixer import MixOptions
from lipdub.errors import OptionError
from lipdub.studio.options import SpeechOptions

HIDDEN = -40.0
"""dB below which the clip's own speech is not to be heard: room tone takes its place."""


def mix_options(speech: SpeechOptions) -> MixOptions:
    """How to mix. Raises ``OptionError`` for a loudness that is none, or if the clip's own speech would get louder."""
    if not isfinite(speech.duck):
        raise OptionError(f"--duck {speech.duck:g} is no number of dB", remedy="Try -60 or -18")
    if speech.duck > 0:
        raise OptionError(f"--duck {speech.duck:g} would make the clip's own speech louder", remedy="Try -60 or -18")
    plain = MixOptions(loudness=speech.loudness)
    _ = plain.aim
    return replace(plain, hush=replace(plain.hush, depth_db=speech.duck), room_tone=speech.duck < HIDDEN)
