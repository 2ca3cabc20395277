"""How people's mouths follow a dub: one speaker model and one calibration for each person, over all shots."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.sound_to_mouth.mouth_trajectory import Calibration, DubTiming, PredictedMouth, calibrate, predict_mouth
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, SpeakerModel, learn_speaker
from lipdub.sound_to_mouth.sync import Sync
from lipdub.sound_to_mouth.top_speed import FilmedMouths, top_speed, with_top_speed
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.plan.line_cues import JOIN, PADDING
from lipdub.timeline.clip import Clip
from lipdub.timeline.mouth import AP
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, merge_spans

STIR = 0.6
"""Aperture speed, in eye distances per second, above which a mouth moves as in speech."""

AJAR = 0.045
"""Aperture above the person's own rest, in eye distances, from which a mouth is open."""


@dataclass(frozen=True, eq=False)
class DubAndVoice:
    """The ``dub`` that mouths follow, the source's own ``voice`` (None: it has no sound), their ``sync`` with the
    picture, and the ``prior`` that predicts mouths."""

    clip: Clip
    dub: SpeechFeatures
    voice: SpeechFeatures | None
    sync: Sync
    prior: Prior


class PersonMouths:
    """Predicts the mouths of people, who are known by their id. What belongs to the dub is computed once."""

    def __init__(self, sounds: DubAndVoice) -> None:
        self._sounds = sounds
        self._timing = DubTiming.of(sounds.dub)
        self._learnt: dict[str, tuple[SpeakerModel, Calibration, dict[int, int]]] = {}
        self._top: dict[str, float] = {}

    def learn(self, faces: Mapping[str, Sequence[FaceAnalysis]]) -> None:
        """Learn the speaker model of each person from the ``faces`` (in order of time) that speak, by person."""
        sounds = self._sounds
        for person, tracks in faces.items():
            sources = [self._source(face) for face in tracks]
            model = learn_speaker(sounds.prior, sources, sounds.prior.kind(sounds.dub))
            seconds = [source.seconds for source in sources]
            calibration = calibrate(sounds.prior, model, sounds.dub, seconds, self._timing)
            self._top[person] = top_speed([self._filmed(face) for face in tracks])
            self._learnt[person] = model, calibration, {face.id: number for number, face in enumerate(tracks)}

    def predicted(self, person: str, face: FaceAnalysis) -> PredictedMouth:
        """The mouth of one of the faces that ``learn`` was given."""
        model, calibration, numbers = self._learnt[person]
        sounds = self._sounds
        own = model.of_track(numbers[face.id])
        seconds = face.seconds(sounds.clip)
        made = predict_mouth(sounds.prior, own, sounds.dub, seconds, calibration, self._timing)
        repeats, top = face.track.repeats, self._top[person]
        path = with_top_speed(made.trajectory.held(repeats), seconds, repeats, top, self._timing.quiet_at(seconds))
        return replace(made, trajectory=path, figures={**made.figures, "top_speed": top})

    def _filmed(self, face: FaceAnalysis) -> FilmedMouths:
        good = face.motion.ok & face.visibility.usable & face.learnable
        return FilmedMouths(face.seconds(self._sounds.clip), face.motion.shapes, good, face.track.repeats)

    def _source(self, face: FaceAnalysis) -> SourceSpeech:
        return SourceSpeech(
            features=self._sounds.voice,
            sync=self._sounds.sync,
            shapes=face.motion.shapes,
            ok=face.motion.ok & face.visibility.usable,
            context=face.learnable,
            seconds=face.seconds(self._sounds.clip),
        )


class ChangingSpans:
    """When a face's mouth must follow the dub: speech in the dub, speech in the source, which must disappear, and
    movement of the mouth while nobody speaks."""

    def __init__(self, sounds: DubAndVoice) -> None:
        self._clip = sounds.clip
        talk = [span.widened(PADDING) for span in speech_spans(sounds.dub)]
        if sounds.voice is not None:
            offset = Fraction(sounds.sync.offset).limit_denominator(1000)
            talk += [span.shifted(-offset).widened(PADDING) for span in speech_spans(sounds.voice)]
        self._talk = merge_spans(talk)

    def of_face(self, face: FaceAnalysis, spoken: Sequence[Span]) -> tuple[Span, ...]:
        """The spans of a face that speaks in ``spoken``, sorted and disjoint."""
        whole = self._clip.times.span(face.track.first, face.track.stop)
        first = bisect_left(self._talk, whole.start - JOIN, key=lambda span: span.end)
        stop = bisect_right(self._talk, whole.end + JOIN, key=lambda span: span.start)
        moving = [span.widened(PADDING) for span in self._moving(face)]
        talk = merge_spans([*self._talk[first:stop], *moving], JOIN)
        return merge_spans(piece for span in talk for part in spoken if (piece := span.intersection(part)))

    def _moving(self, face: FaceAnalysis) -> list[Span]:
        """Spans in which the source's mouth moves as in speech, or is open."""
        seconds = face.seconds(self._clip)
        if len(seconds) < 3:
            return []
        aperture = np.nan_to_num(face.motion.shapes[:, AP])
        moving = np.abs(np.gradient(aperture, seconds)) > STIR
        moving |= aperture > np.percentile(aperture, 5) + AJAR
        first = face.track.first
        return [self._clip.times.span(first + int(i), first + int(i) + 1) for i in np.flatnonzero(moving)]
