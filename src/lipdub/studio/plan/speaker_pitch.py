"""How the people in a clip speak: their pitch, formants and timbre, so that a voice can be chosen that suits them."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lipdub import weights
from lipdub.studio.options import VoiceLikeness
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.track_features import own_track, spooled
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.voices.assign import SpeakerPitch, VoiceTraits
from lipdub.words_to_sound.voices.pitch import median_pitch
from lipdub.words_to_sound.voices.speaker_embedding import MODEL, embed
from lipdub.words_to_sound.voices.vocal_tract import formant_spacing

VERSION = 2
"""Raise when the same sound has another pitch, other formants or another embedding."""

_FILE = "pitch.json"

LISTENED = Fraction(60)
"""Seconds of each speaker that are listened to."""


def speaker_pitch(
    clip: Clip, lines: Sequence[Line], windows: Sequence[Span], session: Session, likeness: VoiceLikeness = "off"
) -> SpeakerPitch:
    """The median pitch of every speaker of ``lines`` whose voice can be heard in the clip; ``windows`` is when somebody
    speaks. Speech in the lines of two speakers at once belongs to neither. With ``likeness`` (as in ``VoiceOptions``)
    their traits, too: pitch and formants ("pitch"), and the embedding ("full").

    It is kept in the store: to change what is said changes nothing about it. Raises what reading the clip raises,
    ``WeightsError`` if an embedding is wanted and its network is not there, ``OutputError`` if it cannot be kept.
    """
    language = lines[0].language if lines else ""
    if not clip.has_sound or not windows:
        return SpeakerPitch({}, language)
    network = session.tools.speaker_network if likeness == "full" else None

    def make(folder: Path) -> None:
        with spooled(own_track(clip)) as (samples, start):
            heard = _heard(lines, windows, samples, start)
            told = {name: _told(speech, likeness, network) for name, speech in heard.items()}
            (folder / _FILE).write_text(json.dumps(told), "utf-8")

    spoken = [(line.speaker, line.span) for line in lines]
    model = weights.identity(MODEL) if network else ()
    name = f"pitch-{key(VERSION, session.inputs.digest(clip.path), clip.sound, spoken, windows, likeness, model)}"
    told = json.loads((session.store.folder(name, make) / _FILE).read_text("utf-8"))
    traits = {n: VoiceTraits(t["hertz"], t["spacing"], tuple(t["embedding"])) for n, t in told.items() if t}
    hertz = {n: each.hertz for n, each in traits.items()}
    return SpeakerPitch(hertz, language, traits if likeness != "off" else {})


def _told(speech: Float32[np.ndarray, " n"], likeness: VoiceLikeness, network: Path | None) -> dict[str, Any] | None:
    """What is kept of one speaker's ``speech``; None if the pitch is not found."""
    hertz = median_pitch(speech)
    if hertz is None:
        return None
    spacing = formant_spacing(speech) if likeness != "off" else None
    embedding = embed(network, speech) if network is not None else None
    return {
        "hertz": hertz,
        "spacing": float(round(spacing or 0.0)),
        "embedding": [] if embedding is None else [round(float(x), 4) for x in embedding],
    }


def _heard(
    lines: Sequence[Line], windows: Sequence[Span], samples: Samples, start: Fraction
) -> dict[str, Float32[np.ndarray, " n"]]:
    """The speech of every speaker that is heard in ``samples``, which begin at ``start``."""
    heard = {}
    for speaker in dict.fromkeys(line.speaker for line in lines):
        others = merge_spans(line.span for line in lines if line.speaker != speaker)
        own = [line.span for line in lines if line.speaker == speaker and not _near(others, line.span)]
        pieces, left = [], LISTENED
        for span in _shared(own, windows):
            first = round((span.start - start) * ANALYSIS_RATE)
            stop = first + round(min(span.duration, left) * ANALYSIS_RATE)
            pieces.append(samples[max(first, 0) : max(stop, 0)])
            left -= min(span.duration, left)
        heard[speaker] = np.concatenate([*pieces, np.zeros(0, np.float32)])
    return heard


def _shared(own: Sequence[Span], windows: Sequence[Span]) -> list[Span]:
    """Where both are, in order."""
    pieces = (span.intersection(window) for span in own for window in _near(windows, span))
    return [piece for piece in pieces if piece is not None]


def _near(spans: Sequence[Span], span: Span) -> Sequence[Span]:
    """Those of ``spans``, sorted and disjoint, that overlap ``span``."""
    first = bisect_right(spans, span.start, key=lambda s: s.end)
    return spans[first : bisect_left(spans, span.end, key=lambda s: s.start)]
