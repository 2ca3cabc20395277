"""ASR check: the finished speech is recognised again, and compared with the words that should be said."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.errors import LipdubError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.words_to_sound.recognise.transcribe import transcribe
from lipdub.words_to_sound.recognise.word_error_rate import word_error_rate


@dataclass(frozen=True, slots=True)
class AsrCheck:
    """``metrics``: ``word_error_rate`` from 0 up, where it could be measured; ``helpers``: the recogniser; ``notes``:
    why it was not measured."""

    metrics: dict[str, float] = field(default_factory=dict)
    helpers: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()


def check_words(
    track: Path, lines: Sequence[Line], features: SpeechFeatures, recogniser: str, session: Session
) -> AsrCheck:
    """Recognise the speech in the file ``track``, where its ``features`` tell that somebody speaks, and compare it with
    ``lines``. Never fails: a dub can do without."""
    language = lines[0].language if lines else ""
    try:
        who = session.tools.recogniser(recogniser)
        with session.clock.stage("asr check"):
            pieces = read_sound_chunks(track, rate=ANALYSIS_RATE, mono=True)
            found = transcribe(who, pieces, features, language)
    except LipdubError as cannot:
        return AsrCheck(notes=(f"the dub was not checked by hearing it again ({cannot.what})",))
    said, again = " ".join(line.text for line in lines), " ".join(word.text for word in found.words)
    used = ModelUsed(who.card.name, who.card.licence)
    return AsrCheck({"word_error_rate": word_error_rate(said, again, language)}, (used,))
