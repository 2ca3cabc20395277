"""References for voice cloning: each person's clearest seconds in the clip, and what is said in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lipdub.errors import MissingExtra, WeightsError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.plugins import fingerprint_of
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.transcribe import cut_sound
from lipdub.words_to_sound.script.read import read_script
from lipdub.words_to_sound.script.sentences import line_from_words
from lipdub.words_to_sound.script.write import write_script
from lipdub.words_to_sound.seam import VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.cloning import (
    check_references,
    clearest_span,
    needs_reference,
    no_clear_speech,
    wants_text,
)

ReadSample = Callable[[Clip, Span], Line | None]
"""What is said in a span (clip time) of a clip's sound, as a line with its language; None: not known."""


def with_references(
    voices: Mapping[str, AssignedVoice],
    lines: Sequence[Line],
    clip: Clip | None,
    features: SpeechFeatures | None,
    read: ReadSample = lambda clip, span: None,
) -> dict[str, AssignedVoice]:
    """``voices`` with a reference for each that needs one: a stretch of the clip's sound, whose ``features`` are
    given, in which that speaker of ``lines`` speaks alone and clearly. Voices that want its text get what ``read``
    reads in it.

    Raises ``OptionError`` if there is no such stretch of three seconds, or no clip with sound to find it in.
    """
    check_references(voices, features is not None)
    return {
        name: replace(voice, reference=_reference(name, lines, clip, features, read if wants_text(voice) else None))
        if needs_reference(voice)
        else voice
        for name, voice in voices.items()
    }


def recognised_sample(recogniser: str, session: Session) -> ReadSample:
    """Reads samples with the recogniser of that name; what it read is kept. Without it nothing is read."""

    def read(clip: Clip, span: Span) -> Line | None:
        try:
            who = session.tools.recogniser(recogniser)
        except (MissingExtra, WeightsError):
            return None

        def recognise(folder: Path) -> None:
            with session.clock.stage("transcribe"):
                found = who.transcribe(_cut(clip, span, ANALYSIS_RATE))
            if found.words:
                write_script(folder / "words.json", [line_from_words(found.words, found.language)])

        made_from = key(session.inputs.digest(clip.path), clip.sound, span, recogniser, fingerprint_of(who))
        words = session.store.folder(f"sample-words-{made_from}", recognise) / "words.json"
        return read_script(words).lines[0] if words.exists() else None

    return read


def _reference(
    name: str, lines: Sequence[Line], clip: Clip | None, features: SpeechFeatures | None, read: ReadSample | None
) -> VoiceReference:
    assert clip is not None, "references were checked"
    assert features is not None
    span = clearest_span(name, lines, features)
    if span is None:
        raise no_clear_speech(name, clip.path)
    said = read(clip, span) if read is not None else None
    return VoiceReference(_cut(clip, span), said.text if said else "", said.language if said else "")


def _cut(clip: Clip, span: Span, rate: int | None = None) -> Sound:
    """The clip's sound in ``span``, mono, at ``rate`` (None: its own); read no further than needed."""
    pieces = []
    for piece in read_sound_chunks(clip.path, rate=rate, mono=True, stream=clip.sound):
        pieces.append(cut_sound(piece, span))
        if piece.span.end >= span.end:
            break
    first = next(p for p in pieces if p.samples.shape[1])
    return Sound(np.concatenate([p.samples for p in pieces], axis=1), first.rate, first.start)
