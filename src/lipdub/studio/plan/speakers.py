"""Who speaks when: every face's mouth is compared with the voice in the source's sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float64

from lipdub.anatomy.motion import FaceMotion
from lipdub.faces.active_speaker import FaceSelector, SpeakerAssignment, SpeakingEvidence, assign_speaker
from lipdub.faces.chosen_people import chosen_people, tracks_by_position
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.sync import Sync, find_sync, local_sync_scores, sync_score
from lipdub.studio.analysis import Analysis, FaceAnalysis
from lipdub.studio.plan.speaker_names import SEEN, SeenSpeaking, TrackPiece, find_names, with_known_lines
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.mouth import AP
from lipdub.timeline.people import Person
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, merge_spans

FEW = 10
"""Frames below which a face says nothing about sync."""

FAINT, BRIEF, LONG = 0.4, 1.5, 5.0
"""Seconds of speech from which: a still mouth is not the speaker's; a voice can be compared with a mouth; surely so."""

MOSTLY, HARDLY = 0.5, 0.15
"""Parts of a line from which somebody who speaks in it is its speaker, and below which nobody in the picture is."""

REFUTED = -2.0
"""Log odds over all that a face would say in a shot, the sync score included, below which it does not say it."""

STILL_MOUTH, LIVELY_MOUTH = 0.012, 0.04
"""Standard deviation of the aperture (eye distances) below which a mouth is still, and above which it surely moves."""


@dataclass(frozen=True, eq=False)
class SpeakersFound:
    """Who speaks when (``assignment``), and the ``sync`` of the file's own sound with its picture.

    ``people_of_names``: the person (id) whom each speaker name of the script means, "" for nobody in the picture;
    names about which it is unsure are missing. ``people_of_lines``: the same for the ids of lines without such a name.
    ``chosen`` are the tracks that the user chose (None: no choice). ``notes`` are sentences for the report.
    """

    assignment: SpeakerAssignment
    sync: Sync
    people_of_names: Mapping[str, str] = field(default_factory=dict)
    people_of_lines: Mapping[str, str] = field(default_factory=dict)
    chosen: frozenset[int] | None = None
    notes: tuple[str, ...] = ()


def find_speakers(
    clip: Clip,
    analysis: Analysis,
    prior: Prior,
    selectors: Sequence[FaceSelector],
    lines: Sequence[Line] = (),
    given: Mapping[str, str] = MappingProxyType({}),
) -> SpeakersFound:
    """Which face speaks when: by the agreement of mouths and voice, by the speaker names of ``lines``, or as
    ``selectors`` say.

    ``given`` is what is settled: the person's id for a name, "" if the name is off screen. Sync is measured twice: with
    the largest face of every shot, to compare mouths and voice at the right offset, and then with the faces that were
    found to speak. Raises ``OptionError`` if no face is where a selector points.
    """
    faces, voice = analysis.faces, None if analysis.sound is None else analysis.sound.features
    sync = _clip_sync(clip, analysis, prior, _of_largest(analysis))
    evidence = [_evidence(face.seconds(clip), face, voice, prior, sync.offset) for face in faces]
    people = [analysis.person_of(face.id).id for face in faces]
    score = partial(_score_of_pieces, [face.motion for face in faces], evidence, voice, prior, sync.offset)
    seen = SeenSpeaking([face.motion for face in faces], evidence, people, score)
    names = find_names(seen, lines, given)
    chosen, notes = _chosen(clip, analysis, selectors)
    told = with_known_lines(seen, lines, names.people)
    assignment = assign_speaker([face.track for face in faces], seen.motions, told, chosen)
    if chosen is None:
        assignment = _without_refuted([face.id for face in faces], seen, told, assignment)
    rows = {face.id: face.learnable & _speaking_rows(face, assignment) for face in faces}
    of_lines = _people_of_lines(seen, [face.id for face in faces], assignment, lines)
    every = (*analysis.notes, *notes, *names.notes)
    found = _clip_sync(clip, analysis, prior, rows)
    return SpeakersFound(replace(assignment, notes=every), found, names.people, of_lines, chosen, every)


def person_of_line(line: Line, found: SpeakersFound) -> str | None:
    """Who in the picture says ``line``: a person's id, "" for nobody in the picture, None if it is unsure."""
    if line.speaker in found.people_of_names:
        return found.people_of_names[line.speaker]
    return found.people_of_lines.get(line.id)


