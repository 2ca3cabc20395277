"""The speech of a dub: the user's own track, or lines that voices speak and that are fitted to the clip's speech."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path

import numpy as np

from lipdub.compose.mix.stems import MixFormat, speech_stem, stem_blocks
from lipdub.errors import OptionError
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sound
from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import DubSpeech, LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.casting import casting_note
from lipdub.studio.plan.fitted_speech import RATE, FittedSpeech
from lipdub.studio.plan.lines import DubLines
from lipdub.studio.plan.speaker_pitch import speaker_pitch
from lipdub.studio.plan.voice_reference import recognised_sample, with_references
from lipdub.studio.session import Session
from lipdub.studio.track_features import clip_features, whole_of
from lipdub.timeline.clip import Clip
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.notes import listed
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.timeline.take import LineVoice
from lipdub.timeline.time import Span, timecode
from lipdub.words_to_sound.duration_fit.onset_errors import onset_errors
from lipdub.words_to_sound.duration_fit.source_timing import source_phrases


@dataclass(frozen=True, eq=False)
class VoicedLines:
    """Lines with their sound in order of time, which can be taken once; the voice of each, by line id; and ``notes``
    that are complete when all lines were taken."""

    lines: Iterable[PlacedLine]
    voices: Mapping[str, ModelUsed]
    notes: Iterable[str]


@dataclass(eq=False)
class SpeechRecorder:
    """Passes lines on to where their sound is written, and keeps of each what the report needs, without its samples.

    With a folder ``voices``, the samples of every line are kept there, too, in ``files`` by line id.
    """

    source: Iterable[PlacedLine]
    voices: Path | None = None
    lines: list[PlacedLine] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    onset_errors: list[float] = field(default_factory=list)

    def pass_on(self) -> Iterator[PlacedLine]:
        """The lines in order, once."""
        for line in self.source:
            self.onset_errors += [float(error) for error in onset_errors([line])]
            self._keep(line)
            quiet = np.broadcast_to(np.float32(0), line.sound.samples.shape)
            self.lines.append(replace(line, sound=Sound(quiet, line.sound.rate, line.sound.start)))
            yield line

    def _keep(self, line: PlacedLine) -> None:
        if self.voices is not None and line.line.id not in self.files:
            self.voices.mkdir(parents=True, exist_ok=True)
            self.files[line.line.id] = self.voices / f"{len(self.files)}.npy"
            np.save(self.files[line.line.id], line.sound.samples)

    def speech(self, track: Path, source: DubLines, voiced: VoicedLines) -> DubSpeech:
        """The speech that lies in ``track``, once all lines were passed on; ``source`` are the lines as planned."""
        return DubSpeech(
            track=track,
            name=source.name,
            language=source.language,
            lines=tuple(replace(line.line, span=line.span, words=()) for line in self.lines),
            said=tuple(_said_line(line, source.originals, voiced.voices) for line in self.lines),
            voices=tuple(dict.fromkeys(voiced.voices.values())),
            helpers=source.helpers,
            metrics=self._metrics(),
            notes=tuple(dict.fromkeys((*source.notes, *voiced.notes))),
            line_voices={line.line.id: voice for line in self.lines if (voice := self._line_voice(line, voiced))},
        )

    def _line_voice(self, line: PlacedLine, voiced: VoicedLines) -> LineVoice | None:
        file, model = self.files.get(line.line.id), voiced.voices.get(line.line.id)
        if file is None:
            return None
        return LineVoice(
            file=file,
            span=line.span,
            source_span=line.source_span,
            text=line.line.text,
            rate=line.rate,
            missing=line.missing,
            model=model.name if model else "",
            licence=model.licence if model else "",
        )

    def _metrics(self) -> dict[str, float]:
        """Rates, seconds by which lines begin early or late, and seconds that did not fit."""
        if not self.lines:
            return {}
        rates = [line.rate for line in self.lines]
        metrics = {"fastest_rate": max(rates), "slowest_rate": min(rates)}
        if self.onset_errors:
            metrics["median_onset_error"] = float(np.median(np.abs(self.onset_errors)))
        return metrics | {"seconds_missing": float(sum(line.missing for line in self.lines))}


def _said_line(line: PlacedLine, originals: Mapping[str, str], voices: Mapping[str, ModelUsed]) -> SaidLine:
    voice = voices.get(line.line.id)
    return SaidLine(
        span=line.span,
        source_span=line.source_span,
        text=line.line.text,
        original=originals.get(line.line.id, ""),
        speaker=line.line.speaker,
        voice=voice.name if voice else "",
        rate=line.rate,
        missing=line.missing,
    )


def brought_speech(audio: Path, language: str) -> DubSpeech:
    """The user's own dub track, whose words are not known."""
    return DubSpeech(audio, audio, brought=True, language=language)


