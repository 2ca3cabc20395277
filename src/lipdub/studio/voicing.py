"""Voices say the lines, and every line is brought to its time: shorter or faster words before stretched sound."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lipdub.errors import OptionError, ServiceError
from lipdub.studio.options import VoiceOptions
from lipdub.studio.room import Room
from lipdub.studio.words import Words
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.notes import Notes, listed, short
from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine, measure_line
from lipdub.words_to_sound.duration_fit.plan import FitOptions, LinePlacement, plan_fit
from lipdub.words_to_sound.duration_fit.render import render_line
from lipdub.words_to_sound.duration_fit.respeak import (
    FASTEST_VOICE,
    SLOWEST_VOICE,
    RespeakRequest,
    respeak_requests,
)
from lipdub.words_to_sound.duration_fit.source_timing import source_timings
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.voices.assign import AssignedVoice, SpeakerPitch, assign_voices
from lipdub.words_to_sound.voices.languages import unsupported_language
from lipdub.words_to_sound.voices.speak import speak_line
from lipdub.words_to_sound.voices.speakable_text import latin_text, non_latin_letters, speakable_text

DEFAULT_VOICE = "nanotts"
"""Who speaks if nobody is named: needs no network and no download."""

RATE = 48_000
"""Samples per second of speech that is placed."""

ROUNDS = 3
"""How often lines that are too long are said anew."""

SHORTER = 2
"""How often one line is rendered shorter."""


def voices_for(
    lines: Sequence[Line], options: VoiceOptions, heights: SpeakerPitch | None = None
) -> dict[str, AssignedVoice]:
    """A voice for every speaker; those that are not named are as high as ``heights`` tells, if the voice can be.

    Raises ``OptionError`` for a voice or a speaker that is not there.
    """
    speakers = list(dict.fromkeys(line.speaker for line in lines))
    named, shared = {}, []
    for text in options.voice:
        head, equals, tail = text.partition("=")
        if not equals or ":" in head:
            shared.append(text)
            continue
        meant = [s for s in speakers if s.casefold() == head.strip().casefold()]
        if not meant:
            known = listed(s or "(no name)" for s in speakers)
            raise OptionError(f"nobody called '{head}' speaks", remedy=f"Speakers: {known}")
        if named.keys() & set(meant):
            raise OptionError(f"'{head}' is given two voices", remedy="Give --voice once for each speaker")
        named |= dict.fromkeys(meant, tail)
    if len(shared) > 1:
        raise OptionError(
            f"--voice {redacted(shared[0])} and --voice {redacted(shared[1])} are both for everybody",
            remedy=f"Say who speaks with which: --voice 'NAME={redacted(shared[1])}'",
        )
    return assign_voices(speakers, shared[0] if shared else DEFAULT_VOICE, named, heights)


def check_voices(lines: Sequence[Line], voices: Mapping[str, AssignedVoice]) -> None:
    """Raises ``OptionError`` for a line in a language that its voice does not speak, or if none of the lines can be
    said at all."""
    unable = None
    for line in lines:
        card = voices[line.speaker].voice.card
        if card.languages and not any(same_language(tag, line.language) for tag in card.languages):
            raise unsupported_language(card.name, card.languages, line)
        unable = unable or (None if _readable(line, voices) else line)
    if unable is not None and not any(_readable(line, voices) for line in lines):
        name = voices[unable.speaker].voice.card.name
        raise OptionError(
            f"the voice {name} cannot read any of the lines, e.g. '{unable.text[:40]}'",
            at=unable.span.start,
            remedy="Check the language, or name another voice with --voice",
        )


def _readable(line: Line, voices: Mapping[str, AssignedVoice]) -> bool:
    """Whether there is something to say that the voice can read: the offline voices know Latin letters alone."""
    text = speakable_text(line.text, line.language)
    if text and _latin_alone(voices[line.speaker]):
        text = latin_text(text, line.language)
    return any(c.isalnum() for c in text)


def _latin_alone(speaker: AssignedVoice) -> bool:
    return speaker.voice.card.name == DEFAULT_VOICE


@dataclass(eq=False)
class Voicing:
    """Lines on their way to be heard: their texts and paces change until they fit, or nobody knows a better way."""

    words: Words
    voices: dict[str, AssignedVoice]
    room: Room
    lines: list[Line] = field(default_factory=list, init=False)
    numbers: list[int] = field(default_factory=list, init=False)  # of the lines among the words
    paces: list[float] = field(init=False)
    tries: list[int] = field(init=False)
    silent: bool = field(default=False, init=False)  # whoever puts lines shorter does not answer any more
    notes: Notes = field(default_factory=Notes)

    def __post_init__(self) -> None:
        """Begin with the words as they are; what cannot be said is left out, and noted."""
        for number, line in enumerate(self.words.lines):
            letters = non_latin_letters(line.text) if _latin_alone(self.voices[line.speaker]) else ""
            if not speakable_text(line.text, line.language):
                self._noted("{} lines have nothing to be said", "'{}' has nothing to be said", line.text)
            elif not _readable(line, self.voices):
                many = f"{DEFAULT_VOICE} cannot read {{}} lines, which are not said"
                self._noted(many, f"{DEFAULT_VOICE} cannot read '{{}}', which is not said", line.text)
            else:
                if letters:
                    many = f"in {{}} lines are letters that {DEFAULT_VOICE} cannot read and leaves out"
                    self._noted(many, f"{DEFAULT_VOICE} cannot read '{{}}' and leaves it out", letters)
                self.lines.append(line)
                self.numbers.append(number)
        self.paces, self.tries = [1.0] * len(self.lines), [0] * len(self.lines)

    def _noted(self, many: str, one: str, text: str) -> None:
        """Note a line by its ``text``, which stands for {} in ``one``."""
        self.notes.add(many, one.replace("{}", short(text), 1), f"'{short(text)}'")

    @property
    def cards(self) -> dict[str, ModelUsed]:
        """Who speaks for whom, for the report."""
        return {name: ModelUsed(s.voice.card.name, s.voice.card.licence) for name, s in self.voices.items()}

    def fitted(self, windows: Sequence[Span], whole: Span, fit: str = "audio") -> Iterator[PlacedLine]:
        """The lines as they will be heard, in order of time; ``windows`` is when the clip speaks, ``whole`` its span.

        Sound is read line by line as the result is taken, so that memory does not grow with the programme.
        """
        with self.room.clock.stage("speak"):
            count = len(self.lines)
            every = [measure_line(self._say(i)) for i in self.room.clock.counted("speak", range(count), count)]
        with self.room.clock.stage("fit"):
            for placement in self._placed(every, windows, whole, FitOptions(stretch=fit == "audio", sample_rate=RATE)):
                yield render_line(placement, self._say(placement.index))

    def _placed(
        self, every: list[MeasuredLine], windows: Sequence[Span], whole: Span, options: FitOptions
    ) -> tuple[LinePlacement, ...]:
        targets = source_timings(self.lines, windows)
        for _ in range(ROUNDS):
            placements = plan_fit(every, targets, whole.end, options)
            if not options.stretch:
                return placements
            better = [wish.index for wish in respeak_requests(placements, every) if self._try(wish)]
            for index in better:
                every[index] = measure_line(self._say(index))
            if not better:
                return placements
        return plan_fit(every, targets, whole.end, options)

    def _say(self, index: int) -> SpokenLine:
        line = self.lines[index]
        return speak_line(line, self.voices[line.speaker], self.paces[index], self.room.store.folder)

    def _try(self, wish: RespeakRequest) -> bool:
        """Change a line as wished: its words, if somebody can, else its pace. False if nothing can be changed."""
        index, line = wish.index, self.lines[wish.index]
        if wish.characters and self.words.shorten is not None and self.tries[index] < SHORTER:
            self.tries[index] += 1
            text = self._shorter(index, len(line.text) - wish.characters)
            if text and len(text) < len(line.text):
                many = "{} lines were said shorter to fit their time"
                self.notes.add(many, f"'{line.text}' was said shorter to fit its time: '{text}'", f"'{short(text)}'")
                self.lines[index] = replace(line, text=text)
                return True
        pace = min(FASTEST_VOICE, max(SLOWEST_VOICE, self.paces[index] * wish.pace))
        changed = abs(pace - self.paces[index]) > 0.01
        self.paces[index] = pace
        return changed

    def _shorter(self, index: int, characters: int) -> str:
        """A shorter text for a line; "" once nobody can be asked: the line stays, and the dub goes on."""
        if self.words.shorten is None or self.silent:
            return ""
        try:
            return self.words.shorten(self.numbers[index], self.lines[index].text, characters)
        except ServiceError as failed:
            self.silent = True
            told = f"lines that are too long were not put shorter ({failed.what})"
            self.notes.add(told, told, "")
            return ""
