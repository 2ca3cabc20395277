"""Between the passes: who speaks on which face, in which spans, and how that mouth must move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.engines.seam import Guide
from lipdub.faces.active_speaker import FaceSelector, SpeakerAssignment, SpeakingEvidence, assign_speaker
from lipdub.sound_to_mouth.mouth_trajectory import PredictedMouth, predict_mouth
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech
from lipdub.sound_to_mouth.sync import Sync, agreement, find_sync, score
from lipdub.studio.study import ClipStudy, Subject, context_rows
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import Cue, LeftAlone
from lipdub.timeline.lines import Line
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.sound import Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, merged, subtracted

PADDING = Fraction(1, 5)
"""Seconds by which a cue reaches beyond speech, so that the mouth arrives in time and relaxes."""

JOIN = Fraction(3, 5)
"""Cues nearer than this become one."""

RAMP = 5
"""Frames over which a performance fades in and out at the ends of a cue."""

FEW = 10
"""Frames below which a face says nothing about sync."""

FAINT, BRIEF, LONG = 0.4, 1.5, 5.0
"""Seconds of speech from which a still mouth is no speaker's, a voice can be told from a mouth's, and told surely."""

STILL_MOUTH, LIVELY_MOUTH = 0.012, 0.04
"""Standard deviation of the aperture below which a mouth is still, and above which it surely speaks or chews."""

STIR = 0.6
"""Aperture speed, in eye distances per second, above which a mouth is said to move though nobody speaks."""

AJAR = 0.045
"""Aperture above the person's own rest, in eye distances, from which a mouth is said to be open."""