def spoken_speech(
    job: Job, lines: DubLines, analysis: Analysis, session: Session, choices: LineChoices = LineChoices()
) -> DubSpeech:
    """``lines``, spoken by voices where the clip speaks; those that ``choices`` keep are not spoken again.

    Raises ``OptionError`` for voices that cannot be used and, if the options refuse them, for lines that do not fit,
    ``ServiceError`` or what else voices raise, and ``OutputError`` if the disk refuses.
    """
    voiced = voiced_lines(job, lines, analysis, session, choices)
    made = written_speech(job, lines, voiced, session)
    said = zip(choices.cast(made.lines), made.said, strict=True)
    made = replace(made, said=tuple(replace(one, speaker=line.speaker) for line, one in said))
    if job.options.if_longer == "refuse":
        _refuse_long_lines(made.said, job.clip)
    return replace(made, new=frozenset(line.id for line in lines.lines if line.id not in choices.kept))


def voiced_lines(
    job: Job, lines: DubLines, analysis: Analysis, session: Session, choices: LineChoices = LineChoices()
) -> VoicedLines:
    """``lines`` with the sound of voices, where the clip speaks. They are spoken as the result is taken.

    Raises ``OptionError`` for voices that cannot be used; ``ServiceError`` or what else voices raise may come later.
    """
    clip, speech, source = job.clip, job.speech, None if analysis.sound is None else analysis.sound.features
    filmed, every = clip.as_filmed(), choices.cast(sorted((*lines.lines, *choices.later), key=lambda line: line.span))
    if clip.retimed:  # pitch, references and when the source speaks are taken from the file, on its own clock
        source = None if source is None else clip_features(filmed, session).features
        every = tuple(replace(line, span=clip.clock.file_span(line.span)) for line in every)
    windows = source_phrases(source) if source is not None else ()
    new = [line for line in lines.lines if line.id not in choices.kept]
    pitch = speaker_pitch(filmed, every, windows, session, speech.voice_likeness) if new else None
    voices = session.tools.voices(every, speech.voice, pitch) if new else {}
    single = {
        line.id: session.tools.voices([line], (choices.voices[line.id],), pitch)[line.speaker]
        for line in choices.cast(new)
        if choices.voices.get(line.id)
    }
    read = recognised_sample(speech.recogniser, session)
    fitted = FittedSpeech(
        lines,
        with_references(voices, every, filmed, source, read),
        session,
        choices,
        with_references(single, every, filmed, source, read),
        clip.clock,
    )
    notes = chain(fitted.notes, [casting_note(choices.speakers)] if choices.speakers else [])
    return VoicedLines(fitted.placed(windows, clip.span, speech.duration_fit), fitted.models, notes)


def _refuse_long_lines(said: Iterable[SaidLine], clip: Clip) -> None:
    """Raise ``OptionError`` that names the lines whose speech does not fit their time, and by how much."""
    long = [line for line in said if line.missing > 0]
    if not long:
        return
    told = listed(f"{timecode(line.span.start - clip.start)} by {float(line.missing):.2f} s" for line in long)
    raise OptionError(
        f"too much is said for the time of {len(long)} line{'' if len(long) == 1 else 's'}: {told}",
        file=clip.path,
        remedy="Shorten the text, or leave out --if-longer refuse: then the ends of these lines are cut",
    )


def written_speech(job: Job, lines: DubLines, voiced: VoicedLines, session: Session) -> DubSpeech:
    """The speech of ``voiced`` lines in a file of the session. Raises ``OutputError`` if the disk refuses."""
    number = next(n for n in count(1) if not (session.scratch / f"dialogue-{n}.flac").exists())
    track = session.scratch / f"dialogue-{number}.flac"
    recorder = SpeechRecorder(voiced.lines, session.scratch / f"voices-{number}")
    write_speech(track, recorder.pass_on, whole_of(job.clip))
    return recorder.speech(track, lines, voiced)


def write_speech(path: Path, lines: Callable[[], Iterable[PlacedLine]], whole: Span, rate: int = RATE) -> None:
    """Write ``lines`` as mono sound (.flac or .wav) over ``whole``, exactly as long. Raises ``OutputError``."""
    canvas = MixFormat.for_span(whole, rate, ("FC",))
    write_sound(path, stem_blocks(speech_stem(lines, canvas), canvas), SoundFormat(rate, ("FC",)))
