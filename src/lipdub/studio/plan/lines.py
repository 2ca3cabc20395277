"""The lines that are to be said: those of a script, one given line, or the clip's own words; in the language of the
dub."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import NoSound, ServiceError
from lipdub.media.sound_blocks import sound_format
from lipdub.media.sound_read import read_sound_chunks
from lipdub.plugins import fingerprint_of
from lipdub.studio.options import SpeechOptions
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.track_features import SoundTrack, own_track
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line, numbered
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.channel_speakers import (
    channel_energies,
    lines_by_channel,
    one_person_a_channel,
)
from lipdub.words_to_sound.recognise.transcribe import transcribe
from lipdub.words_to_sound.script.place_untimed import place_untimed_lines
from lipdub.words_to_sound.script.read import ScriptLines, read_script
from lipdub.words_to_sound.script.sentences import lines_from_words
from lipdub.words_to_sound.script.write import write_script
from lipdub.words_to_sound.seam import ModelCard, Transcript, TranslationRequest
from lipdub.words_to_sound.translate.glossary import read_glossary
from lipdub.words_to_sound.translate.translate import (
    TranslatedLine,
    TranslateOptions,
    translate_lines,
    translate_request,
    translation_notes,
)

VERSION = 4
"""Raise when the same clip gives other words."""

ONE_PERSON_A_CHANNEL = "the sound has one person in each channel: the lines have the speakers 'left' and 'right'"

Shorten = Callable[[Line, int], str]
"""Gives a shorter rendering of a line: (the line with its text now, characters it may have) -> text."""


@dataclass(frozen=True, eq=False)
class DubLines:
    """What is to be said: ``lines`` in ``language``, on the clip's clock, each with an id of its own; ``originals`` are
    the texts that they render, by line id.

    ``name`` is what the report calls them. ``shorten`` is there if a translator can give shorter renderings;
    ``source_language`` is the one that they were translated from ("": they are no translations).
    ``helpers`` are the recogniser and the translator; ``notes`` are sentences for the report.
    """

    lines: tuple[Line, ...]
    language: str
    name: Path
    originals: dict[str, str] = field(default_factory=dict)
    helpers: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()
    shorten: Shorten | None = None
    source_language: str = ""

    def outside(self, excluded: Sequence[Span]) -> tuple[Line, ...]:
        """The lines that begin in none of the spans ``excluded``."""
        return tuple(line for line in self.lines if not any(line.span.start in span for span in excluded))


def lines_to_say(
    clip: Clip, speech: SpeechOptions, script: ScriptLines | None, source: SpeechFeatures | None, session: Session
) -> DubLines:
    """The lines of a dub that has no finished dub track. ``script`` is the one that ``speech`` names, parsed;
    ``source`` are the speech features of the clip's sound (None: it has none).

    Raises ``NoSound`` for a clip without sound whose words are needed, and what recognisers and translators raise.
    """
    if speech.line:
        return DubLines(numbered([_one_line(clip, speech, source)]), speech.to, Path("the given line"))
    if script is not None:
        found = _from_script(clip, speech, script, source)
    else:
        found = recognised_lines(
            own_track(clip), _needed(clip, source), speech.recogniser, speech.source_language, session
        )
    wanted = speech.to or found.language
    if all(same_language(line.language or wanted, wanted) for line in found.lines):
        if speech.translator:
            idle = f"the words are in '{found.language}' already, so nobody was asked to translate them"
            found = replace(found, notes=(*found.notes, idle))
        return replace(found, language=wanted, lines=tuple(replace(line, language=wanted) for line in found.lines))
    return translated(found, wanted, speech.translator, speech.glossary, session)


def recognised_lines(
    track: SoundTrack, features: SpeechFeatures, recogniser: str, language: str, session: Session
) -> DubLines:
    """The words of a sound track as lines; ``features`` tell where somebody speaks. They are kept under the name of the
    recogniser, so that no track is recognised twice.

    Raises ``NoSound`` if no words are found, ``OptionError`` or what opening and running the recogniser raises.
    """
    path = track.path
    who = session.tools.recogniser(recogniser)

    def recognise(folder: Path) -> None:
        pieces = read_sound_chunks(path, rate=ANALYSIS_RATE, mono=True, stream=track.stream)
        found = transcribe(who, pieces, features, language)
        if found.words:
            write_script(folder / "words.json", _lines_of(found, track, features))
        write_text(folder / "who.json", json.dumps([who.card.name, who.card.licence]))

    with session.clock.stage("transcribe"):
        made_by = (recogniser, fingerprint_of(who), session.tools.analyser.identity)
        made_from = key(VERSION, session.inputs.digest(path), track.stream, language, *made_by)
        folder = session.store.folder(f"words-{made_from}", recognise)
        lines = read_script(kept).lines if (kept := folder / "words.json").exists() else ()
        name, licence = parse_json((folder / "who.json").read_text("utf-8"))
    if not lines:
        raise NoSound("no speech was found in it", file=path, remedy="Check its sound, or write a script")
    notes = (ONE_PERSON_A_CHANNEL,) if any(line.speaker for line in lines) else ()
    return DubLines(numbered(lines), lines[0].language, path, helpers=(ModelUsed(name, licence),), notes=notes)


def _lines_of(found: Transcript, track: SoundTrack, features: SpeechFeatures) -> tuple[Line, ...]:
    """Lines of recognised words, with speakers if the track has one person in each of two channels."""
    if len(sound_format(track.path, track.stream).channels) == 2:
        blocks = read_sound_chunks(track.path, rate=ANALYSIS_RATE, stream=track.stream)
        energies = channel_energies(blocks, features)
        if one_person_a_channel(energies, features):
            return lines_by_channel(found.words, found.language, energies, features)
    return lines_from_words(found.words, found.language)


def translated(source: DubLines, language: str, translator: str, glossary: Path | None, session: Session) -> DubLines:
    """``source`` in another language, each line short enough for its time where that is possible.

    Raises ``OptionError`` if no translator is named, ``ServiceError`` if it fails; what was translated is kept.
    """
    who = session.tools.translator(translator, source.language, language)
    options = TranslateOptions(glossary=read_glossary(glossary) if glossary else {})
    keep = session.store.folder
    with session.clock.stage("translate"):
        every = translate_lines(source.lines, who, language, options, keep)
        done: list[TranslatedLine] = []
        try:
            done += session.clock.counted("translate", every, len(source.lines))
        except ServiceError as failed:
            failed.remedy = failed.remedy or "What was translated is kept: run it again to go on"
            raise
    originals = {each.line.id: each.original for each in done}
    return DubLines(
        lines=tuple(each.line for each in done),
        language=language,
        name=source.name,
        originals={id_: line.text for id_, line in originals.items()},
        helpers=(*source.helpers, model_used(who.card)),
        notes=(*source.notes, *translation_notes(done)),
        shorten=shortening(originals, language, translator, options.glossary, session),
        source_language=source.language,
    )


def shortening(
    originals: Mapping[str, Line], language: str, translator: str, glossary: Mapping[str, str], session: Session
) -> Shorten:
    """Shorter renderings in ``language`` of lines that translate ``originals`` (by line id), by the translator of this
    name; what it was asked before is in the cache. A line that is no translation keeps its text.

    Calling it raises what making the translator raises, ``ServiceError`` and ``OptionError``.
    """

    def shorten(line: Line, characters: int) -> str:
        original = originals.get(line.id)
        if original is None:
            return line.text
        who = session.tools.translator(translator, original.language, language)
        request = TranslationRequest(original, characters, glossary=glossary, too_long=line.text)
        return translate_request(request, who, language, session.store.folder)

    return shorten


def _from_script(clip: Clip, speech: SpeechOptions, script: ScriptLines, source: SpeechFeatures | None) -> DubLines:
    lines = script.lines
    if not script.timed:
        spoken = speech_spans(_needed(clip, source)) if clip.has_sound else (clip.span,)
        lines = place_untimed_lines(lines, spoken or (clip.span,))
    assert speech.script is not None
    return DubLines(numbered(lines), lines[0].language, speech.script, notes=script.notes)


def shifted(line: Line, later: Fraction) -> Line:
    """``line`` and its words ``later`` seconds later."""
    words = tuple(replace(word, span=word.span.shifted(later)) for word in line.words)
    return replace(line, span=line.span.shifted(later), words=words)


def _one_line(clip: Clip, speech: SpeechOptions, source: SpeechFeatures | None) -> Line:
    """The given line, from where the clip begins to speak to where it ends."""
    spoken = speech_spans(_needed(clip, source)) if clip.has_sound else ()
    span = Span(spoken[0].start, spoken[-1].end) if spoken else clip.span
    return Line(" ".join(speech.line.split()), span.intersection(clip.span) or clip.span, speech.to)


def _needed(clip: Clip, source: SpeechFeatures | None) -> SpeechFeatures:
    if source is None:
        raise NoSound("it has no sound to be transcribed", file=clip.path, remedy="Give a script with --script")
    return source


def model_used(card: ModelCard) -> ModelUsed:
    """Name and licence of a helper, for the report."""
    return ModelUsed(card.name, card.licence)
