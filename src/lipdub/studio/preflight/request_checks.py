"""What can be wrong with a request, told before any work is done. Nothing is analysed, translated or spoken here."""

from dataclasses import replace
from pathlib import Path

from lipdub.disk.object_store import check_url
from lipdub.errors import NoSound, OptionError
from lipdub.media.probe import probe
from lipdub.studio.language_names import check_language, language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.processes import AskedWorkers
from lipdub.studio.tools import Tools
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line, numbered
from lipdub.words_to_sound.script.read import ReadOptions, ScriptLines, read_script
from lipdub.words_to_sound.seam import separator_named
from lipdub.words_to_sound.separate import NO_SEPARATOR, SeparationProgram, is_command
from lipdub.words_to_sound.translate.glossary import read_glossary
from lipdub.words_to_sound.translate.translate import PairTranslator
from lipdub.words_to_sound.voices.choose import check_voices, people_with_voices
from lipdub.words_to_sound.voices.cloning import check_references
from lipdub.words_to_sound.voices.speakable_text import speakable_text

_WORST = 63
"""The largest crf that any encoder takes (AV1, VP9)."""


def check_options(options: DubOptions) -> None:
    """Refuse options of a dub that mean nothing. Raises ``OptionError``."""
    check_language(options.language or "", "--language")
    if options.seed < 0:
        raise OptionError(f"--seed {options.seed} is below 0", remedy="Give 0 or more")
    if options.crf is not None and not 0 <= options.crf <= _WORST:
        raise OptionError(f"--crf {options.crf} is no quality", remedy=f"Give 0 (best) to {_WORST}")
    asked = AskedWorkers.parse(options.workers)
    if options.shared_store:
        if asked.ray is None:
            what = "--shared-store is for the workers of a Ray cluster"
            raise OptionError(what, remedy="Leave it out, or add --workers ray")
        check_url(options.shared_store)


def check_speech(clip: Clip, audio: Path | None, speech: SpeechOptions, tools: Tools) -> ScriptLines | None:
    """Refuse a request for speech that cannot be carried out, and return its script, parsed (None: it names none).

    Voices, recogniser and translator are those of ``tools``. Raises ``InputError``, ``MissingExtra``,
    ``WeightsError``.
    """
    check_ways(audio, speech)
    check_language(speech.to, "--to")
    check_language(speech.source_language, "--source-language")
    if audio is None or speech.mix:
        _check_mix(speech)
    if audio is not None:
        return None
    script = _read(clip, speech)
    _check_helpers(clip, speech, script, tools)
    if speech.voice or not tools.engine_speaks:
        lines = known_lines(clip, speech, script)
        voices = tools.voices(lines, speech.voice)
        check_voices(lines, voices)
        check_references(voices, clip.has_sound)
        tools.check_likeness(speech.voice_likeness)
    return script


def _read(clip: Clip, speech: SpeechOptions) -> ScriptLines | None:
    """The script on the clip's clock, in the language of its name or of an option."""
    if speech.script is None:
        return None
    language = language_in_name(speech.script) or speech.source_language or speech.to
    if not language:
        raise OptionError("the script's language is not known", file=speech.script, remedy="Name it with --to")
    return read_script(speech.script, ReadOptions(language, clip.start, clip.span.end))


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
    if speech.line and not speakable_text(speech.line, speech.to):
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
    mixed = {"--music-effects": speech.music_effects, "--separator": speech.separator, "--stems": speech.stems}
    for what in (name for name, given in mixed.items() if given and not speech.mix):
        raise OptionError(f"{what} does nothing with --audio, which stays untouched", remedy="Add --mix")


def _check_mix(speech: SpeechOptions) -> None:
    from lipdub.studio.mix_options import mix_options

    mix_options(speech)
    if speech.separator:
        if speech.music_effects is not None:
            raise OptionError("--music-effects and --separator exclude each other", remedy="Give one of them")
        if is_command(speech.separator):
            SeparationProgram.parse(speech.separator)
        elif speech.separator != NO_SEPARATOR:
            separator_named(speech.separator)
    if speech.music_effects is not None and not probe(speech.music_effects).has_sound:
        raise NoSound("there is no sound in it", file=speech.music_effects, remedy="Give the music and effects")


def _check_helpers(clip: Clip, speech: SpeechOptions, script: ScriptLines | None, tools: Tools) -> None:
    """The recogniser and the translator, if they are needed."""
    if speech.glossary:
        read_glossary(speech.glossary)
    if speech.line or script is not None:
        sources = () if script is None else _to_translate(speech, script)
    elif not clip.has_sound:
        raise NoSound("it has no sound to be transcribed", file=clip.path, remedy="Give a script with --script")
    else:
        tools.recogniser(speech.recogniser)
        known = speech.source_language
        sources = () if known and same_language(known, speech.to) else (known,)
    if not sources:
        _check_idle(speech, script)
    elif speech.translator or any(sources):
        who = tools.translator(speech.translator, sources[0], speech.to)
        for source in filter(None, sources):
            if isinstance(who, PairTranslator):
                who.check_pair(source, speech.to)


def _to_translate(speech: SpeechOptions, script: ScriptLines) -> tuple[str, ...]:
    """The languages of a script's lines that are not the dub's."""
    if not speech.to:
        return ()
    tags = dict.fromkeys(line.language for line in script.lines)
    return tuple(tag for tag in tags if not same_language(tag, speech.to))


def _check_idle(speech: SpeechOptions, script: ScriptLines | None) -> None:
    """Refuse a translator or glossary that would have nothing to do, since the words are in the dub's language
    already."""
    given = "--translator" if speech.translator else "--glossary" if speech.glossary else ""
    if not given:
        return
    what, remedy = f"nothing is translated, so {given} does nothing", "Leave it out"
    if speech.line:
        what = f"the line is said as it is, so {given} does nothing"
    elif speech.script is not None and not speech.to:
        remedy = "Name the language of the dub with --to, or leave it out"
    elif speech.script is not None and not _tells_language(speech.script, speech):
        what = f"nothing tells that the script is not in '{speech.to}', so {given} would do nothing"
        remedy = f"Name the script's language: --source-language en, or {speech.script.stem}.en{speech.script.suffix}"
    elif speech.script is not None:
        what = f"the script is in '{speech.to}' already, so {given} does nothing"
    raise OptionError(what, file=None if speech.line else speech.script, remedy=remedy)


def _tells_language(script: Path, speech: SpeechOptions) -> bool:
    """Whether the language of a script is known, and not only taken to be that of the dub."""
    known = language_in_name(script) or speech.source_language
    return bool(known) or all(line.language for line in read_script(script).lines)


def known_lines(clip: Clip, speech: SpeechOptions, script: ScriptLines | None) -> tuple[Line, ...]:
    """The lines as far as they are known before the work: whose they are and in which language they will be said.

    Voices may be named for people who will be seen to say lines: there is a line for each of them, too.
    """
    if script is None:
        lines = numbered([Line(speech.line or "1", clip.span, speech.to)])
    else:
        lines = tuple(replace(line, language=speech.to or line.language) for line in script.lines)
    unnamed = next((line for line in lines if not line.speaker), None)
    seen = () if unnamed is None else tuple(replace(unnamed, speaker=who) for who in people_with_voices(speech.voice))
    return (*lines, *seen)