def _chosen(
    clip: Clip, analysis: Analysis, selectors: Sequence[FaceSelector]
) -> tuple[frozenset[int] | None, tuple[str, ...]]:
    """The tracks that the user chose (None: no choice was made), and what is to be told about it."""
    if all(selector.kind == "auto" for selector in selectors):
        return None, ()
    motions = [face.motion for face in analysis.faces]
    places = [selector.kind for selector in selectors if selector.kind in ("left", "right", "largest")]
    if not analysis.recognised and places:
        by_place = frozenset().union(*(tracks_by_position(motions, kind) for kind in places))
        selectors = [selector for selector in selectors if selector.kind not in places]
    else:
        by_place = frozenset[int]()
    people = chosen_people(selectors, analysis.people, motions, clip.times) if selectors else ()
    tracks = frozenset(track for person in people for track in person.tracks)
    notes = [f"--face: only person {person.id} is dubbed, in {_shots(analysis, person)}" for person in people]
    if len(people) > 1:
        notes = [f"--face: only the people {', '.join(person.id for person in people)} are dubbed"]
    return tracks | by_place, tuple(notes)


def _shots(analysis: Analysis, person: Person) -> str:
    count = len({face.track.shot.first for face in analysis.faces_of(person)})
    return "1 shot" if count == 1 else f"{count} shots"


def _without_refuted(
    tracks: Sequence[int], seen: SeenSpeaking, told: Sequence[SpeakingEvidence], assignment: SpeakerAssignment
) -> SpeakerAssignment:
    """The assignment without faces whose mouths, over all that they would say in their shot, do not fit the voice. A
    face of which the script tells that it speaks stays."""
    spans = dict(assignment.spans)
    for i, track in enumerate(tracks):
        known = told[i].known
        pieces = [(i, first, stop) for first, stop in spans.get(track, ())]
        if pieces and (known is None or not (known > 0).any()):
            odds, seconds = seen.totals(pieces)
            spans[track] = () if seconds >= SEEN and odds < REFUTED else spans[track]
    return replace(assignment, spans=spans)


def _score_of_pieces(
    motions: Sequence[FaceMotion],
    evidence: Sequence[SpeakingEvidence],
    voice: SpeechFeatures | None,
    prior: Prior,
    offset: float,
    pieces: Sequence[TrackPiece],
) -> float:
    """The sync score of a voice and a mouth over ``pieces`` of tracks, each in units of its own track's spread."""
    if voice is None or not pieces:
        return 0.0
    seconds, shapes = [], []
    for i, first, stop in pieces:
        own, ok = motions[i].shapes, motions[i].ok
        if ok.sum() >= FEW:
            kept = own[first:stop][ok[first:stop]]
            seconds.append(evidence[i].times[first:stop][ok[first:stop]] + offset)
            shapes.append((kept - np.median(own[ok], 0)) / (own[ok].std(0) + 1e-6))
    if sum(map(len, seconds)) < FEW:
        return 0.0
    when, what = np.concatenate(seconds), np.concatenate(shapes)
    order = np.argsort(when, kind="stable")
    return sync_score(prior, voice, when[order], what[order], np.ones(len(when), bool))


def _people_of_lines(
    seen: SeenSpeaking, tracks: Sequence[int], assignment: SpeakerAssignment, lines: Sequence[Line]
) -> dict[str, str]:
    """The person who speaks during most of each line; "" if nobody in the picture does. Lines in which it is neither
    clearly somebody nor clearly nobody are missing."""
    out = {}
    for line in lines:
        spoken: dict[str, float] = {}
        for i, first, stop in seen.during(line):
            spans = assignment.spans.get(tracks[i], ())
            rows = sum(max(0, min(stop, b) - max(first, a)) for a, b in spans)
            times = seen.evidence[i].times
            step = float(times[stop - 1] - times[first]) / max(1, stop - 1 - first)
            spoken[seen.people[i]] = spoken.get(seen.people[i], 0.0) + rows * step
        best = max(spoken, key=lambda person: spoken[person], default="")
        part = spoken.get(best, 0.0) / max(float(line.span.duration), 1e-6)
        if part >= MOSTLY or part < HARDLY:
            out[line.id] = best if part >= MOSTLY else ""
    return out


