"""Lines are spoken and brought to their time: shorter or faster words first, then time-stretched sound."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from heapq import merge
from pathlib import Path

import numpy as np

from lipdub.errors import InputError, LipdubError
from lipdub.studio.dub_plan import LineChoices
from lipdub.studio.plan.lines import DubLines
from lipdub.studio.plan.voice_requests import VoiceRequests
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.retiming import SAME_CLOCK, Retiming
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.timeline.take import LineVoice
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrase_alignment import AlignedPhrases, align_phrases
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine, measure_line
from lipdub.words_to_sound.duration_fit.plan import FitOptions, LinePlacement, plan_fit
from lipdub.words_to_sound.duration_fit.render import render_line
from lipdub.words_to_sound.duration_fit.respeak import (
    FASTEST_VOICE,
    SLOWEST_VOICE,
    RespeakRequest,
    respeak_requests,
    worth_a_request,
)
from lipdub.words_to_sound.duration_fit.separate_parts import join_parts
from lipdub.words_to_sound.duration_fit.source_breaks import parts_at_breaks, text_with_breaks, text_without_breaks
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming, source_timings
from lipdub.words_to_sound.voices.assign import AssignedVoice, voice_described
from lipdub.words_to_sound.voices.choose import can_read, reads_latin_only
from lipdub.words_to_sound.voices.speak import speak_line
from lipdub.words_to_sound.voices.speakable_text import non_latin_letters, speakable_text

RATE = 48_000
"""Samples per second of speech that is placed."""

ROUNDS = 3
"""How often lines that are too long are spoken anew."""

SHORTER = 2
"""How often one line is rendered shorter."""


@dataclass(eq=False)
class FittedSpeech:
    """Lines that are spoken and fitted: their texts and paces change until they fit, or nothing more can be changed.

    ``voices`` speak, by speaker; ``line_voices`` speak single lines, by line id. Lines that ``choices`` keep are not
    spoken again. What cannot be said is left out, and noted. ``clock`` is that of the clip and its file. ``notes`` are
    complete when all lines were taken.
    """

    source: DubLines
    voices: Mapping[str, AssignedVoice]
    session: Session
    choices: LineChoices = LineChoices()
    line_voices: Mapping[str, AssignedVoice] = field(default_factory=dict)
    clock: Retiming = SAME_CLOCK
    lines: list[Line] = field(default_factory=list, init=False)
    paces: list[float] = field(init=False)
    parts: dict[int, tuple[str, ...]] = field(default_factory=dict, init=False)  # texts that pause with the source
    shortened: list[int] = field(init=False)  # how often each line was rendered shorter
    translator_failed: bool = field(default=False, init=False)
    requests: VoiceRequests = field(default_factory=VoiceRequests, init=False)
    notes: Notes = field(default_factory=Notes)

    def __post_init__(self) -> None:
        """Begin with the lines as they are."""
        for line in self.source.lines:
            if line.id in self.choices.kept:
                continue
            name = self._voice_of(line).voice.card.name
            letters = non_latin_letters(line.text) if reads_latin_only(self._voice_of(line)) else ""
            if not speakable_text(line.text, line.language):
                self._note("{} lines have nothing to be said", "'{}' has nothing to be said", line.text)
            elif not can_read(self._voice_of(line), line):
                many = f"{name} cannot read {{}} lines, which are not said"
                self._note(many, f"{name} cannot read '{{}}', which is not said", line.text)
            else:
                if letters:
                    many = f"in {{}} lines are letters that {name} cannot read and leaves out"
                    self._note(many, f"{name} cannot read '{{}}' and leaves it out", letters)
                self.lines.append(line)
        self.paces, self.shortened = [1.0] * len(self.lines), [0] * len(self.lines)
        self._note_sent_samples()

    def _note_sent_samples(self) -> None:
        """Note whose voice leaves this machine, as the sample that a server imitates."""
        voices = {self.choices.speaker(line): self._voice_of(line) for line in self.lines}
        for speaker, voice in voices.items():
            if voice.reference is not None and not voice.voice.card.local:
                who, long = f"'{speaker}'" if speaker else "the speaker", float(voice.reference.sound.span.duration)
                many = f"samples of the speech of {{}} people were sent to the server {voice.voice.card.name}"
                one = f"{long:.1f} s of the speech of {who} were sent to the server {voice.voice.card.name}"
                self.notes.add(many, one, who)

    def _voice_of(self, line: Line) -> AssignedVoice:
        return self.line_voices.get(line.id) or self.voices[self.choices.speaker(line)]

    def _note(self, many: str, one: str, text: str) -> None:
        """Note a line by its ``text``, which stands for {} in ``one``."""
        self.notes.add(many, one.replace("{}", short(text), 1), f"'{short(text)}'")

    @property
    def models(self) -> dict[str, ModelUsed]:
        """Which voice speaks each line, by its id, for the report."""
        kept = ((line, each.voice) for line, each in self.choices.kept.items())
        models = {line: ModelUsed(voice.model, voice.licence) for line, voice in kept if voice is not None}
        new = ((line, self._voice_of(line)) for line in self.lines)
        return models | {
            line.id: ModelUsed(voice_described(by, line.language), by.voice.card.licence) for line, by in new
        }

    def placed(self, windows: Sequence[Span], whole: Span, fit: str = "audio") -> Iterator[PlacedLine]:
        """The lines with their sound at its place, in order of time. ``windows`` is when the clip speaks, on the
        clock of its file, ``whole`` its span; ``fit`` is ``VoiceOptions.fit``.

        Sound is read line by line as the result is taken, so that memory does not grow with the programme. Raises what
        voices raise.
        """
        clock = self.session.clock
        with clock.stage("speak"):
            count = len(self.lines)
            every = [measure_line(self._speak(i)) for i in clock.counted("speak", range(count), count)]
        with clock.stage("duration fit"):
            kept = sorted(self._kept(), key=lambda line: line.span)
            taken = [(line.line, line.span) for line in kept]
            taken += [(line, line.span) for line in self.choices.later]
            options = FitOptions(stretch=fit == "audio", sample_rate=RATE, occupied=tuple(taken))
            made: Iterable[PlacedLine] = (
                self._moved(p, whole) for p in self._placements(every, windows, whole, options)
            )
            if self.choices.offsets:  # they may change the order
                made = sorted(made, key=lambda line: line.span)
            yield from merge(kept, made, key=lambda line: line.span)
            for told in self.requests.told():
                self.notes.add(told, told, "")

    def _kept(self) -> Iterator[PlacedLine]:
        """The lines that are not spoken again, as they are placed."""
        for line in self.source.lines:
            kept = self.choices.kept.get(line.id)
            if kept is not None and kept.voice is not None:
                yield kept_line(line, kept.voice)

    def _moved(self, placement: LinePlacement, whole: Span) -> PlacedLine:
        """The sound of a placement, moved as far as was chosen for its line, but not out of ``whole``."""
        spoken = replace(self._speak(placement.index), line=self.lines[placement.index])
        placed = render_line(placement, spoken)
        by = self.choices.offsets.get(placed.line.id, Fraction(0))
        by = max(min(by, whole.end - placed.span.end), whole.start - placed.span.start) if by else by
        return replace(placed, sound=replace(placed.sound, start=placed.sound.start + by)) if by else placed

    def _placements(
        self, every: list[MeasuredLine], windows: Sequence[Span], whole: Span, options: FitOptions
    ) -> tuple[LinePlacement, ...]:
        targets = source_timings(self.lines, windows, self.clock) if not options.occupied else self._timings(windows)
        if options.stretch:
            self._make_breaks(every, targets)
        for _ in range(ROUNDS):
            placements = plan_fit(every, targets, whole.end, options)
            if not options.stretch:
                return placements
            better = [wish.index for wish in respeak_requests(placements, every, self.paces) if self._change(wish)]
            for index in better:
                every[index] = measure_line(self._speak(index))
            if not better:
                return placements
        return plan_fit(every, targets, whole.end, options)

    def _make_breaks(self, every: list[MeasuredLine], targets: Sequence[SourceTiming]) -> None:
        """Lines whose voice does not pause where the source does are spoken again: with commas there, in parts, without
        commas elsewhere. What they are in ``every`` changes if more of their phrases begin with the source's then, or
        as many, with less silence."""
        for index, line in enumerate(self.lines):
            local = self._voice_of(line).voice.card.local
            if not every[index].phrases or not targets[index].has_speech or not local:
                continue
            for way in self._ways(line, targets[index]):
                wanted = len(parts_at_breaks(line.text, line.language, targets[index]))
                now = every[index]
                blocks = align_phrases(now, targets[index])
                idle = _silence_inside(now, blocks)
                if len(blocks) >= wanted and idle < 0.1:
                    break
                before = self.parts.get(index)
                self.parts[index] = way
                again = measure_line(self._speak(index))
                new = align_phrases(again, targets[index])
                if len(new) > len(blocks) or (len(new) == len(blocks) and _silence_inside(again, new) < idle - 0.1):
                    every[index] = again
                elif before is None:
                    del self.parts[index]
                else:
                    self.parts[index] = before

    def _ways(self, line: Line, timing: SourceTiming) -> tuple[tuple[str, ...], ...]:
        """The texts, in one or several parts, with which ``line`` may be spoken so that it pauses with the source."""
        given = (line.text, line.language, timing)
        without = text_without_breaks(*given)
        ways = [(text_with_breaks(*given),), (without,), parts_at_breaks(*given), parts_at_breaks(without, *given[1:])]
        voice = self._voice_of(line)
        readable = [way for way in ways if all(can_read(voice, replace(line, text=part)) for part in way)]
        return tuple(dict.fromkeys(way for way in readable if way != (line.text,)))

    def _timings(self, windows: Sequence[Span]) -> tuple[SourceTiming, ...]:
        """When the source says each of the lines that are spoken now, given all lines of the dub."""
        every = [line for line in self.source.lines if line.id in self.choices.kept]
        together = [*self.lines, *every, *self.choices.later]
        return source_timings(together, windows, self.clock)[: len(self.lines)]

    def _speak(self, index: int) -> SpokenLine:
        line, voice = self.lines[index], self._voice_of(self.lines[index])
        parts = self.parts.get(index, (line.text,))
        spoken = [self._spoken(replace(line, text=part), voice, self.paces[index]) for part in parts]
        return spoken[0] if len(spoken) == 1 else join_parts(replace(line, text=", ".join(parts)), spoken)

    def _spoken(self, line: Line, voice: AssignedVoice, pace: float) -> SpokenLine:
        """``line`` from the cache, or as ``voice`` speaks it now, which is counted if it is a service."""

        def keep(name: str, make: Callable[[Path], None]) -> Path:
            def ask(folder: Path) -> None:
                self.requests.count(voice.voice.card, line.text)
                make(folder)

            return self.session.store.folder(name, ask)

        return speak_line(line, voice, pace, keep)

    def _change(self, wish: RespeakRequest) -> bool:
        """Change a line as wished: its words, if a translator can, else its pace. False if nothing can be changed, or
        too little for a service to be asked again."""
        index, line = wish.index, self.lines[wish.index]
        if not self._voice_of(line).voice.card.local and not worth_a_request(wish):
            return False
        if wish.characters and self.source.shorten is not None and self.shortened[index] < SHORTER:
            self.shortened[index] += 1
            text = self._shorter(line, len(line.text) - wish.characters)
            if text and len(text) < len(line.text):
                told = f"'{line.text}' was said shorter to fit its time: '{text}'"
                self.notes.add(told, told, "")  # a kind of its own, so that each of these lines is told
                self.lines[index] = replace(line, text=text)
                self.parts.pop(index, None)
                return True
        pace = min(FASTEST_VOICE, max(SLOWEST_VOICE, self.paces[index] * wish.pace))
        changed = abs(pace - self.paces[index]) > 0.01
        self.paces[index] = pace
        return changed

    def _shorter(self, line: Line, characters: int) -> str:
        """A shorter text for a line; "" once the translator failed: the line stays, and the dub goes on."""
        if self.source.shorten is None or self.translator_failed:
            return ""
        try:
            return self.source.shorten(line, characters)
        except LipdubError as failed:
            self.translator_failed = True
            note = f"lines that are too long were not put shorter ({failed.what})"
            self.notes.add(note, note, "")
            return ""


def _silence_inside(line: MeasuredLine, blocks: Sequence[AlignedPhrases]) -> float:
    """The seconds of pauses of ``line`` in windows in which the source speaks on."""
    inner = (sum(line.pauses[block.first : block.stop - 1], Fraction(0)) - block.pauses for block in blocks)
    return float(sum(max(pause, Fraction(0)) for pause in inner))


def kept_line(line: Line, voice: LineVoice) -> PlacedLine:
    """A line whose speech is kept in a file (.npy, mono at ``RATE``), as it was placed. Its samples are read from the
    disk where they are used. Raises ``InputError`` if the file is damaged."""
    try:
        samples = np.load(voice.file, mmap_mode="r")
    except (OSError, ValueError) as wrong:
        what = f"the speech of line {line.id} is damaged"
        raise InputError(
            what, file=voice.file, remedy=f"Make it again: lipdub redo PROJECT --line {line.id}"
        ) from wrong
    sound = Sound(samples, RATE, voice.span.start)
    return PlacedLine(replace(line, text=voice.text), sound, voice.rate, voice.source_span, voice.missing)
