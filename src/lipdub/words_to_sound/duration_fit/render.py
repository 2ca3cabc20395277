"""A placement as sound."""

import numpy as np
import soxr
from jaxtyping import Float32

from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.words_to_sound.duration_fit.plan import LinePlacement
from lipdub.words_to_sound.duration_fit.time_stretch import time_stretch

_FADE = 0.005  # seconds, at the edges of a piece
_CUT_FADE = 0.04  # seconds, where the rest of the line is cut
_CLICK = 0.01  # a piece whose first or last sample exceeds this would click


def render_line(placement: LinePlacement, spoken: SpokenLine) -> PlacedLine:
    """The sound of ``spoken`` as ``placement`` says: mono, from the first piece to the end of the last, zeros between.

    A line that is neither stretched nor cut keeps its samples unchanged.
    """
    rate, pieces = placement.sample_rate, placement.pieces
    voice = mono_at_rate(spoken.sound, rate)
    start = pieces[0].target.start if pieces else placement.timing.span.start
    out = np.zeros(round((pieces[-1].target.end - start) * rate) if pieces else 0, np.float32)
    for n, piece in enumerate(pieces):
        a, b = round(piece.source.start * rate), round(piece.source.end * rate)
        at, size = round((piece.target.start - start) * rate), round(piece.target.duration * rate)
        cut = np.pad(voice[a:b], (0, max(0, b - max(a, len(voice)))))  # resampling may end a sample early
        is_cut = placement.missing > 0 and n == len(pieces) - 1
        fade_in = _FADE if a > 0 or abs(cut[0]) > _CLICK else 0.0
        fade_out = _CUT_FADE if is_cut else _FADE if b < len(voice) or abs(cut[-1]) > _CLICK else 0.0
        out[at : at + size] = _faded(time_stretch(cut, size, rate), round(fade_in * rate), round(fade_out * rate))
    return PlacedLine(
        spoken.line,
        Sound(out[None], rate, start),
        float(placement.rate),
        placement.timing.span,
        placement.missing,
    )


def mono_at_rate(sound: Sound, rate: int) -> Float32[np.ndarray, " samples"]:
    """``sound`` as one channel at ``rate``; the samples unchanged if it is mono at that rate already."""
    mono = sound.samples[0] if len(sound.samples) == 1 else sound.samples.mean(0)
    return mono if sound.rate == rate else soxr.resample(mono, sound.rate, rate, "VHQ").astype(np.float32)


def _faded(samples: Float32[np.ndarray, " n"], fade_in: int, fade_out: int) -> Float32[np.ndarray, " n"]:
    """``samples`` with linear fades of ``fade_in`` and ``fade_out`` samples (0: none)."""
    gain = np.ones(len(samples), np.float32)
    for fade, side in ((fade_in, gain), (fade_out, gain[::-1])):
        fade = min(fade, len(side))
        side[:fade] *= (np.arange(fade, dtype=np.float32) + np.float32(0.5)) / np.float32(max(fade, 1))
    return samples * gain