def speaking_spans(clip: Clip, face: FaceAnalysis, assignment: SpeakerAssignment) -> tuple[Span, ...]:
    """When a face speaks, in clip time: sorted and disjoint."""
    first = face.track.first
    return merge_spans(clip.times.span(first + a, first + b) for a, b in assignment.spans.get(face.id, ()))


def other_voice_reason(
    clip: Clip, face: FaceAnalysis, voice: SpeechFeatures | None, prior: Prior, found: SpeakersFound
) -> str:
    """Why the voice in the source cannot be this face's although the face was taken for the speaker; "" if it can.

    The more seconds of speech there are, the better a voice and a mouth must agree. A mouth that moves much is not
    refused for a few seconds of speech, and a face that the user chose never.
    """
    if found.chosen is not None:
        return ""
    seconds, shapes = face.seconds(clip) + found.sync.offset, face.motion.shapes
    rows = _speaking_rows(face, found.assignment) & face.motion.ok
    if voice is None or rows.sum() < FEW:
        return ""
    speech = seconds_of_speech(voice, seconds, rows)
    liveliness = float(np.nanstd(shapes[rows, AP]))
    if speech > FAINT and liveliness < STILL_MOUTH:
        return "this mouth stays still while the voice is heard"
    if speech < BRIEF:
        return ""
    fits = sync_score(prior, voice, seconds, shapes, rows)
    if fits < (0.25 if speech > LONG else 0.15) and (speech > LONG or liveliness < LIVELY_MOUTH):
        return f"the voice that is heard is not this mouth's (sync score {fits:.2f})"
    return ""


def seconds_of_speech(
    features: SpeechFeatures, seconds: Float64[np.ndarray, " frames"], rows: Bool[np.ndarray, " frames"]
) -> float:
    """Seconds of speech in ``features`` while the frames of ``rows`` are shown, at ``seconds``."""
    spoken = features.voice_activity_at(seconds) > 0.5
    return float(np.gradient(seconds)[spoken & rows].sum()) if len(seconds) > 1 else 0.0


def _clip_sync(clip: Clip, analysis: Analysis, prior: Prior, rows: dict[int, np.ndarray]) -> Sync:
    """The file's own offset of sound against picture, from the ``rows`` of all faces together (each face in
    units of its own spread)."""
    seconds, shapes = [], []
    for face in analysis.faces:
        chosen = rows[face.id]
        if chosen.sum() < FEW:
            continue
        own = face.motion.shapes[chosen]
        seconds.append(face.seconds(clip)[chosen])
        shapes.append((own - np.median(own, 0)) / (own.std(0) + 1e-6))
    if analysis.sound is None or not seconds:
        return Sync.unknown()
    when, what = np.concatenate(seconds), np.concatenate(shapes)
    order = np.argsort(when, kind="stable")
    when, what = when[order], what[order]
    return find_sync(prior, analysis.sound.features, when, what, np.ones(len(when), bool))


def _of_largest(analysis: Analysis) -> dict[int, np.ndarray]:
    """The learnable rows of the largest face of every shot; the other faces have none."""
    largest = {max(faces, key=_area).id for shot in analysis.shots if (faces := analysis.in_shot(shot))}
    return {f.id: f.learnable if f.id in largest else np.zeros_like(f.learnable) for f in analysis.faces}


def _area(face: FaceAnalysis) -> float:
    return float(np.nansum(face.motion.poses.scale))


def _speaking_rows(face: FaceAnalysis, assignment: SpeakerAssignment) -> np.ndarray:
    speaks = np.zeros(len(face.track), bool)
    for first, stop in assignment.spans.get(face.id, ()):
        speaks[first:stop] = True
    return speaks


def _evidence(
    seconds: np.ndarray, face: FaceAnalysis, voice: SpeechFeatures | None, prior: Prior, offset: float
) -> SpeakingEvidence:
    """How well a mouth agrees with the voice in the source, frame by frame."""
    if voice is None or len(voice) == 0:
        return SpeakingEvidence(seconds, np.full(len(seconds), np.nan), np.zeros(len(seconds)))
    agreeing = local_sync_scores(prior, voice, seconds, face.motion.shapes, offset=offset)
    return SpeakingEvidence(seconds, agreeing, voice.voice_activity_at(seconds + offset))
