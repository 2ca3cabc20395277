"""Digests of parts of a finished dub track, so that a line is made again only if its own part of the track changed."""

import hashlib
from collections.abc import Mapping
from fractions import Fraction

from lipdub.studio.job import Job
from lipdub.studio.track_features import dub_track, spooled
from lipdub.timeline.line_slot import LineSlot
from lipdub.timeline.sound import ANALYSIS_RATE

_AROUND = Fraction(1, 5)
"""Seconds around a slot that count as part of the line: lips move before and after the voice."""


def slot_digests(job: Job, slots: Mapping[str, LineSlot]) -> dict[str, str]:
    """The SHA-256 of the samples (mono, 16 kHz) of the dub track in and around each slot, by line id.

    Raises what reading the track raises.
    """
    assert job.audio is not None
    out = {}
    with spooled(dub_track(job.audio, job.clip)) as (samples, start):
        begin = start + job.clip.start
        for line, slot in slots.items():
            first = max(0, round((slot.span.start - _AROUND - begin) * ANALYSIS_RATE))
            stop = max(first, round((slot.span.end + _AROUND - begin) * ANALYSIS_RATE))
            out[line] = hashlib.sha256(samples[first : min(stop, len(samples))].tobytes()).hexdigest()
    return out
