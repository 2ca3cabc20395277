"""Who speaks in recordings with a microphone for each of two people, on the left and on the right channel.

In such a recording each person is much louder in one channel, also where the other microphone hears them; the voice of
an ordinary stereo recording is about as loud in both.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.lines import Line, Word, numbered
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.sentences import lines_from_words

LEFT, RIGHT = "left", "right"
"""The names of the speakers."""

_APART = 6.0  # dB by which one channel is louder while its person speaks
_MOSTLY = 0.8  # part of the speech in which one channel is so much louder
_LEAST_PART, _LEAST_ROWS = 0.1, 50  # of the speech, of each person (rows of 20 ms)
_SPEECH, _SOFTEST = 0.5, 0.03  # voice activity; energy of the median row of speech below which a row says nothing
_ROWS = 5  # over which energy is summed
_TINY = 1e-10

Energies = Float64[np.ndarray, "2 rows"]


def channel_energies(blocks: Iterable[Sound], features: SpeechFeatures) -> Energies:
    """The energy of both channels of a sound in each row of ``features``, which are those of the same sound.

    ``blocks`` are consecutive, with two channels. What is outside of the features is left out.
    """
    out = np.zeros((2, len(features)))
    for block in blocks:
        instants = float(block.start - features.start) + np.arange(block.samples.shape[1]) / block.rate
        rows = np.floor(instants / float(FEATURE_STEP) + 1e-6).astype(np.int64)
        inside = (rows >= 0) & (rows < out.shape[1])
        for channel, samples in enumerate(block.samples):
            out[channel] += np.bincount(rows[inside], samples[inside].astype(np.float64) ** 2, out.shape[1])
    return out


def one_person_a_channel(energies: Energies, features: SpeechFeatures) -> bool:
    """True if nearly all speech is at least 6 dB louder in one channel, and there is speech of both."""
    kernel = np.ones(_ROWS)
    left, right = (np.convolve(row, kernel, "same") for row in energies)
    speech = features.voice_activity > _SPEECH
    if speech.sum() < 2 * _LEAST_ROWS:
        return False
    both = left + right
    speech &= both > _SOFTEST * np.median(both[speech])
    apart = _difference(left[speech], right[speech])
    on_left, on_right = int((apart >= _APART).sum()), int((apart <= -_APART).sum())
    least = max(_LEAST_ROWS, _LEAST_PART * len(apart))
    return on_left + on_right >= _MOSTLY * len(apart) and min(on_left, on_right) >= least


def lines_by_channel(
    words: Sequence[Word], language: str, energies: Energies, features: SpeechFeatures
) -> tuple[Line, ...]:
    """Lines of ``words`` (in order of time), each said by ``LEFT`` or ``RIGHT``: by the person of the channel that is
    louder in the word. They are numbered by their ids."""
    said = [(word, _side(word.span, energies, features)) for word in words]
    lines: list[Line] = []
    for side, group in groupby(said, key=lambda pair: pair[1]):
        lines += lines_from_words([word for word, _ in group], language, speaker=side)
    return numbered(Line(one.text, one.span, one.language, one.speaker, one.words) for one in lines)


def _side(span: Span, energies: Energies, features: SpeechFeatures) -> str:
    first = int((span.start - features.start) / FEATURE_STEP)
    stop = max(first + 1, int((span.end - features.start) / FEATURE_STEP))
    left, right = energies[:, max(first, 0) : max(stop, 1)].sum(1)
    return LEFT if left >= right else RIGHT


def _difference(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How many dB the left channel is louder."""
    return 10 * np.log10((left + _TINY) / (right + _TINY))
