"""The sound of a dub: speech alone, which the lips follow, and the mix that is heard."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.compose.mix.stems import MixFormat, speech_stem, stem_blocks
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sound
from lipdub.review.report import Speech
from lipdub.studio.likeness import likened
from lipdub.studio.options import SpeechOptions
from lipdub.studio.proof import Proof, heard_again
from lipdub.studio.room import Room, whole_of
from lipdub.studio.timbre import heights_of
from lipdub.studio.voicing import RATE, Voicing, voices_for
from lipdub.studio.words import Words
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.aims import source_windows
from lipdub.words_to_sound.duration_fit.check import onset_errors


@dataclass(frozen=True, eq=False)
class Dialogue:
    """The speech of a dub, in two files that begin where players start the clip: ``guide``, speech alone, which the
    lips follow, and ``track``, which is heard. ``name`` is what the report calls it.

    ``lines`` are what is said, in the spans in which it is finally said; ``by_engine`` those that the engine itself
    spoke, as it was given them. ``account`` tells how it came about, if it was made here.
    """

    guide: Path
    track: Path
    name: Path
    lines: tuple[Line, ...] = ()
    by_engine: tuple[Line, ...] = ()
    account: Speech | None = None


@dataclass(frozen=True, eq=False)
class Spoken:
    """Lines with their sound in order of time, taken once; who says them (by speaker); and ``notes`` that are complete
    when all were taken."""

    lines: Iterable[PlacedLine]
    voices: dict[str, ModelUsed]
    notes: Iterable[str]


@dataclass(eq=False)
class Said:
    """Lines on their way into the sound (``source``, taken once), and who says them, by speaker. Of each line is kept
    what the report needs, and not its samples."""

    source: Iterable[PlacedLine]
    voices: Mapping[str, ModelUsed]
    lines: list[PlacedLine] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def pass_on(self) -> Iterator[PlacedLine]:
        """The lines in order, once."""
        for line in self.source:
            self.late += [float(error) for error in onset_errors([line])]
            quiet = np.broadcast_to(np.float32(0), line.sound.samples.shape)
            self.lines.append(replace(line, sound=Sound(quiet, line.sound.rate, line.sound.start)))
            yield line

    @property
    def texts(self) -> list[Line]:
        """What was said, once all lines passed."""
        return [line.line for line in self.lines]

    def account(self, words: Words, notes: Iterable[str]) -> Speech:
        """What was said, once all lines passed; ``notes`` beside those of ``words``."""
        originals = {(at.span, at.speaker): text for at, text in zip(words.lines, words.originals, strict=True)}
        return Speech(
            language=words.language,
            lines=tuple(self._told(line, originals) for line in self.lines),
            voices=tuple(dict.fromkeys(self.voices.values())),
            helpers=words.helpers,
            figures=self._figures(),
            notes=tuple(dict.fromkeys((*words.notes, *notes))),
        )

    def _told(self, line: PlacedLine, originals: Mapping[tuple[Span, str], str]) -> SaidLine:
        voice = self.voices.get(line.line.speaker)
        return SaidLine(
            span=line.span,
            aim=line.aim,
            text=line.line.text,
            original=originals.get((line.line.span, line.line.speaker), ""),
            speaker=line.line.speaker,
            voice=voice.name if voice else "",
            rate=line.rate,
            missing=line.missing,
        )

    def _figures(self) -> dict[str, float]:
        """Rates, seconds by which lines begin early or late, and seconds that did not fit."""
        if not self.lines:
            return {}
        rates = [line.rate for line in self.lines]
        figures = {"fastest_rate": max(rates), "slowest_rate": min(rates)}
        if self.late:
            figures["median_onset_error"] = float(np.median(np.abs(self.late)))
        return figures | {"seconds_missing": float(sum(line.missing for line in self.lines))}


def brought(clip: Clip, audio: Path, speech: SpeechOptions, features: SpeechFeatures | None, room: Room) -> Dialogue:
    """The user's own dub track, untouched; or, if asked for, mixed into the clip's sound."""
    if not speech.mix:
        return Dialogue(audio, audio, audio)
    from lipdub.studio.mixing import levels, mix

    said = speech_spans(room.hear_dub(audio, clip))
    track, report = mix(clip, (audio, said), speech, features, room)
    return Dialogue(audio, track, audio, account=Speech(speech.to, figures=levels(report), notes=report.notes))


def spoken(clip: Clip, words: Words, speech: SpeechOptions, features: SpeechFeatures | None, room: Room) -> Dialogue:
    """Let voices say ``words`` where the clip speaks (``heard``; None: it is silent), and mix them into its sound."""
    windows = source_windows(features) if features is not None else ()
    voices = voices_for(words.lines, speech, heights_of(clip, words.lines, windows))
    voicing = Voicing(words, likened(voices, words.lines, clip, features), room)
    lines = voicing.fitted(windows, clip.span, speech.fit)
    return finished(clip, words, Spoken(lines, voicing.cards, voicing.notes), speech, features, room)


def finished(
    clip: Clip, words: Words, voiced: Spoken, speech: SpeechOptions, features: SpeechFeatures | None, room: Room
) -> Dialogue:
    """The dialogue of lines that were spoken: written, mixed, and heard again to check it."""
    from lipdub.studio.mixing import levels, mix

    said = Said(voiced.lines, voiced.voices)
    guide = room.scratch / "dialogue.flac"
    write_dialogue(guide, said.pass_on, whole_of(clip))
    track, report = mix(clip, (guide, tuple(line.span for line in said.lines)), speech, features, room)
    check = heard_again(guide, clip, said.texts, speech.recogniser, room) if speech.proof else Proof()
    account = said.account(words, (*voiced.notes, *report.notes, *check.notes))
    account = replace(
        account,
        helpers=tuple(dict.fromkeys((*account.helpers, *check.helpers))),
        figures={**account.figures, **check.figures, **levels(report)},
    )
    final = tuple(replace(line.line, span=line.span, words=()) for line in said.lines)
    return Dialogue(guide, track, words.name, final, account=account)


def write_dialogue(path: Path, lines: Callable[[], Iterable[PlacedLine]], whole: Span, rate: int = RATE) -> None:
    """Write ``lines`` as mono sound (.flac or .wav) over ``whole``, exactly as long. Raises ``OutputError``."""
    canvas = MixFormat.for_span(whole, rate, ("FC",))
    write_sound(path, stem_blocks(speech_stem(lines, canvas), canvas), SoundFormat(rate, ("FC",)))
