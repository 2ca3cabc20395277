"""ASR check: the finished speech is recognised again, and compared with the words that should be said."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from lipdub.errors import LipdubError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.transcribe import sound_in_spans, transcribe
from lipdub.words_to_sound.recognise.word_error_rate import word_error_rate
from lipdub.words_to_sound.seam import Recogniser

MISHEARD = 0.5
"""The word error rate of a line from which it is heard again by itself: in long sounds whisper-base leaves out whole
sentences that it knows when they are alone."""

AGAIN = 50
"""Lines that are heard again at most."""

_MARGIN = Fraction(3, 10)  # seconds around a line that is heard by itself


@dataclass(frozen=True, slots=True)
class AsrCheck:
    """``metrics``: ``word_error_rate`` from 0 up, where it could be measured; ``helpers``: the recogniser; ``notes``:
    why it was not measured; ``lines``: the word error rate of each line, by its id."""

    metrics: dict[str, float] = field(default_factory=dict)
    helpers: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()
    lines: dict[str, float] = field(default_factory=dict)


def check_words(speech: DubSpeech, features: SpeechFeatures, recogniser: str, session: Session) -> AsrCheck:
    """Recognise the speech of a dub and compare it with its lines: with those that were spoken in this run. Lines of
    which little was heard are heard again, each by itself.

    The ``features`` of the speech, on the clip's clock, tell where somebody speaks. Never fails: a dub can do without.
    """
    lines = sorted(speech.new_lines, key=lambda line: line.span)
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
            heard = _by_line(lines, found.words, features.start)
            heard = _heard_alone(who, speech.track, lines, heard, features.start)
    except LipdubError as cannot:
        return AsrCheck(notes=(f"the dub was not checked by hearing it again ({cannot.what})",))
    said, again = " ".join(line.text for line in lines), " ".join(heard)
    used = ModelUsed(who.card.name, who.card.licence)
    errors = {line.id: _error(line, text) for line, text in zip(lines, heard, strict=True) if line.id}
    return AsrCheck({"word_error_rate": word_error_rate(said, again, language)}, (used,), lines=errors)


def _borders(lines: Sequence[Line], start: Fraction) -> list[Fraction]:
    """The middles between neighbours of ``lines``, in seconds after ``start``."""
    return [(a.span.end + b.span.start) / 2 - start for a, b in pairwise(lines)]


def _by_line(lines: Sequence[Line], words: Sequence[Word], start: Fraction) -> list[str]:
    """What was heard in each of ``lines``; the words' times are seconds after ``start``."""
    borders, heard = _borders(lines, start), [list[str]() for _ in lines]
    for word in words:
        heard[bisect(borders, (word.span.start + word.span.end) / 2)].append(word.text)
    return [" ".join(some) for some in heard]


def _heard_alone(
    who: Recogniser, track: Path, lines: Sequence[Line], heard: Sequence[str], start: Fraction
) -> list[str]:
    """``heard``, and for lines of which little was heard what is heard in them alone, if that is nearer."""
    out, borders = list(heard), [Fraction(0), *_borders(lines, start), lines[-1].span.end - start + _MARGIN]
    wrong = [i for i, line in enumerate(lines) if _error(line, heard[i]) >= MISHEARD][:AGAIN]
    spans = []
    for i in wrong:
        inside = lines[i].span.shifted(-start).widened(_MARGIN)
        spans.append(Span(max(inside.start, borders[i]), max(min(inside.end, borders[i + 1]), borders[i])))
    blocks = read_sound_chunks(track, rate=ANALYSIS_RATE, mono=True) if spans else ()
    for piece in sound_in_spans(blocks, spans):
        line = bisect(borders[1:-1], (piece.span.start + piece.span.end) / 2)
        alone = " ".join(word.text for word in who.transcribe(piece, lines[line].language).words)
        if _error(lines[line], alone) < _error(lines[line], out[line]):
            out[line] = alone
    return out


def _error(line: Line, heard: str) -> float:
    return word_error_rate(line.text, heard, line.language)


def _only(lines: Sequence[Line], features: SpeechFeatures) -> SpeechFeatures:
    """``features`` in which somebody speaks in ``lines`` only, so that nothing else is recognised."""
    inside = np.zeros(len(features), bool)
    for line in lines:
        first = round((line.span.start - features.start) / FEATURE_STEP)
        inside[max(0, first) : max(0, round((line.span.end - features.start) / FEATURE_STEP))] = True
    return replace(features, voice_activity=np.where(inside, features.voice_activity, 0).astype(np.float32))
