"""Projects, people, lines and takes as text for people."""

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

from lipdub.studio.project.line_flags import line_flags
from lipdub.studio.project.people import PersonSeen
from lipdub.studio.project.project_folder import plan_name
from lipdub.studio.project.status import LanguageStatus, ProjectStatus
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.notes import short
from lipdub.timeline.packed import packed
from lipdub.timeline.take import Take
from lipdub.timeline.time import timecode, total_duration

_MOST, _IN_ROW = 12, 4


def plan_table(plan: LanguagePlan, file: Path) -> Iterator[str]:
    """What a plan holds, in rows: its lines, and what stays as filmed."""
    count = len(plan.lines)
    yield f"{file}: {count} line{'' if count == 1 else 's'} in '{plan_name(plan.language)}'"
    for planned in plan.lines:
        who = "found out when it is made" if planned.person is None else f"person {planned.person}"
        who = "off screen" if planned.person == "" else who
        speaker = f"{planned.line.speaker}: " if planned.line.speaker else ""
        span = planned.line.span
        when, said = f"{timecode(span.start)} - {timecode(span.end)}", short(planned.line.text, 60)
        yield f"  {planned.line.id:>4}  {when}  {who}  {speaker}{said}"
    left = sorted(plan.left, key=lambda one: one.span.duration, reverse=True)[:_MOST]
    if left:
        yield "left as filmed:"
    for one in sorted(left, key=lambda each: each.span):
        face = "" if one.face is None else f" (face {one.face})"
        yield f"        {timecode(one.span.start)} - {timecode(one.span.end)}  {one.reason}{face}"
    yield from (f"note: {text}" for text in plan.notes)


def status_rows(status: ProjectStatus, language: str = "") -> Iterator[str]:
    """The state of a project in rows; the lines of ``language`` one by one."""
    project = status.project
    yield f"{project.source.path}: {project.frames} frames"
    named = ", ".join(f"{person.id} = {person.name}" for person in project.people if person.name)
    if named:
        yield f"people: {named}"
    for one in status.languages:
        counts = ", ".join(f"{number} {state}" for state, number in one.counts.items()) or "no lines"
        seen = ", ".join(f"{number} {told}" for told, number in one.verdicts.items() if told != "unchecked")
        yield f"{plan_name(one.language)}: {counts}{f'; {seen}' if seen else ''}"
        if language and one.language == language:
            yield from _lines(one)
    if not status.languages:
        yield "no language is planned yet"


def _lines(status: LanguageStatus) -> Iterator[str]:
    for line in status.lines:
        planned, used = line.planned, line.take
        take = f"take {used.number} of {line.takes}" if used else f"{line.takes} takes"
        yield f"  {planned.line.id:>4}  {line.state:8}{take:14}{short(planned.line.text, 60)}"
        mark = line.mark
        told = [flag.text for flag in line_flags(line)]
        told += [mark.verdict] if mark.verdict != "unchecked" else []
        told += [f"note: {short(mark.note, 60)}"] if mark.note else []
        if told:
            yield f"        {'; '.join(told)}"


def status_json(status: ProjectStatus) -> str:
    """The same as JSON."""
    languages = {
        plan_name(one.language): {
            "counts": one.counts,
            "lines": [
                {
                    "id": line.planned.line.id,
                    "state": line.state,
                    "take": line.planned.take,
                    "takes": line.takes,
                    "verdict": line.mark.verdict,
                    "note": line.mark.note,
                    "flags": [flag.kind for flag in line_flags(line)],
                }
                for line in one.lines
            ],
        }
        for one in status.languages
    }
    return json.dumps({"project": packed(status.project), "languages": languages}, indent=1, ensure_ascii=False)


def people_rows(people: Sequence[PersonSeen], zero: Fraction, every: str = "") -> Iterator[str]:
    """Who is seen, and when, in times that count from ``zero``: the first spans, and all of the person ``every``."""
    for person in people:
        seconds = float(total_duration(person.spans))
        picture = f"  {person.picture}" if person.picture else ""
        name = person.name or "no name"
        shots = "1 shot" if len(person.spans) == 1 else f"{len(person.spans)} shots"
        yield f"{person.id:>4}  {name:20}  {seconds:7.1f} s in {shots}{picture}"
        shown = len(person.spans) if person.id == every else _MOST
        spans = [f"{_inside(span.start - zero)} - {timecode(span.end - zero)}" for span in person.spans[:shown]]
        for first in range(0, len(spans), _IN_ROW):
            yield f"      {', '.join(spans[first : first + _IN_ROW])}"
        if shown < len(person.spans):
            yield f"      and {len(person.spans) - shown} more: --seen {person.id}"
    if not people:
        yield "nobody is seen"


def _inside(instant: Fraction) -> str:
    """A time code that is not before ``instant``, so that what begins there is seen at it."""
    return timecode(Fraction(ceil(instant * 1000), 1000))


def take_rows(takes: Sequence[Take], chosen: int) -> Iterator[str]:
    """The takes of a line; the one that is used is marked."""
    for take in takes:
        mark = "*" if take.number == chosen else " "
        frames = sum(each.frames for each in take.patches)
        scores = [each.metrics["sync_score"] for each in take.patches if "sync_score" in each.metrics]
        sync = f", sync {sum(scores) / len(scores):.2f}" if scores else ""
        voice = take.voice.model if take.voice else "the dub track"
        said = short(take.voice.text if take.voice else take.recipe.text, 60)
        made_by = f"{voice}, {take.recipe.engine.split(':')[0]}, seed {take.recipe.seed}"
        long = float(take.voice.missing) if take.voice else 0.0
        cut = f"; {long:.2f} s too long for its time, its end is cut" if long else ""
        yield f"{mark} take {take.number}  {made_by}: {frames} frames{sync}{cut}  {said}"
    if not takes:
        yield "no take is made yet"
