"""How a dub is mixed, from the user's options. Only imported where something is mixed or checked for it."""

from dataclasses import replace
from math import isfinite

from lipdub.compose.mix.mixer import MixOptions
from lipdub.errors import OptionError
from lipdub.studio.options import SpeechOptions


def mix_options(speech: SpeechOptions) -> MixOptions:
    """How to mix. Raises ``OptionError`` for a loudness or ducking that means nothing."""
    if not isfinite(speech.duck):
        raise OptionError(f"--duck {speech.duck:g} is no number of dB", remedy="Try -60 or -18")
    if speech.duck > 0:
        raise OptionError(f"--duck {speech.duck:g} would make the clip's own speech louder", remedy="Try -60 or -18")
    plain = MixOptions(loudness=speech.loudness)
    _ = plain.target_lufs
    return replace(plain, duck_source=replace(plain.duck_source, depth_db=speech.duck), room_tone=speech.hides_speech)
