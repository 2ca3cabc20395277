"""Each step of a dub's sound by itself: transcribe, translate, speak. What one step writes can be edited before the
next."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipdub import weights
from lipdub.disk.publish import atomic_output, check_output_path
from lipdub.errors import NoSound, OptionError
from lipdub.media.probe import chosen_sound_stream, container_start, open_clip, probe
from lipdub.review.report import SpeechReport
from lipdub.studio.caller import AskPeople, granted_by_caller
from lipdub.studio.deliver.credentials import sign_speech
from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.language_names import check_language, language_in_name
from lipdub.studio.options import (
    CredentialOptions,
    DubOptions,
    RecogniserOptions,
    SpeakOptions,
    TranslatorOptions,
    VoiceOptions,
)
from lipdub.studio.plan.dub_speech import SpeechRecorder, VoicedLines, write_speech
from lipdub.studio.plan.fitted_speech import FittedSpeech
from lipdub.studio.plan.lines import DubLines, recognised_lines, shifted, translated
from lipdub.studio.plan.speaker_pitch import speaker_pitch
from lipdub.studio.plan.spoken_notice import check_notice, notice_line, with_notice
from lipdub.studio.plan.voice_reference import recognised_sample, with_references
from lipdub.studio.preflight.consent import ensure_consent
from lipdub.studio.progress import Listener, silent
from lipdub.studio.session import Session, open_session
from lipdub.studio.signing import check_signing, make_key, signing_key
from lipdub.studio.speech_account import speech_account
from lipdub.studio.tools import Tools
from lipdub.studio.track_features import SoundTrack, TrackFeatures, clip_features, track_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import numbered
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.source_timing import source_phrases
from lipdub.words_to_sound.script.read import ReadOptions, read_script
from lipdub.words_to_sound.script.write import check_script_name, write_script
from lipdub.words_to_sound.translate.length_budget import natural_duration
from lipdub.words_to_sound.translate.translate import PairTranslator
from lipdub.words_to_sound.voices.choose import check_voices
from lipdub.words_to_sound.voices.cloning import check_references, needs_reference

TAIL = Fraction(1)
"""Seconds after the last line of a script that is spoken without a clip."""


@dataclass(frozen=True)
class StepCaller:
    """Who asks for a step: how to tell them of progress, how to ask them for downloads and for the consent of people
    whose voices are imitated, and whether files may be replaced."""

    listener: Listener = silent
    ask_download: weights.AskDownload | None = None
    overwrite: bool = False
    ask_people: AskPeople = granted_by_caller

    def check(self, output: Path, *inputs: Path | None) -> None:
        """Raises ``OutputError`` if ``output`` may not be written, or is one of ``inputs`` (None: not given)."""
        check_output_path(output, [path for path in inputs if path is not None], overwrite=self.overwrite)

    def tools(self) -> Tools:
        """Tools for one step."""
        return Tools(DubOptions(), self.ask_download)

    @contextmanager
    def session(self, tools: Tools) -> Iterator[Session]:
        """A session for one step, its speech analyser ready. Raises ``OutputError`` if there is no place to work in."""
        with open_session(listener=self.listener, tools=tools) as session:
            _ = session.scratch, session.tools.analyser
            yield session


def transcribe(
    source: Path,
    output: Path,
    language: str = "",
    recogniser: str = "whisper",
    caller: StepCaller = StepCaller(),
    audio_stream: int | None = None,
) -> DubLines:
    """Write the words of ``source`` to the script ``output`` (.srt, .vtt, .json), counted from where players start it.
    They are those of its sound stream ``audio_stream``, counted from 0 (None: the one that players play).

    Raises ``InputError``, ``OutputError`` or what the recogniser raises.
    """
    check_script_name(output)
    check_language(language, "--language")
    caller.check(output, source)
    if not probe(source).has_sound:
        raise NoSound("there is no sound in it", file=source, remedy="Give a file with speech")
    tools = caller.tools()
    tools.recogniser(recogniser)
    with caller.session(tools) as session:
        track = SoundTrack(source, chosen_sound_stream(source, audio_stream))
        found = track_features(track, session)
        words = recognised_lines(track, found.features, recogniser, language, session)
        start = container_start(source)
        session.inputs.check_unchanged()
        lines = tuple(shifted(line, -start) for line in words.lines)
        write_script(output, lines, overwrite=caller.overwrite)
        return replace(words, notes=(*found.damage.warnings_about("the sound"), *words.notes))


def translate(
    script: Path,
    output: Path,
    to: str,
    options: TranslatorOptions,
    caller: StepCaller = StepCaller(),
) -> DubLines:
    """Write ``script`` in the language ``to`` to the script ``output``, each line short enough for its time.

    Raises ``InputError``, ``OutputError``, ``OptionError`` without a translator, ``ServiceError``.
    """
    translator, glossary = options.translator, options.glossary
    if not translator:
        raise OptionError("no translator is given", remedy="Name one with --translator, e.g. openai:URL#MODEL")
    check_script_name(output)
    check_language(to, "--to")
    check_language(options.source_language, "--source-language")
    caller.check(output, script, glossary)
    lines = _read(script, language=options.source_language)
    if all(same_language(line.language, to) for line in lines.lines):
        what = f"the script is in '{lines.language}' already, so there is nothing to translate"
        raise OptionError(what, file=script, remedy="Check --to and the name of the script")
    tools = caller.tools()
    who = tools.translator(translator, lines.language, to)
    if isinstance(who, PairTranslator) and not same_language(lines.language, to):
        who.check_pair(lines.language, to)
    with caller.session(tools) as session:
        lines = translated(lines, to, translator, glossary, session)
        write_script(output, lines.lines, overwrite=caller.overwrite)
    return lines


def speak(
    script: Path,
    output: Path,
    clip: Path | None = None,
    voices: SpeakOptions = SpeakOptions(),
    caller: StepCaller = StepCaller(),
    audio_stream: int | None = None,
) -> SpeechReport:
    """Write ``script`` as speech to ``output`` (.flac, .wav; mono, 48 kHz): fitted to where ``clip`` speaks and as long
    as it, or at the script's own times. ``audio_stream``: in which of the clip's sound streams, counted from 0 (None:
    the one that players play).

    ``voices`` say whether a notice is spoken first, which makes the sound longer, and whether the file is signed.
    Voices that imitate the people in ``clip`` need their consent, which is asked for. Raises ``InputError``,
    ``OutputError``, what voices raise, and what ``caller.ask_people`` raises.
    """
    if output.suffix.lower() not in (".flac", ".wav"):
        raise OptionError("is no file type that speech is written to", file=output, remedy="Name it .flac or .wav")
    check_language(voices.to, "--to")
    caller.check(output, script, clip, voices.sign_key, voices.sign_cert)
    if clip is not None and voices.notice is not False:
        what = "a notice would move the speech away from the picture of the clip"
        raise OptionError(what, file=clip, remedy="Leave out --notice, and give the film a label: lipdub dub --label")
    check_signing(voices, output)
    picture = open_clip(clip, sound=audio_stream) if clip is not None else None
    lines = _read(script, picture, voices.to)
    _check_language_spoken(lines, voices.to)
    notice = notice_line(voices.notice, lines)
    tools = caller.tools()
    named = tools.voices(lines.lines, voices.voice)
    check_voices(lines.lines, named)
    check_references(named, picture is not None and picture.has_sound)
    check_notice(notice, named)
    tools.check_likeness(voices.voice_likeness)
    make_key(voices, output)
    with caller.session(tools) as session:
        if picture is not None and any(map(needs_reference, named.values())):
            ensure_consent(picture.path, session.inputs.digest(picture.path), voices.consent, caller.ask_people)
        lines = with_notice(lines, notice, named, session)
        made = session.scratch / f"speech{output.suffix.lower()}"
        sound = clip_features(picture, session) if picture is not None and picture.has_sound else None
        speech = _spoken(lines, picture, sound, voices, made, session)
        session.inputs.check_unchanged()
        doubts = [] if picture is None else [f"the clip: {doubt}" for doubt in picture.warnings]
        doubts += [] if sound is None else sound.damage.warnings_about("the clip's sound")
        with atomic_output(output, overwrite=caller.overwrite) as part:
            doubts += _delivered(made, part, output, speech, voices)
    return speech_account(speech, notes=doubts)


def _delivered(made: Path, part: Path, output: Path, speech: DubSpeech, options: CredentialOptions) -> list[str]:
    """Write the sound ``made`` to ``part``, which will be called ``output``, signed if that is asked for; returns
    sentences for the report."""
    if not options.credentials:
        shutil.copyfile(made, part)
        return []
    return [sign_speech(made, part, output.name, speech, signing_key(options))]


def _spoken(
    lines: DubLines,
    clip: Clip | None,
    sound: TrackFeatures | None,
    options: VoiceOptions,
    output: Path,
    session: Session,
) -> DubSpeech:
    """``lines`` as speech in the file ``output``: where ``clip`` speaks, or at their own times without one."""
    features = None if sound is None else sound.features
    windows = () if features is None else source_phrases(features)
    whole = _whole(lines) if clip is None else Span(clip.start, clip.span.end)
    like = options.voice_likeness
    pitch = None if clip is None or features is None else speaker_pitch(clip, lines.lines, windows, session, like)
    voices = session.tools.voices(lines.lines, options.voice, pitch)
    read = recognised_sample(RecogniserOptions.recogniser, session)
    voices = with_references(voices, lines.lines, clip, features, read)
    fitted = FittedSpeech(lines, voices, session)
    voiced = VoicedLines(fitted.placed(windows, whole, options.duration_fit), fitted.models, fitted.notes)
    recorder = SpeechRecorder(voiced.lines)
    write_speech(output, recorder.pass_on, whole)
    return recorder.speech(output, lines, voiced)


def _whole(lines: DubLines) -> Span:
    """From 0 to a little after the last line, which may take longer to say than its span."""
    last = max(lines.lines, key=lambda line: line.span)
    said = last.span.start + natural_duration(last.text, last.language)
    return Span(Fraction(0), max(said, *(line.span.end for line in lines.lines)) + TAIL)


def _check_language_spoken(lines: DubLines, to: str) -> None:
    """Raise ``OptionError`` if lines are in another language than ``to`` ("": any)."""
    other = next((line for line in lines.lines if to and not same_language(line.language, to)), None)
    if other is not None:
        raise OptionError(
            f"the script is in '{other.language}', not in '{to}'",
            file=lines.name,
            remedy=f"Translate it first: lipdub translate SCRIPT --to {to} --translator ...",
        )


def _read(script: Path, clip: Clip | None = None, language: str = "") -> DubLines:
    """The lines of a script with times, those after the end of ``clip`` left out. ``language`` is theirs where neither
    they nor the name of the script tell it. Raises ``InputError``."""
    how = ReadOptions(language_in_name(script) or language)
    if clip is not None:
        how = replace(how, start=clip.start, end=clip.span.end)
    read = read_script(script, how)
    if not read.timed:
        raise OptionError(
            "this script has no times", file=script, remedy="Give SRT, VTT, ASS or JSON, or use it with 'lipdub dub'"
        )
    language = next((line.language for line in read.lines if line.language), "")
    if not language:
        name = f"{script.stem}.es{script.suffix}"
        remedy = f"Name it like {name}, or give it: --to to speak, --source-language to translate"
        raise OptionError("the script's language is not known", file=script, remedy=remedy)
    return DubLines(numbered(read.lines), language, script, notes=read.notes)
