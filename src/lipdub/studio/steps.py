"""Each step of a dub's sound by itself: hear, adapt, speak. What one step writes can be edited before the next."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipdub import weights
from lipdub.disk.publish import check_place, complete
from lipdub.errors import NoSound, OptionError
from lipdub.media.probe import chosen_sound, container_start, open_clip, probe
from lipdub.review.report import Speech
from lipdub.studio.dialogue import Said, write_dialogue
from lipdub.studio.hearing import Track
from lipdub.studio.languages import check_language, language_in_name
from lipdub.studio.likeness import likened
from lipdub.studio.options import VoiceOptions
from lipdub.studio.progress import Clock, Listener, silent
from lipdub.studio.room import Room, open_room, own_track
from lipdub.studio.timbre import heights_of
from lipdub.studio.voicing import Voicing, check_voices, voices_for
from lipdub.studio.words import Words, recogniser_named, shifted, translated, translator_named, words_heard
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.aims import source_windows
from lipdub.words_to_sound.script.read import ReadOptions, read_script
from lipdub.words_to_sound.script.write import check_script_name, write_script
from lipdub.words_to_sound.translate.length_budget import natural
from lipdub.words_to_sound.translate.translate import PairTranslator

TAIL = Fraction(1)
"""Seconds of room after the last line of a script that is spoken without a clip."""


@dataclass(frozen=True)
class Desk:
    """Who asked for a step: how to tell them of progress, how to ask them, and whether files may be replaced."""

    listener: Listener = silent
    ask_download: weights.AskDownload | None = None
    overwrite: bool = False

    def check(self, output: Path, *inputs: Path | None) -> None:
        """Raises ``OutputError`` if ``output`` may not be written, or is one of ``inputs`` (None: not given)."""
        check_place(output, [path for path in inputs if path is not None], overwrite=self.overwrite)

    @contextmanager
    def room(self) -> Iterator[Room]:
        """A room for one step. Raises ``OutputError`` if there is no place to work in."""
        with open_room(Clock(self.listener), self.ask_download) as room:
            yield room


def hear(
    source: Path,
    output: Path,
    language: str = "",
    recogniser: str = "whisper",
    desk: Desk = Desk(),
    audio_stream: int | None = None,
) -> Words:
    """Write the words of ``source`` to the script ``output`` (.srt, .vtt, .json), counted from where players start it.
    They are those of its sound stream ``audio_stream``, counted from 0 (None: the one that players play).

    Raises ``InputError``, ``OutputError`` or what the recogniser raises.
    """
    check_script_name(output)
    check_language(language, "--language")
    desk.check(output, source)
    if not probe(source).has_sound:
        raise NoSound("there is no sound in it", file=source, remedy="Give a file with speech")
    recogniser_named(recogniser)
    with desk.room() as room:
        track = Track(source, chosen_sound(source, audio_stream))
        features = room.hearing.hear(track, room.digest(source))
        words = words_heard(track, features, recogniser, language, room)
        start = container_start(source)
        room.inputs.check_unchanged()
        lines = tuple(shifted(line, -start) for line in words.lines)
        write_script(output, lines, overwrite=desk.overwrite)
        return replace(words, notes=(*room.hearing.doubts(track, "the sound"), *words.notes))


def adapt(
    script: Path, output: Path, to: str, translator: str, glossary: Path | None = None, desk: Desk = Desk()
) -> Words:
    """Write ``script`` in the language ``to`` to the script ``output``, each line short enough for its time.

    Raises ``InputError``, ``OutputError``, ``ServiceError``.
    """
    check_script_name(output)
    check_language(to, "--to")
    desk.check(output, script, glossary)
    words = _read(script)
    if all(same_language(line.language, to) for line in words.lines):
        what = f"the script is in '{words.language}' already, so there is nothing to translate"
        raise OptionError(what, file=script, remedy="Check --to and the name of the script")
    who = translator_named(translator, words.language, to)
    if isinstance(who, PairTranslator) and not same_language(words.language, to):
        who.ready(words.language, to)
    with desk.room() as room:
        words = translated(words, to, translator, glossary, room)
        write_script(output, words.lines, overwrite=desk.overwrite)
    return words


def speak(
    script: Path,
    output: Path,
    clip: Path | None = None,
    voices: VoiceOptions = VoiceOptions(),
    desk: Desk = Desk(),
    audio_stream: int | None = None,
) -> Speech:
    """Write ``script`` as speech to ``output`` (.flac, .wav; mono, 48 kHz): fitted to where ``clip`` speaks and as long
    as it, or at the script's own times. ``audio_stream``: in which of the clip's sound streams, counted from 0 (None:
    the one that players play).

    Raises ``InputError``, ``OutputError`` or what voices raise.
    """
    if output.suffix.lower() not in (".flac", ".wav"):
        raise OptionError("is no file type that speech is written to", file=output, remedy="Name it .flac or .wav")
    desk.check(output, script, clip)
    picture = open_clip(clip, sound=audio_stream) if clip is not None else None
    words = _read(script, picture)
    speakers = voices_for(words.lines, voices)
    check_voices(words.lines, speakers)
    if picture is None or not picture.has_sound:
        likened(speakers, words.lines, picture, None)
    with desk.room() as room:
        features, windows, heights, whole = None, (), None, _whole(words)
        if picture is not None:
            whole = Span(picture.start, picture.span.end)
            if picture.has_sound:
                features = room.hear_clip(picture)
                windows = source_windows(features)
                heights = heights_of(picture, words.lines, windows)
        speakers = likened(voices_for(words.lines, voices, heights), words.lines, picture, features)
        voicing = Voicing(words, speakers, room)
        said = Said(voicing.fitted(windows, whole, voices.fit), voicing.cards)
        made = room.scratch / f"speech{output.suffix.lower()}"
        write_dialogue(made, said.pass_on, whole)
        room.inputs.check_unchanged()
        doubts = [] if picture is None else [f"the clip: {doubt}" for doubt in picture.warnings]
        if picture is not None:
            doubts += room.hearing.doubts(own_track(picture), "the clip's sound")
        with complete(output, overwrite=desk.overwrite) as part:
            shutil.copyfile(made, part)
    return said.account(words, (*voicing.notes, *doubts))


def _whole(words: Words) -> Span:
    """From 0 to a little after the last line, which may take longer to say than its span."""
    last = max(words.lines, key=lambda line: line.span)
    said = last.span.start + natural(last.text, last.language)
    return Span(Fraction(0), max(said, *(line.span.end for line in words.lines)) + TAIL)


def _read(script: Path, clip: Clip | None = None) -> Words:
    """The lines of a script with times, those after the end of ``clip`` left out. Raises ``InputError``."""
    how = ReadOptions(language_in_name(script))
    if clip is not None:
        how = replace(how, start=clip.start, end=clip.span.end)
    read = read_script(script, how)
    if not read.timed:
        raise OptionError(
            "this script has no times", file=script, remedy="Give SRT, VTT, ASS or JSON, or use it with 'lipdub dub'"
        )
    language = next((line.language for line in read.lines if line.language), "")
    if not language:
        raise OptionError(
            "the script's language is not known",
            file=script,
            remedy=f"Put it into its name, like {script.stem}.es{script.suffix}",
        )
    return Words(read.lines, language, script, ("",) * len(read.lines), notes=read.notes)
