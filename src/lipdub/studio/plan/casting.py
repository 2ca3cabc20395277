"""Whose voice each line gets: lines that name no speaker belong to those who are seen to say them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.speaker_pitch import speaker_pitch
from lipdub.studio.plan.speakers import SpeakersFound, person_of_line
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import listed
from lipdub.words_to_sound.duration_fit.source_timing import source_phrases
from lipdub.words_to_sound.voices.choose import people_with_voices, person_name

OTHER_VOICE = 1.41
"""The ratio of two median pitches (six semitones) from which two people are surely two. One man's lines were at 145 to
240 Hz, with a median of 194."""

OTHER_LINE = 1.19
"""The ratio (three semitones) to the pitch of every line of a person from which another line is surely not theirs."""


@dataclass(frozen=True)
class SeenPeople:
    """Who is seen to say lines. ``of_lines``: the id of a person by line id, "" for nobody in the picture; unsure lines
    are missing. ``names``: speaker names of the script by person. ``apart`` is True for two ids that
    are surely two people by the picture. ``pitch`` (hertz) of the source's voice in each line, by line id."""

    of_lines: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    apart: Callable[[str, str], bool] = lambda one, other: False
    pitch: Mapping[str, float] = field(default_factory=dict)

    def pitch_of(self, lines: Iterable[Line]) -> float | None:
        """The median pitch of some lines; None if it is not known."""
        known = [self.pitch[line.id] for line in lines if line.id in self.pitch]
        return float(np.median(known)) if known else None

    def speaker(self, person: str) -> str:
        """The name under which a person gets a voice; "" is somebody off screen."""
        return self.names.get(person) or person_name(person)


def cast_by_sight(
    job: Job, analysis: Analysis, found: SpeakersFound, timed: Sequence[Line], choices: LineChoices, session: Session
) -> dict[str, str]:
    """The speaker of each of the ``timed`` lines that names none, by line id, if there are several, or if the user
    names a voice for somebody who is seen; else nothing.

    ``timed`` are all lines of the programme, with the spans in which the source says them. Raises what reading the
    clip's sound raises.
    """
    clip = job.clip
    if analysis.sound is None or clip.retimed or all(line.speaker for line in timed):
        return {}
    known = ((line.id, person_of_line(line, found)) for line in timed if not line.speaker)
    of_lines = {line: who for line, who in known if who is not None} | dict(choices.people)
    said = {line.speaker for line in timed if line.speaker}
    names = {person: name for name, person in found.people_of_names.items() if person and name in said}
    wanted = bool(people_with_voices(job.speech.voice))
    if len({of_lines.get(line.id) for line in timed if not line.speaker}) < 2 and not names and not wanted:
        return {}
    windows = source_phrases(analysis.sound.features)
    timed = sorted(timed, key=lambda line: line.span)
    alone = [replace(line, speaker=line.id) for line in timed]
    pitch = speaker_pitch(clip, alone, windows, session).hertz
    return cast(timed, SeenPeople(of_lines, names, surely_two(analysis), pitch), one=wanted)


def cast(lines: Sequence[Line], seen: SeenPeople, one: bool = False) -> dict[str, str]:
    """The speaker of each of ``lines``, in order of time, that names none, by line id; nothing if they all are one
    person whom the script does not name, unless ``one`` person counts, too.

    People who may be one person by the picture and by the pitch of their voices count as the one who speaks longer.
    Lines that nobody in the picture says belong to the person whose pitch is nearest, or to somebody off screen if no
    line of that person has such a pitch. Lines of which it is not known who says them belong to the nearest in pitch. A
    line that is too short for a pitch has that of its neighbours that nobody is seen to say either.
    """
    unnamed = [line for line in lines if not line.speaker]
    people = _people(unnamed, seen)
    if not people:
        return {}
    out = {line.id: person for person, own in people.items() for line in own}
    for is_open, run in groupby(lines, key=lambda line: not line.speaker and line.id not in out):
        together = list(run) if is_open else []
        for line in together:
            pitch = seen.pitch.get(line.id) or seen.pitch_of(together)
            nearest = min(people, key=lambda person: _ratio(pitch, seen.pitch_of(people[person])))
            as_own = min(_ratio(pitch, seen.pitch.get(own.id)) for own in people[nearest])
            out[line.id] = "" if seen.of_lines.get(line.id) == "" and as_own > OTHER_LINE else nearest
    speakers = {line: seen.speaker(person) for line, person in out.items()}
    several = len(set(speakers.values())) > 1 or any(person in seen.names for person in out.values())
    return speakers if several or one else {}


def _people(unnamed: Sequence[Line], seen: SeenPeople) -> dict[str, list[Line]]:
    """The lines of each person who is seen to say some, those who speak longest first; who may be somebody of these
    counts as that one."""
    own: dict[str, list[Line]] = {}
    for line in unnamed:
        if person := seen.of_lines.get(line.id):
            own.setdefault(person, []).append(line)
    people: dict[str, list[Line]] = {}
    for person in sorted(own, key=lambda one: (-sum(line.span.duration for line in own[one]), one)):
        same = next((other for other in people if not _two(person, other, own, seen)), None)
        people.setdefault(same or person, []).extend(own[person])
    return people


def _two(one: str, other: str, own: Mapping[str, Sequence[Line]], seen: SeenPeople) -> bool:
    """True if two people are surely two."""
    pitches = [seen.pitch_of(own[person]) for person in (one, other)]
    return seen.apart(one, other) or _ratio(*pitches) > OTHER_VOICE


def _ratio(one: float | None, other: float | None) -> float:
    return max(one / other, other / one) if one and other else 1.0


def surely_two(analysis: Analysis) -> Callable[[str, str], bool]:
    """Whether two people of the analysis (ids) are surely two by the picture: they are in one shot at once, or their
    faces were recognised."""
    shots: dict[str, set[int]] = {}
    recognised = set[str]()
    for face in analysis.faces:
        person = analysis.person_of(face.id).id
        shots.setdefault(person, set()).add(face.track.shot.first)
        if face.look is not None and face.look.embedding is not None:
            recognised.add(person)

    def two(one: str, other: str) -> bool:
        return {one, other} <= recognised or bool(shots.get(one, set()) & shots.get(other, set()))

    return two


def casting_note(speakers: Mapping[str, str]) -> str:
    """A sentence for the report: who got voices because they are seen to speak."""
    every = listed(sorted(set(speakers.values())))
    return (
        f"{len(speakers)} lines name no speaker: they have the voices of those who are seen to say them"
        f" ({every}); --voice 'NAME=VOICE' with one of these names chooses another"
    )
