"""Voices say the lines, and every line is brought to its time: shorter or faster words before stretched sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lipdub.errors import OptionError
from lipdub.review.report import ModelUsed
from lipdub.speech.fit.aims import aims
from lipdub.speech.fit.phrases import Measured, measured
from lipdub.speech.fit.plan import FitOptions, Placement, plan_fit
from lipdub.speech.fit.render import render
from lipdub.speech.fit.wishes import Wish, wishes
from lipdub.speech.voices.cast import Heights, Speaker, cast
from lipdub.speech.voices.spoken import speak_line
from lipdub.speech.voices.text import foreign, sayable
from lipdub.studio.options import VoiceOptions
from lipdub.studio.room import Room
from lipdub.studio.words import Words
from lipdub.timeline.cue import Line
from lipdub.timeline.dialogue import PlacedLine, SpokenLine
from lipdub.timeline.time import Span

DEFAULT_VOICE = "nanotts"
"""Who speaks if nobody is named: needs no network and no download."""

RATE = 48_000
"""Samples per second of speech that is placed."""

ROUNDS = 3
"""How often lines that are too long are said anew."""

SHORTER = 2
"""How often one line is rendered shorter."""


def voices_for(lines: Sequence[Line], options: VoiceOptions, heights: Heights | None = None) -> dict[str, Speaker]:
    """A voice for every speaker; those that are not named are as high as ``heights`` tells, if the voice can be.

    Raises ``OptionError`` for a voice or a speaker that is not there.
    """
    speakers = list(dict.fromkeys(line.speaker for line in lines))
    named, otherwise = {}, DEFAULT_VOICE
    for text in options.voice:
        head, equals, tail = text.partition("=")
        if not equals or ":" in head:
            otherwise = text
        elif head in speakers:
            named[head] = tail
        else:
            known = ", ".join(s or "(no name)" for s in speakers)
            raise OptionError(f"nobody called '{head}' speaks", remedy=f"Speakers: {known}")
    return cast(speakers, otherwise, named, heights)


@dataclass(eq=False)
class Voicing:
    """Lines on their way to be heard: their texts and paces change until they fit, or nobody knows a better way."""

    words: Words
    voices: dict[str, Speaker]
    room: Room
    lines: list[Line] = field(init=False)
    paces: list[float] = field(init=False)
    tries: list[int] = field(init=False)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the words as they are; what has nothing to be said is left out, and noted."""
        said = [line for line in self.words.lines if sayable(line.text, line.language)]
        self.notes += [f"'{line.text}' has nothing to be said" for line in self.words.lines if line not in said]
        self.notes += [
            f"{DEFAULT_VOICE} cannot read '{foreign(line.text)}' and leaves it out" for line in self._half_read(said)
        ]
        self.lines, self.paces, self.tries = said, [1.0] * len(said), [0] * len(said)

    def _half_read(self, lines: Sequence[Line]) -> list[Line]:
        """Lines with letters that their voice cannot read: the offline voices know Latin ones alone."""
        mine = [line for line in lines if self.voices[line.speaker].voice.card.name.startswith(DEFAULT_VOICE)]
        return [line for line in mine if foreign(line.text)]

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
            every = [measured(self._say(i)) for i in self.room.clock.counted("speak", range(count), count)]
        with self.room.clock.stage("fit"):
            for placement in self._placed(every, windows, whole, FitOptions(stretch=fit == "audio", clock=RATE)):
                yield render(placement, self._say(placement.index))

    def _placed(
        self, every: list[Measured], windows: Sequence[Span], whole: Span, options: FitOptions
    ) -> tuple[Placement, ...]:
        targets = aims(self.lines, windows)
        for _ in range(ROUNDS):
            placements = plan_fit(every, targets, whole.end, options)
            if not options.stretch:
                return placements
            better = [wish.index for wish in wishes(placements, every) if self._try(wish)]
            for index in better:
                every[index] = measured(self._say(index))
            if not better:
                return placements
        return plan_fit(every, targets, whole.end, options)

    def _say(self, index: int) -> SpokenLine:
        line = self.lines[index]
        return speak_line(line, self.voices[line.speaker], self.paces[index], self.room.store.folder)

    def _try(self, wish: Wish) -> bool:
        """Change a line as wished: its words, if somebody can, else its pace. False if nothing can be changed."""
        index, line = wish.index, self.lines[wish.index]
        if wish.characters and self.words.shorten is not None and self.tries[index] < SHORTER:
            self.tries[index] += 1
            text = self.words.shorten(index, line.text, len(line.text) - wish.characters)
            if text and len(text) < len(line.text):
                self.notes.append(f"'{line.text}' was said shorter to fit its time: '{text}'")
                self.lines[index] = replace(line, text=text)
                return True
        pace = min(1.2, self.paces[index] * wish.pace)
        changed = pace > self.paces[index] + 0.01
        self.paces[index] = pace
        return changed
