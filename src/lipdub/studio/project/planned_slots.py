"""The time that belongs to each line as the plan alone tells it. It changes when somebody moves the line or one beside
it, and is compared to find out whether a take still fits, without the source."""

from collections.abc import Mapping
from fractions import Fraction

from lipdub.studio.plan.line_slots import slots_by_person
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.project import Project
from lipdub.timeline.time import Span

_ALWAYS = Span(Fraction(-(10**7)), Fraction(10**7))


def planned_slots(plan: LanguagePlan, project: Project) -> Mapping[str, Span]:
    """The slot of each line by its id, among the lines of the same person, if the source said the lines exactly when
    they are planned. It reaches far beyond the source before the first and after the last line of a person."""
    named = {person.name: person.id for person in project.people if person.name}
    heads = {same: settled.id for settled in project.people for same in settled.same}
    people = {}
    for planned in plan.lines:
        if planned.person is not None:
            person = named.get(planned.person, planned.person)
            people[planned.line.id] = heads.get(person, person)
    slots = slots_by_person([planned.line for planned in plan.lines], people, _ALWAYS)
    return {line: slot.span for line, slot in slots.items()}
