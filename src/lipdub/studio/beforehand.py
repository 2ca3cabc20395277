"""What can be wrong with an order of speech, told before any work is done."""

from dataclasses import replace
from pathlib import Path

from lipdub.errors import NoSound, OptionError
from lipdub.media.probe import probe
from lipdub.speech.adapt.adapt import Paired
from lipdub.speech.adapt.glossary import read_glossary
from lipdub.speech.script.read import read_script
from lipdub.speech.separate import Separator
from lipdub.speech.service import shown
from lipdub.speech.voices.text import sayable
from lipdub.studio.languages import check_language
from lipdub.studio.likeness import likened
from lipdub.studio.options import SpeechOptions
from lipdub.studio.voicing import check_voices, voices_for
from lipdub.studio.words import reading, recogniser_named, translator_named
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import Line
from lipdub.timeline.language import same_language


def check_speech(clip: Clip, audio: Path | None, speech: SpeechOptions, engine_speaks: bool = False) -> None:
    """Refuse an order that cannot be carried out; ``engine_speaks``: without a named voice the engine says the lines.

    Only looks: nothing is heard, translated or spoken. Raises ``InputError``, ``MissingExtra``, ``WeightsError``.
    """
    check_ways(audio, speech)
    check_language(speech.to, "--to")
    check_language(speech.source_language, "--source-language")
    if audio is None or speech.mix:
        _check_mix(speech)
    if audio is None:
        _check_helpers(clip, speech)
        if speech.voice or not engine_speaks:
            lines = _lines(clip, speech)
            voices = voices_for(lines, speech)
            check_voices(lines, voices)
            if not clip.has_sound:
                likened(voices, lines, clip, None)


def check_ways(audio: Path | None, speech: SpeechOptions) -> None:
    """Refuse orders that say nothing, two things at once, or what has no effect. Raises ``OptionError``."""
    ways = {"--audio": audio is not None, "--script": speech.script is not None, "--line": bool(speech.line)}
    given = [name for name, there in ways.items() if there]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} exclude each other", remedy="Give one of them")
    if not given and not speech.to:
        raise OptionError(
            "nothing says what shall be said",
            remedy="Give a dub track (--audio), a script (--script), a line (--line) or a language (--to)",
        )
    if speech.line and not sayable(speech.line, speech.to):
        raise OptionError("the line has nothing to say", remedy="Write words after --line")
    if audio is None and speech.mix:
        raise OptionError("--mix is for a dub track given by --audio; scripts are always mixed")
    if speech.line and not speech.to:
        raise OptionError("the line's language is not known", remedy="Name it with --to, e.g. --to es")
    if audio is not None:
        _check_effect(speech)


def _check_effect(speech: SpeechOptions) -> None:
    """What does nothing beside a finished dub track."""
    idle = {
        "--voice": speech.voice,
        "--translator": speech.translator,
        "--glossary": speech.glossary,
        "--embed-subtitles": speech.embed_subtitles,
    }
    for name in (name for name, given in idle.items() if given):
        raise OptionError(f"{name} does nothing with --audio, whose words are not known", remedy="Leave it out")
    if (speech.music_effects or speech.separator) and not speech.mix:
        what = "--music-effects" if speech.music_effects else "--separator"
        raise OptionError(f"{what} does nothing with --audio, which stays untouched", remedy="Add --mix")


def _check_mix(speech: SpeechOptions) -> None:
    from lipdub.studio.mixing import mix_options

    mix_options(speech)
    if speech.separator:
        if speech.music_effects is not None:
            raise OptionError("--music-effects and --separator exclude each other", remedy="Give one of them")
        Separator.parsed(speech.separator)
    if speech.music_effects is not None and not probe(speech.music_effects).has_sound:
        raise NoSound("there is no sound in it", file=speech.music_effects, remedy="Give the music and effects")


def _check_helpers(clip: Clip, speech: SpeechOptions) -> None:
    """Who hears and who translates, if they are needed."""
    glossary = read_glossary(speech.glossary) if speech.glossary else {}
    source = speech.source_language
    if speech.line or speech.script:
        languages = [] if speech.line else [line.language for line in read_script(*reading(clip, speech)).lines]
        source = next((tag for tag in languages if speech.to and not same_language(tag, speech.to)), speech.to)
    elif not clip.has_sound:
        raise NoSound("it has no sound to be heard", file=clip.path, remedy="Give a script with --script")
    else:
        recogniser_named(speech.recogniser)
    needed = bool(source) and not same_language(source, speech.to)
    if needed or speech.translator:
        who = translator_named(speech.translator, source, speech.to)
        if needed and isinstance(who, Paired):
            who.ready(source, speech.to)
    elif glossary and source:
        raise OptionError("nothing is translated, so --glossary does nothing", remedy="Leave it out")


def _lines(clip: Clip, speech: SpeechOptions) -> tuple[Line, ...]:
    """The lines as far as they are known: whose they are and in which language they will be said."""
    if speech.script is None:
        return (Line(speech.line or "1", clip.span, speech.to),)
    lines = read_script(*reading(clip, speech)).lines
    return tuple(replace(line, language=speech.to or line.language) for line in lines)


def planned_speech(clip: Clip, speech: SpeechOptions, engine_speaks: bool = False) -> list[str]:
    """What would be said, in sentences. Raises what reading the script raises."""
    lines = _lines(clip, speech)
    if engine_speaks and not speech.voice:
        by = "the engine"
    else:
        cards = {who.voice.card.name: None for who in voices_for(lines, speech).values()}
        by = ", ".join(cards)
    if speech.line:
        return [f"one line in '{speech.to}', said by {by}: {speech.line.strip()}"]
    if speech.script is None:
        way = f"translated by {shown(speech.translator)}" if speech.translator else "not translated (no --translator)"
        return [f"the clip's own words, heard by {speech.recogniser}, {way}, said in '{speech.to}' by {by}"]
    read = read_script(*reading(clip, speech))
    count, source = len(read.lines), read.lines[0].language
    told = f"{count} line{'s' if count > 1 else ''} in '{source}'"
    way = f", translated by {shown(speech.translator)}" if speech.to and not same_language(source, speech.to) else ""
    return [f"{speech.script}: {told}{way}, said in '{speech.to or source}' by {by}", *read.notes]
