"""ASR check: the finished speech is recognised again, and compared with the words that should be said."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from lipdub.errors import LipdubError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.words_to_sound.recognise.transcribe import transcribe
from lipdub.words_to_sound.recognise.word_error_rate import word_error_rate


@dataclass(frozen=True, slots=True)
class AsrCheck:
    """``metrics``: ``word_error_rate`` from 0 up, where it could be measured; ``helpers``: the recogniser; ``notes``:
    why it was not measured."""

    metrics: dict[str, float] = field(default_factory=dict)
    helpers: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()


def check_words(speech: DubSpeech, features: SpeechFeatures, recogniser: str, session: Session) -> AsrCheck:
    """Recognise the speech of a dub and compare it with its lines: with those that were spoken in this run.

    The ``features`` of the speech, on the clip's clock, tell where somebody speaks. Never fails: a dub can do without.
    """
    lines = speech.new_lines
    if not lines:
        return AsrCheck()
    language = lines[0].language
    try:
        who = session.tools.recogniser(recogniser)
        with session.clock.stage("asr check"):
            pieces = read_sound_chunks(speech.track, rate=ANALYSIS_RATE, mono=True)
            if len(lines) < len(speech.lines):
                features = _only(lines, features)
            found = transcribe(who, pieces, replace(features, start=Fraction(0)), language)
    except LipdubError as cannot:
        return AsrCheck(notes=(f"the dub was not checked by hearing it again ({cannot.what})",))
    said, again = " ".join(line.text for line in lines), " ".join(word.text for word in found.words)
    used = ModelUsed(who.card.name, who.card.licence)
    return AsrCheck({"word_error_rate": word_error_rate(said, again, language)}, (used,))


def _only(lines: Sequence[Line], features: SpeechFeatures) -> SpeechFeatures:
    """``features`` in which somebody speaks in ``lines`` only, so that nothing else is recognised."""
    inside = np.zeros(len(features), bool)
    for line in lines:
        first = round((line.span.start - features.start) / FEATURE_STEP)
        inside[max(0, first) : max(0, round((line.span.end - features.start) / FEATURE_STEP))] = True
    return replace(features, voice_activity=np.where(inside, features.voice_activity, 0).astype(np.float32))
