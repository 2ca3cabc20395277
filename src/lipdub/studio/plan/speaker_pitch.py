"""The pitch at which the people in a clip speak, so that a voice can be given a pitch that suits them."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.track_features import own_track, spooled
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.voices.assign import SpeakerPitch
from lipdub.words_to_sound.voices.pitch import median_pitch

VERSION = 1
"""Raise when the same sound has another pitch."""

_FILE = "pitch.json"

LISTENED = Fraction(60)
"""Seconds of each speaker that are listened to."""


def speaker_pitch(clip: Clip, lines: Sequence[Line], windows: Sequence[Span], session: Session) -> SpeakerPitch:
    """The median pitch of every speaker of ``lines`` whose voice can be heard in the clip; ``windows`` is when somebody
    speaks. Speech in the lines of two speakers at once belongs to neither.

    It is kept in the store: to change what is said changes nothing about it. Raises what reading the clip raises, and
    ``OutputError`` if it cannot be kept.
    """
    language = lines[0].language if lines else ""
    if not clip.has_sound or not windows:
        return SpeakerPitch({}, language)

    def make(folder: Path) -> None:
        with spooled(own_track(clip)) as (samples, start):
            (folder / _FILE).write_text(json.dumps(_hertz(lines, windows, samples, start)), "utf-8")

    spoken = [(line.speaker, line.span) for line in lines]
    name = f"pitch-{key(VERSION, session.inputs.digest(clip.path), clip.sound, spoken, windows)}"
    return SpeakerPitch(json.loads((session.store.folder(name, make) / _FILE).read_text("utf-8")), language)


def _hertz(lines: Sequence[Line], windows: Sequence[Span], samples: Samples, start: Fraction) -> dict[str, float]:
    """The pitch of every speaker whose voice is heard in ``samples``, which begin at ``start``."""
    hertz = {}
    for speaker in dict.fromkeys(line.speaker for line in lines):
        others = merge_spans(line.span for line in lines if line.speaker != speaker)
        own = [line.span for line in lines if line.speaker == speaker and not _near(others, line.span)]
        pieces, left = [], LISTENED
        for span in _shared(own, windows):
            first = round((span.start - start) * ANALYSIS_RATE)
            stop = first + round(min(span.duration, left) * ANALYSIS_RATE)
            pieces.append(samples[max(first, 0) : max(stop, 0)])
            left -= min(span.duration, left)
        found = median_pitch(np.concatenate([*pieces, np.zeros(0, np.float32)]))
        if found is not None:
            hertz[speaker] = found
    return hertz


def _shared(own: Sequence[Span], windows: Sequence[Span]) -> list[Span]:
    """Where both are, in order."""
    pieces = (span.intersection(window) for span in own for window in _near(windows, span))
    return [piece for piece in pieces if piece is not None]


def _near(spans: Sequence[Span], span: Span) -> Sequence[Span]:
    """Those of ``spans``, sorted and disjoint, that overlap ``span``."""
    first = bisect_right(spans, span.start, key=lambda s: s.end)
    return spans[first : bisect_left(spans, span.end, key=lambda s: s.start)]
