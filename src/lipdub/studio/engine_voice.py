"""Engines that speak: the lines go to the engine, and its voice becomes the dub."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lipdub.engines.seam import Engine, SpeakingStudy
from lipdub.errors import NothingToDub, OptionError
from lipdub.faces.active_speaker import FaceSelector
from lipdub.media.read import read_frames
from lipdub.media.sound_read import SoundReadOptions, read_sound
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.cast import Audible, Part, cast
from lipdub.studio.dialogue import Dialogue, Spoken, finished
from lipdub.studio.options import SpeechOptions
from lipdub.studio.room import Room, dub_track
from lipdub.studio.stage import looks_of
from lipdub.studio.study import ClipStudy
from lipdub.studio.words import Words
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spoken_lines import PlacedLine


@dataclass(frozen=True, eq=False)
class Setting:
    """What is known before anything new is said: the clip, its study, what was ``heard`` in it (None: silent or
    absent), whose face is meant, and the prior and seed to work with."""

    clip: Clip
    study: ClipStudy
    features: SpeechFeatures | None
    choice: FaceSelector
    prior: Prior
    seed: int

    def audible(self, dialogue: Dialogue, engine: Engine, room: Room) -> Audible:
        """What casting listens to, once the dialogue is there."""
        dub = room.hear_dub(dialogue.guide, self.clip)
        track = original = None
        if "sound" in engine.limits.needs:
            until = dub_track(dialogue.guide, self.clip).until
            track = _later(read_sound(dialogue.guide, reading=SoundReadOptions(until)), self.clip)
            original = self._original()
        return Audible(self.prior, self.features, dub, track, original, dialogue.by_engine, self.seed)

    def before(self, lines: tuple[Line, ...], room: Room) -> Audible:
        """What casting listens to while the lines have no voice yet: the source alone."""
        features = self.features
        if features is None:
            rows = int(self.clip.span.duration * ANALYSIS_RATE)
            features = room.hearing.ears.listen(Sound(np.zeros((1, rows), np.float32), ANALYSIS_RATE, self.clip.start))
        return Audible(self.prior, self.features, features, None, self._original(), lines, self.seed)

    def _original(self) -> Sound | None:
        return read_sound(self.clip.path, stream=self.clip.sound) if self.clip.has_sound else None


def spoken_by_engine(engine: Engine, words: Words, speech: SpeechOptions, setting: Setting, room: Room) -> Dialogue:
    """Let the engine say the lines on the faces they belong to, and mix its voice into the clip's sound.

    Raises ``NothingToDub`` if no face can say any of them.
    """
    clip = setting.clip
    with room.clock.stage("speak"):
        roles = cast(clip, setting.study, setting.before(words.lines, room), setting.choice)
        placed = tuple(line for part in roles.parts for line in _said(clip, part))
    if not placed:
        raise NothingToDub(
            "no face speaks where the lines are to be said",
            file=clip.path,
            remedy="Name the face: --face largest, left, right or X,Y@TIME; or check the script's times",
        )
    unsaid = [line for line in words.lines if all(p.line is not line for p in placed)]
    notes = Notes()
    for line in unsaid:
        text = short(line.text)
        notes.add("nobody's face could say {} lines", f"nobody's face could say: {text}", f"'{text}'")
    card = ModelUsed(f"the engine {engine.name}", "that of its models")
    ordered = sorted(placed, key=lambda line: line.span)
    voiced = Spoken(ordered, {line.line.speaker: card for line in ordered}, notes)
    dialogue = finished(clip, words, voiced, speech, setting.features, room)
    return replace(dialogue, by_engine=words.lines)


def _said(clip: Clip, part: Part) -> list[PlacedLine]:
    """The lines of one part as its engine says them, each a piece of its sound."""
    study = part.subject.study
    if not isinstance(study, SpeakingStudy):
        raise OptionError("this engine says that it speaks and cannot", remedy="Name a voice with --voice")
    track = part.subject.track
    voice = study.speak(part.guide, looks_of(read_frames(clip, track.first, track.stop), track, clip.size))
    said = []
    for cue in part.cues:
        if cue.line is not None:
            first = max(0, round((cue.span.start - voice.start) * voice.rate))
            stop = max(first, round((cue.span.end - voice.start) * voice.rate))
            start = voice.start + Fraction(first, voice.rate)
            piece = Sound(voice.samples.mean(0, keepdims=True)[:, first:stop], voice.rate, start)
            said.append(PlacedLine(cue.line, piece, 1.0, cue.span))
    return said


def _later(dub: Sound, clip: Clip) -> Sound:
    """A dub track on the clip's clock."""
    return Sound(dub.samples, dub.rate, dub.start + clip.start)
