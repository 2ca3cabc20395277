"""What shall be said: from a script, from one line, or from the clip's own words; in the language of the dub."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import NoSound, OptionError, ServiceError
from lipdub.media.sound_read import read_sound_chunks
from lipdub.plugins import fingerprint_of
from lipdub.studio.hearing import Track
from lipdub.studio.languages import language_in_name
from lipdub.studio.options import SpeechOptions
from lipdub.studio.room import Room, own_track
from lipdub.studio.store import key
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.transcribe import transcribe
from lipdub.words_to_sound.script.read import ReadOptions, read_script
from lipdub.words_to_sound.script.sentences import lines_from_words
from lipdub.words_to_sound.script.timed import timed
from lipdub.words_to_sound.script.write import write_script
from lipdub.words_to_sound.seam import (
    RECOGNISERS,
    TRANSLATORS,
    Card,
    Recogniser,
    TranslationRequest,
    Translator,
)
from lipdub.words_to_sound.translate.glossary import read_glossary
from lipdub.words_to_sound.translate.translate import (
    TranslatedLine,
    TranslateOptions,
    asked_once,
    translate_lines,
)

VERSION = 3
"""Raise when the same clip gives other words."""

Shorten = Callable[[int, str, int], str]
"""Asks for a shorter rendering: (index of the line in the words, its text now, characters it may have) -> text."""


@dataclass(frozen=True, eq=False)
class Words:
    """What shall be said: ``lines`` in ``language``, on the clip's clock, and the ``originals`` they render ("": none).

    ``name`` is what the report calls them. ``shorten`` is there if somebody can be asked for shorter ones; ``helpers``
    had a part in it.
    """

    lines: tuple[Line, ...]
    language: str
    name: Path
    originals: tuple[str, ...] = ()
    helpers: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()
    shorten: Shorten | None = None


def words_to_say(clip: Clip, speech: SpeechOptions, room: Room) -> Words:
    """The lines of a dub without a dub track.

    Raises ``InputError`` for a script that cannot be used, ``NoSound`` for a silent clip that should be heard, and
    what recognisers and translators raise.
    """
    if speech.line:
        name = Path("the given line")
        return Words((_one_line(clip, speech, room),), speech.to, name, ("",))
    if speech.script is not None:
        words = _from_script(clip, speech, room)
    else:
        words = words_heard(own_track(clip), _own_speech(clip, room), speech.recogniser, speech.source_language, room)
    wanted = speech.to or words.language
    if all(same_language(line.language or wanted, wanted) for line in words.lines):
        if speech.translator:
            idle = f"the words are in '{words.language}' already, so nobody was asked to translate them"
            words = replace(words, notes=(*words.notes, idle))
        return replace(words, language=wanted, lines=tuple(replace(line, language=wanted) for line in words.lines))
    return translated(words, wanted, speech.translator, speech.glossary, room)


def words_heard(track: Track, features: SpeechFeatures, recogniser: str, language: str, room: Room) -> Words:
    """The words of a sound track; ``heard`` says where somebody speaks. Kept with who heard them, so that none is heard
    twice."""
    path = track.path

    who = recogniser_named(recogniser)

    def listen(folder: Path) -> None:
        pieces = read_sound_chunks(path, rate=ANALYSIS_RATE, mono=True, stream=track.stream)
        found = transcribe(who, pieces, features, language)
        if found.words:
            write_script(folder / "words.json", lines_from_words(found.words, found.language))
        write_text(folder / "who.json", json.dumps([who.card.name, who.card.licence]))

    with room.clock.stage("words"):
        made_by = (recogniser, fingerprint_of(who), room.hearing.identity)
        made_from = key(VERSION, room.digest(path), track.stream, language, *made_by)
        folder = room.store.folder(f"words-{made_from}", listen)
        lines = read_script(kept).lines if (kept := folder / "words.json").exists() else ()
        name, licence = parse_json((folder / "who.json").read_text("utf-8"))
    if not lines:
        raise NoSound("nobody was heard to speak in it", file=path, remedy="Check its sound, or write a script")
    return Words(lines, lines[0].language, path, ("",) * len(lines), (ModelUsed(name, licence),))


def translated(words: Words, language: str, translator: str, glossary: Path | None, room: Room) -> Words:
    """``words`` in another language, each line short enough for its time where that is possible.

    Raises ``OptionError`` if there is no translator, ``ServiceError`` if it fails; what was done is kept.
    """
    who = translator_named(translator, words.language, language)
    options = TranslateOptions(glossary=read_glossary(glossary) if glossary else {})
    with room.clock.stage("adapt"):
        every = translate_lines(words.lines, who, language, options, room.store.folder)
        done: list[TranslatedLine] = []
        try:
            done += room.clock.counted("adapt", every, len(words.lines))
        except ServiceError as failed:
            failed.remedy = failed.remedy or "What was translated is kept: run it again to go on"
            raise

    def shorten(index: int, text: str, characters: int) -> str:
        request = TranslationRequest(done[index].original, characters, glossary=options.glossary, too_long=text)
        return asked_once(request, who, language, room.store.folder)

    return Words(
        lines=tuple(d.line for d in done),
        language=language,
        name=words.name,
        originals=tuple(d.original.text for d in done),
        helpers=(*words.helpers, _used(who.card)),
        notes=(*words.notes, *_doubts(done)),
        shorten=shorten,
    )


def _doubts(lines: Iterable[TranslatedLine]) -> Notes:
    """What a person should know of translated lines."""
    notes = Notes()
    for adapted in lines:
        text = f"'{short(adapted.line.text)}'"
        if adapted.over_by > 0.1:
            many = "{} lines are too long for their time, and no shorter ones were found"
            long = f"{text} is {adapted.over_by:.0%} too long for its time, and no shorter one was found"
            notes.add(many, long, f"{text} by {adapted.over_by:.0%}")
        for term in map(short, adapted.missed):
            many = "terms in {} places are not rendered as the glossary says"
            notes.add(many, f"{text} does not render '{term}' as the glossary says", f"'{term}' in {text}")
    return notes


def recogniser_named(text: str) -> Recogniser:
    """``NAME`` or ``NAME:DETAIL``. Raises ``OptionError`` or what opening it raises."""
    return RECOGNISERS.create_named(text, Recogniser)


def translator_named(text: str, source: str, target: str) -> Translator:
    """``NAME`` or ``NAME:DETAIL``. Raises ``OptionError`` if none is named, or what opening it raises."""
    if not text:
        raise OptionError(
            f"the words are in '{source}' and shall be said in '{target}', and no translator was named",
            remedy="Name one (--translator openai:URL#MODEL or argos), or give a translated script (--script)",
        )
    return TRANSLATORS.create_named(text, Translator)


def _from_script(clip: Clip, speech: SpeechOptions, room: Room) -> Words:
    script, how = reading(clip, speech)
    read = read_script(script, how)
    lines = read.lines
    if not read.timed:
        spoken = speech_spans(_own_speech(clip, room)) if clip.has_sound else (clip.span,)
        lines = timed(lines, spoken or (clip.span,))
    return Words(lines, lines[0].language, script, ("",) * len(lines), notes=read.notes)


def reading(clip: Clip, speech: SpeechOptions) -> tuple[Path, ReadOptions]:
    """The script, and how it is read: on the clip's clock, in the language of its name or of an option.

    Raises ``OptionError`` if nothing tells its language.
    """
    assert speech.script is not None
    language = language_in_name(speech.script) or speech.source_language or speech.to
    if not language:
        raise OptionError("the script's language is not known", file=speech.script, remedy="Name it with --to")
    return speech.script, ReadOptions(language, clip.start, clip.span.end)


def shifted(line: Line, later: Fraction) -> Line:
    """``line`` and its words ``later`` seconds later."""
    words = tuple(replace(word, span=word.span.shifted(later)) for word in line.words)
    return replace(line, span=line.span.shifted(later), words=words)


def _one_line(clip: Clip, speech: SpeechOptions, room: Room) -> Line:
    """The given line, from where the clip begins to speak to where it ends."""
    spoken = speech_spans(_own_speech(clip, room)) if clip.has_sound else ()
    span = Span(spoken[0].start, spoken[-1].end) if spoken else clip.span
    return Line(" ".join(speech.line.split()), span.intersection(clip.span) or clip.span, speech.to)


def _own_speech(clip: Clip, room: Room) -> SpeechFeatures:
    if not clip.has_sound:
        raise NoSound("it has no sound to be heard", file=clip.path, remedy="Give a script with --script")
    return room.hear_clip(clip)


def _used(card: Card) -> ModelUsed:
    return ModelUsed(card.name, card.licence)
