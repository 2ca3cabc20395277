"""Proof by ear: the finished speech is heard again, and compared with what should be said."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.errors import LipdubError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.studio.room import Room
from lipdub.studio.words import recogniser_named
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.words_to_sound.recognise.transcribe import transcribe
from lipdub.words_to_sound.recognise.word_error_rate import word_error_rate


@dataclass(frozen=True, slots=True)
class Proof:
    """``figures``: ``word_error_rate`` 0.. where it could be measured; ``helpers`` who heard; ``notes`` if nobody."""

    figures: dict[str, float] = field(default_factory=dict)
    helpers: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()


def heard_again(guide: Path, clip: Clip, lines: Sequence[Line], recogniser: str, room: Room) -> Proof:
    """Hear the speech in ``guide`` and compare it with ``lines``. Never fails: a dub can do without."""
    language = lines[0].language if lines else ""
    try:
        who = recogniser_named(recogniser)
        with room.clock.stage("check words"):
            features = room.hear_dub(guide, clip)
            found = transcribe(who, read_sound_chunks(guide, rate=ANALYSIS_RATE, mono=True), features, language)
    except LipdubError as cannot:
        return Proof(notes=(f"the dub was not checked by hearing it again ({cannot.what})",))
    said, again = (" ".join(text) for text in ((li.text for li in lines), (w.text for w in found.words)))
    used = ModelUsed(who.card.name, who.card.licence)
    return Proof({"word_error_rate": word_error_rate(said, again, language)}, (used,))
