"""What each face does in a dub: the spans in which it follows the dub, and how its mouth moves there."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from urllib.parse import quote

import numpy as np

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.faces.active_speaker import FaceSelector
from lipdub.sound_to_mouth.prior import Prior
from lipdub.studio.analysis import Analysis, FaceAnalysis
from lipdub.studio.dub_plan import FacePlan, FacePlans, LineChoices
from lipdub.studio.plan.line_cues import PADDING, LineCues
from lipdub.studio.plan.person_mouths import ChangingSpans, DubAndVoice, PersonMouths
from lipdub.studio.plan.speakers import (
    SpeakersFound,
    find_speakers,
    other_voice_reason,
    person_of_line,
    speaking_spans,
)
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import (
    Span,
    merge_spans,
    shared_spans,
    spans_near,
    subtract_spans,
    total_duration,
)

AUDIBLE = Fraction(2, 5)
"""Seconds of speech, in the dub or in the source, from which a stretch of a shot counts as speaking."""

COVERED, SECOND = 0.75, 1
"""Part of the mouth openings that speech needs, and seconds of a visible face, below which a shot shows too little."""

RAMP = 5
"""Frames over which the weight of a trajectory rises and falls at the ends of a cue."""


@dataclass(frozen=True, eq=False)
class FollowedSpeech:
    """What the faces follow: the ``dub``'s speech features on the clip's clock, its lines with the spans in which the
    source says them (``timed``), and the ``choices`` that were made for lines.

    ``lines`` are given where the engine makes each from its words: then every cue holds its line.
    """

    dub: SpeechFeatures
    lines: tuple[Line, ...] = ()
    timed: tuple[Line, ...] = ()
    choices: LineChoices = LineChoices()


def plan_faces(
    clip: Clip,
    analysis: Analysis,
    following: FollowedSpeech,
    prior: Prior,
    selectors: Sequence[FaceSelector],
    found: SpeakersFound | None = None,
) -> FacePlans:
    """A plan for every face that speaks and may be changed, and everything that stays as filmed, with the reason.
    ``found`` is who speaks when, if that was found out before.

    Every cue belongs to the line in whose slot it lies. Its id is made of the line, the face and its first frame.
    Raises ``OptionError`` if no face is where a selector points.
    """
    choices = following.choices
    if found is None:
        said = [line for line in following.timed if line.text]
        found = find_speakers(clip, analysis, prior, selectors, said, choices.names)
    voice = None if analysis.sound is None else analysis.sound.features
    plans, alone = [], list(_without_face(clip, analysis, following.dub))
    people, decided = _people_of_lines(following, found), set(choices.people.values())
    line_cues = LineCues(clip, following.timed, people, following.choices)
    heard = _heard(following.dub, voice)
    speaking = {face.id: _speaking(clip, analysis, face, found, line_cues, heard) for face in analysis.faces}
    of_lines = lines_on_faces(following.lines, speaking)
    speakers = {}
    for face in analysis.faces:
        person = analysis.person_of(face.id).id
        other = "" if person in decided else other_voice_reason(clip, face, voice, prior, found)
        if line_cues.keeps(face.id) or (speaking[face.id] and not other):
            speakers.setdefault(person, []).append(face)
        else:
            whole = clip.times.span(face.track.first, face.track.stop)
            alone.append(PassthroughSpan(whole, other or "this face does not speak", face.id))
    sounds = DubAndVoice(clip, following.dub, voice, found.sync, prior)
    mouths, changing = PersonMouths(sounds), ChangingSpans(sounds)
    mouths.learn(speakers)
    for person, faces in speakers.items():
        studies = [face.study for face in analysis.faces_of(analysis.person_of(faces[0].id))]
        for face in faces:
            predicted = mouths.predicted(person, face)
            others = tuple(studies) if _shows_little(clip, face) else ()
            plan = FacePlan(face, (), predicted.trajectory, found.sync, predicted, others)
            if following.lines:
                cues = tuple(replace(cue, person=person) for cue in of_lines.get(face.id, ()))
            else:
                spans = changing.of_face(face, speaking[face.id])
                cues = line_cues.of_face(face.id, person, spans)
            plans.append(_weighted(clip, plan, cues))
            alone.extend(_invisible(clip, face, [cue.span for cue in cues]))
    plans.sort(key=lambda plan: (plan.face.track.first, plan.face.id))
    alone += [PassthroughSpan(span, "left as filmed, as was asked") for span in following.choices.excluded]
    alone.sort(key=lambda a: a.span)
    return FacePlans(tuple(p for p in plans if p.cues), tuple(alone), found.notes, people)


def _shows_little(clip: Clip, face: FaceAnalysis) -> bool:
    """True if a shot shows too little of a person's mouth, so that mouths of other shots are needed.

    A shot that shows enough is better off with its own mouths: they have its light and its sharpness (measured on 2 s
    shots of four people: the true aperture is met a little better, r .009 higher on average).
    """
    return face.facts.coverage < COVERED or face.motion.ok.sum() < SECOND * clip.rate


def _people_of_lines(following: FollowedSpeech, found: SpeakersFound) -> dict[str, str]:
    """Who says each line, by its id, as far as it was decided or found out."""
    known = ((line.id, person_of_line(line, found)) for line in following.timed if line.text)
    return {line: who for line, who in known if who is not None} | dict(following.choices.people)


def _heard(dub: SpeechFeatures, voice: SpeechFeatures | None) -> tuple[Span, ...]:
    """When somebody speaks in the dub or in the source."""
    return merge_spans(span for sound in (dub, voice) if sound is not None for span in speech_spans(sound))


def _speaking(
    clip: Clip,
    analysis: Analysis,
    face: FaceAnalysis,
    found: SpeakersFound,
    line_cues: LineCues,
    heard: Sequence[Span],
) -> tuple[Span, ...]:
    """When a face speaks: as found, and as was decided for lines. A stretch in which hardly anything is ``heard`` does
    not count: there the voice of the next shot begins, or the one of the last shot ends."""
    if found.chosen is not None and face.id not in found.chosen:
        return ()
    whole = clip.times.span(face.track.first, face.track.stop)
    least = min(AUDIBLE, whole.duration / 2)
    speaking = [
        span
        for span in speaking_spans(clip, face, found.assignment)
        if total_duration(shared_spans([span], spans_near(heard, span))) >= least
    ]
    return line_cues.spoken(analysis.person_of(face.id).id, whole, speaking)


def lines_on_faces(lines: Sequence[Line], speaking: Mapping[int, Sequence[Span]]) -> dict[int, tuple[Cue, ...]]:
    """Each line as a cue of the face that speaks for most of its span, in the longest piece of it. A line during which
    no face speaks is on none. ``speaking`` tells when each face speaks."""
    cues: dict[int, list[Cue]] = {}
    spoken = sorted((span, -face) for face, spans in speaking.items() for span in spans)
    longest = max((span.duration for span, _ in spoken), default=Fraction(0))
    for line in lines:
        first = bisect_left(spoken, line.span.start - longest, key=lambda each: each[0].start)
        stop = bisect_left(spoken, line.span.end, key=lambda each: each[0].start)
        shared = ((line.span.intersection(span), face) for span, face in spoken[first:stop])
        pieces = [(both.duration, face, both) for both, face in shared if both is not None]
        if pieces:
            _, face, both = max(pieces)
            cues.setdefault(-face, []).append(Cue(both, -face, line, _line_cue_id(line, -face), line_id=line.id))
    return {face: tuple(sorted(some, key=lambda cue: cue.span)) for face, some in cues.items()}


def _line_cue_id(line: Line, face: int) -> str:
    """A name for the cue of a line that can also be the name of a folder."""
    return f"{quote(line.id, safe='')}-{face}"


def _weighted(clip: Clip, plan: FacePlan, cues: tuple[Cue, ...]) -> FacePlan:
    """The plan with a trajectory that has weight only inside ``cues``, with ramps at their ends, and only where the
    mouth is visible."""
    track, path = plan.face.track, plan.trajectory
    inside = np.zeros(len(track), np.float32)
    for cue in cues:
        rows = clip.times.within(cue.span)
        inside[max(0, rows.start - track.first) : max(0, rows.stop - track.first)] = 1
    weight = np.minimum(with_ramps(inside), plan.face.visibility.weight) * path.weight
    return replace(plan, trajectory=MouthTrajectory(path.shapes, weight.astype(np.float32), path.closed), cues=cues)


def with_ramps(inside: np.ndarray) -> np.ndarray:
    """Raised-cosine ramps of ``RAMP`` frames inside every run of ones of ``inside`` (frames,). The ends of the track
    stay 1: the picture begins or ends with a cut there."""
    out = inside.copy()
    edges = np.flatnonzero(np.diff(inside))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(RAMP) + 1) / (RAMP + 1))
    for edge in edges:
        rising = inside[edge + 1] > inside[edge]
        rows = edge + 1 + np.arange(RAMP) if rising else edge - np.arange(RAMP)
        keep = (rows >= 0) & (rows < len(out))
        out[rows[keep]] = np.minimum(out[rows[keep]], ramp[keep])
    return out


def _invisible(clip: Clip, face: FaceAnalysis, spans: Sequence[Span]) -> Iterator[PassthroughSpan]:
    """Parts of the cues that stay as filmed because the mouth is not visible there."""
    first = face.track.first
    for a, b, reason in face.visibility.reasons:
        hidden = clip.times.span(first + a, first + b)
        yield from (PassthroughSpan(piece, reason, face.id) for s in spans if (piece := s.intersection(hidden)))


def _without_face(clip: Clip, analysis: Analysis, dub: SpeechFeatures) -> list[PassthroughSpan]:
    """Speech in the dub while no face is in the picture."""
    covered = [clip.times.span(face.track.first, face.track.stop) for face in analysis.faces]
    bare = subtract_spans([clip.span], covered)
    talk = merge_spans(s.widened(PADDING) for s in speech_spans(dub))
    return [PassthroughSpan(piece, "no face in the picture") for piece in shared_spans(bare, talk)]
