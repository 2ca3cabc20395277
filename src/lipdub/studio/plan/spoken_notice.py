"""A spoken notice: a short sentence before speech that stands alone, which says that a machine speaks."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil

from lipdub.errors import OptionError
from lipdub.studio.plan.lines import DubLines, shifted
from lipdub.studio.session import Session
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.choose import can_read
from lipdub.words_to_sound.voices.speak import speak_line
from lipdub.words_to_sound.voices.speakable_text import speakable_text

USUAL_NOTICES = {
    "en": "This voice was made by artificial intelligence.",
    "es": "Esta voz fue creada con inteligencia artificial.",
    "fr": "Cette voix a été créée par une intelligence artificielle.",
    "de": "Diese Stimme wurde mit künstlicher Intelligenz erzeugt.",
    "it": "Questa voce è stata creata con l'intelligenza artificiale.",
    "pt": "Esta voz foi criada com inteligência artificial.",
    "hi": "यह आवाज़ कृत्रिम बुद्धिमत्ता से बनाई गई है।",
    "zh": "本语音由人工智能生成。",
    "ja": "この音声は人工知能によって作られました。",
}
"""Language -> the sentence that is spoken if none is given."""

PAUSE = Fraction(3, 5)
"""Seconds of silence between the notice and the speech."""

_STEP = Fraction(1, 100)


def notice_line(wish: str | bool, lines: DubLines) -> Line | None:
    """The notice before ``lines``, said by whoever says the first of them; None if none is asked for (``wish`` False).

    Raises ``OptionError`` for a text that says nothing, or a language for which no sentence is known.
    """
    if wish is False:
        return None
    first = min(lines.lines, key=lambda line: line.span)
    text = wish if isinstance(wish, str) else _usual(first.language)
    if not speakable_text(text, first.language):
        raise OptionError("the notice has nothing to say", remedy="Write a sentence after --notice")
    return Line(text, Span(Fraction(0), PAUSE), first.language, first.speaker, id=_free_id(lines))


def _usual(language: str) -> str:
    found = next((text for known, text in USUAL_NOTICES.items() if same_language(known, language)), "")
    if not found:
        remedy = "Write one in that language after --notice"
        raise OptionError(f"no sentence for a notice is known in '{language}'", remedy=remedy)
    return found


def _free_id(lines: DubLines) -> str:
    taken = {line.id for line in lines.lines}
    name = "notice"
    while name in taken:
        name += "'"
    return name


def check_notice(notice: Line | None, voices: Mapping[str, AssignedVoice]) -> None:
    """Raise ``OptionError`` if the voice cannot read the notice."""
    if notice is not None and not can_read(voices[notice.speaker], notice):
        name = voices[notice.speaker].voice.card.name
        raise OptionError(f"{name} cannot read the notice", remedy="Write another sentence after --notice")


def with_notice(
    lines: DubLines, notice: Line | None, voices: Mapping[str, AssignedVoice], session: Session
) -> DubLines:
    """``lines`` after the ``notice``: as much later as it takes to say it, and a pause. Raises what voices raise."""
    if notice is None:
        return lines
    with session.clock.stage("speak"):
        sound = speak_line(notice, voices[notice.speaker], cache=session.store.folder).sound
    said = ceil(Fraction(sound.samples.shape[1], sound.rate) / _STEP) * _STEP
    later = said + PAUSE
    told = f"a notice is spoken first, so everything is {float(later):.2f} s later: {notice.text}"
    return replace(
        lines,
        lines=(replace(notice, span=Span(Fraction(0), said)), *(shifted(line, later) for line in lines.lines)),
        notes=(told, *lines.notes),
    )