@dataclass(frozen=True, eq=False)
class Audible:
    """What was heard: the source (None: silent or absent) and the dub; and the prior that reads them.

    ``track`` is the dub's sound itself and ``original`` the source's, where the engine needs them. ``lines`` are given
    where the engine makes each from its words: then every cue is one line's.
    """

    prior: Prior
    source: SpeechFeatures | None
    dub: SpeechFeatures
    track: Sound | None
    original: Sound | None = None
    lines: tuple[Line, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Part:
    """One face's part in the dub: what it follows, in which spans, and what is known about its sync."""

    subject: Subject
    guide: Guide
    cues: tuple[Cue, ...]
    before: Sync
    lips: PredictedMouth


@dataclass(frozen=True, eq=False)
class Cast:
    """All parts, and everything that stays as filmed, with the reason."""

    parts: tuple[Part, ...]
    left_alone: tuple[LeftAlone, ...]
    sync: Sync
    notes: tuple[str, ...] = ()


def cast(clip: Clip, study: ClipStudy, audible: Audible, choice: FaceSelector, hidden: range = range(0)) -> Cast:
    """Give every face its part. ``hidden`` frames are not learnt from (for judging on them)."""
    learnable = {s.track.id: s.motion.ok & context_rows(s.track, hidden) for s in study.subjects}
    sync = _clip_sync(clip, study, audible, _of_largest(study, learnable))
    casting = _casting(clip, study, audible, choice, sync)
    sync = _clip_sync(clip, study, audible, _of_speakers(study, learnable, casting))
    parts, alone = [], list(_faceless(clip, study, audible))
    speaking = {s.track.id: _spoken_spans(clip, s, casting) for s in study.subjects}
    said = lines_on_faces(audible.lines, speaking)
    for subject in study.subjects:
        spoken = speaking[subject.track.id]
        stranger = _stranger(clip, subject, audible, sync, casting) if choice.kind == "auto" else ""
        if not spoken or stranger:
            track = subject.track
            reason = stranger or "this face does not speak"
            alone.append(LeftAlone(clip.times.span(track.first, track.stop), reason, track.id))
            continue
        part = _part(clip, subject, audible, sync, learnable[subject.track.id])
        face = subject.track.id
        cues = tuple(Cue(span, face) for span in _cue_spans(clip, part, audible, spoken))
        cues = said.get(face, ()) if audible.lines else cues
        parts.append(_weighted(clip, part, cues))
        alone.extend(_gated(clip, subject, [cue.span for cue in cues]))
    alone.sort(key=lambda a: a.span)
    return Cast(tuple(p for p in parts if p.cues), tuple(alone), sync, casting.notes)


def lines_on_faces(lines: Sequence[Line], speaking: Mapping[int, Sequence[Span]]) -> dict[int, tuple[Cue, ...]]:
    """Each line as a cue of the face that speaks for most of its span, in the longest piece of it; a line during
    which no face speaks is on none. ``speaking`` tells when each face speaks. The cues have the ids c1, c2, ... in the
    order of faces and, on one face, of time."""
    cues: dict[int, list[Cue]] = {}
    for line in lines:
        pieces = [
            (shared.duration, -face, shared)
            for face, spans in speaking.items()
            for span in spans
            if (shared := line.span.intersection(span)) is not None
        ]
        if pieces:
            _, face, shared = max(pieces)
            cues.setdefault(-face, []).append(Cue(shared, -face, line))
    ordered = [cue for face in sorted(cues) for cue in sorted(cues[face], key=lambda cue: cue.span)]
    named = [replace(cue, id=f"c{number}") for number, cue in enumerate(ordered, start=1)]
    return {face: tuple(cue for cue in named if cue.face == face) for face in cues}


def seconds_of(clip: Clip, subject: Subject) -> np.ndarray:
    """When the track's frames appear, as floats (frames of the track,)."""
    return clip.times.seconds()[subject.track.first : subject.track.stop]


def _clip_sync(clip: Clip, study: ClipStudy, audible: Audible, rows: dict[int, np.ndarray]) -> Sync:
    """The file's own offset of sound against picture, from the ``rows`` of all faces together (each face in
    units of its own spread)."""
    seconds, shapes = [], []
    for subject in study.subjects:
        chosen = rows[subject.track.id]
        if chosen.sum() < FEW:
            continue
        own = subject.motion.shapes[chosen]
        seconds.append(seconds_of(clip, subject)[chosen])
        shapes.append((own - np.median(own, 0)) / (own.std(0) + 1e-6))
    if audible.source is None or not seconds:
        return Sync.unknown()
    when, what = np.concatenate(seconds), np.concatenate(shapes)
    order = np.argsort(when, kind="stable")
    when, what = when[order], what[order]
    return find_sync(audible.prior, audible.source, when, what, np.ones(len(when), bool))


def _of_largest(study: ClipStudy, rows: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The rows of the largest face of every shot; the other faces have none."""
    best = {max(f, key=_area).track.id for shot in study.shots if (f := study.in_shot(shot))}
    return {face: some if face in best else np.zeros_like(some) for face, some in rows.items()}


def _area(subject: Subject) -> float:
    return float(np.nansum(subject.motion.poses.scale))


def _of_speakers(study: ClipStudy, rows: dict[int, np.ndarray], casting: SpeakerAssignment) -> dict[int, np.ndarray]:
    """Those rows in which a face is cast as the speaker."""
    return {s.track.id: rows[s.track.id] & _speaking_rows(s, casting) for s in study.subjects}


def _speaking_rows(subject: Subject, casting: SpeakerAssignment) -> np.ndarray:
    speaks = np.zeros(len(subject.track), bool)
    for first, stop in casting.spans.get(subject.track.id, ()):
        speaks[first:stop] = True
    return speaks


def _stranger(clip: Clip, subject: Subject, audible: Audible, sync: Sync, casting: SpeakerAssignment) -> str:
    """Why the voice that is heard cannot be this mouth's, or "". The longer somebody speaks the surer it is; a
    mouth that moves much gets the benefit of the doubt for a few seconds."""
    seconds, shapes = seconds_of(clip, subject) + sync.offset, subject.motion.shapes
    rows = _speaking_rows(subject, casting) & subject.motion.ok
    if audible.source is None or rows.sum() < FEW:
        return ""
    speech = _speech_in(audible.source, seconds, rows)
    liveliness = float(np.nanstd(shapes[rows, AP]))
    if speech > FAINT and liveliness < STILL_MOUTH:
        return "this mouth stays still while the voice is heard"
    if speech < BRIEF:
        return ""
    fits = score(audible.prior, audible.source, seconds, shapes, rows)
    if fits < (0.25 if speech > LONG else 0.15) and (speech > LONG or liveliness < LIVELY_MOUTH):
        return f"the voice that is heard is not this mouth's (sync score {fits:.2f})"
    return ""


def _speech_in(features: SpeechFeatures, seconds: np.ndarray, rows: np.ndarray) -> float:
    """Seconds of speech heard while ``rows`` are shown."""
    spoken = features.voiced_at(seconds) > 0.5
    return float(np.gradient(seconds)[spoken & rows].sum()) if len(seconds) > 1 else 0.0


def _casting(clip: Clip, study: ClipStudy, audible: Audible, choice: FaceSelector, sync: Sync) -> SpeakerAssignment:
    subjects = study.subjects
    evidence = _evidence(clip, study, audible, sync)
    return assign_speaker([s.track for s in subjects], [s.motion for s in subjects], choice, evidence)


def _evidence(clip: Clip, study: ClipStudy, audible: Audible, sync: Sync) -> list[SpeakingEvidence]:
    """What is known about who speaks when: speech heard, and how well each mouth agrees with it."""
    return [_evidence_of(seconds_of(clip, s), s, audible, sync.offset) for s in study.subjects]


def _evidence_of(seconds: np.ndarray, subject: Subject, audible: Audible, offset: float) -> SpeakingEvidence:
    features, shapes = audible.source, subject.motion.shapes
    if features is None or len(features) == 0:
        return SpeakingEvidence(seconds, np.full(len(seconds), np.nan), np.zeros(len(seconds)))
    agreeing = agreement(audible.prior, features, seconds, shapes, offset=offset)
    return SpeakingEvidence(seconds, agreeing, features.voiced_at(seconds + offset))


def _part(clip: Clip, subject: Subject, audible: Audible, sync: Sync, context: np.ndarray) -> Part:
    source = SourceSpeech(
        features=audible.source,
        sync=sync,
        shapes=subject.motion.shapes,
        ok=subject.motion.ok & subject.visibility.usable,
        context=context,
    )
    lips = predict_mouth(audible.prior, source, audible.dub, seconds_of(clip, subject))
    guide = Guide(lips.path, audible.track, audible.original, times=clip.times, seed=audible.seed)
    return Part(subject, guide, (), sync, lips)


def _spoken_spans(clip: Clip, subject: Subject, casting: SpeakerAssignment) -> tuple[Span, ...]:
    first = subject.track.first
    rows = casting.spans.get(subject.track.id, ())
    return merged(clip.times.span(first + a, first + b) for a, b in rows)


def _cue_spans(clip: Clip, part: Part, audible: Audible, spoken: Sequence[Span]) -> tuple[Span, ...]:
    """Where this face's mouth must follow the dub: speech in the dub, speech in the source that must vanish,
    and a mouth that moves though nobody speaks."""
    talk = [s.widened(PADDING) for s in speech_spans(audible.dub)]
    if audible.source is not None:
        offset = Fraction(part.before.offset).limit_denominator(1000)
        talk += [s.shifted(-offset).widened(PADDING) for s in speech_spans(audible.source)]
    talk += [s.widened(PADDING) for s in _stirring(clip, part.subject)]
    inside = [piece for s in merged(talk, JOIN) for t in spoken if (piece := s.intersection(t))]
    return merged(inside)


def _stirring(clip: Clip, subject: Subject) -> list[Span]:
    """Spans in which the source's mouth moves as in speech, or stands open to say something."""
    seconds = seconds_of(clip, subject)
    if len(seconds) < 3:
        return []
    aperture = np.nan_to_num(subject.motion.shapes[:, AP])
    moving = np.abs(np.gradient(aperture, seconds)) > STIR
    moving |= aperture > np.percentile(aperture, 5) + AJAR
    first = subject.track.first
    return [clip.times.span(first + int(i), first + int(i) + 1) for i in np.flatnonzero(moving)]


def _weighted(clip: Clip, part: Part, cues: tuple[Cue, ...]) -> Part:
    """Let the path act only inside ``cues``, fading at their ends, and only where the mouth can be seen."""
    track, path = part.subject.track, part.guide.trajectory
    assert path is not None
    asked = np.zeros(len(track), np.float32)
    for cue in cues:
        rows = clip.times.within(cue.span)
        asked[max(0, rows.start - track.first) : max(0, rows.stop - track.first)] = 1
    weight = np.minimum(_faded(asked), part.subject.visibility.weight) * path.weight
    own = frozenset(cue.id for cue in cues if cue.line is not None)
    acting = MouthTrajectory(path.shapes, weight.astype(np.float32), path.closed)
    return replace(part, guide=replace(part.guide, trajectory=acting, cues=cues, own_voice=own), cues=cues)


def _faded(asked: np.ndarray) -> np.ndarray:
    """Raised-cosine ramps inside every run of ones; the track's own ends stay hard, a cut needs no fade."""
    out = asked.copy()
    edges = np.flatnonzero(np.diff(asked))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(RAMP) + 1) / (RAMP + 1))
    for edge in edges:
        rising = asked[edge + 1] > asked[edge]
        rows = edge + 1 + np.arange(RAMP) if rising else edge - np.arange(RAMP)
        keep = (rows >= 0) & (rows < len(out))
        out[rows[keep]] = np.minimum(out[rows[keep]], ramp[keep])
    return out


def _gated(clip: Clip, subject: Subject, spans: Sequence[Span]) -> list[LeftAlone]:
    """Parts of the cues that the gates keep as filmed."""
    first, out = subject.track.first, []
    for a, b, reason in subject.visibility.reasons:
        gate = clip.times.span(first + a, first + b)
        out += [LeftAlone(piece, reason, subject.track.id) for s in spans if (piece := s.intersection(gate))]
    return out


def _faceless(clip: Clip, study: ClipStudy, audible: Audible) -> list[LeftAlone]:
    """Speech in the dub while no face is in the picture."""
    covered = [clip.times.span(s.track.first, s.track.stop) for s in study.subjects]
    bare = subtracted([clip.span], covered)
    talk = merged(s.widened(PADDING) for s in speech_spans(audible.dub))
    pieces = [piece for b in bare for t in talk if (piece := b.intersection(t))]
    return [LeftAlone(p, "no face in the picture") for p in merged(pieces)]
