"""People of a project: who is seen, what they are called, who is the same."""

from dataclasses import replace

from lipdub.errors import OptionError
from lipdub.web.allowed import check_text
from lipdub.web.api.shapes import PeopleList, PersonName, SamePeople
from lipdub.web.operations import Call, Operation
from lipdub.web.problems import NotThere, WrongField
from lipdub.web.project_views import people_of

_BASE = "/v1/projects/{p}/people"


def list_people(call: Call) -> PeopleList:
    """Everybody who is seen in the source, as far as it was analysed."""
    return PeopleList(data=people_of(call.studio.row(call.path["p"])))


def name_person(call: Call) -> PeopleList:
    """Give a person a name; "" takes it away."""
    opened, person = call.studio.opened(call.path["p"]), call.path["id"]
    _known(call, person)
    name = " ".join(call.body.name.split())
    check_text(name, "name")
    with opened.folder.editing():
        project = opened.project
        try:
            opened.folder.save(project.with_person(replace(project.settled(person), name=name)))
        except ValueError as wrong:
            raise WrongField(f"name: {wrong}", "name", remedy="Choose another name") from wrong
    return _told(call)


def same_person(call: Call) -> PeopleList:
    """Settle that others are the same person as this one."""
    opened, person = call.studio.opened(call.path["p"]), call.path["id"]
    for each in (person, *call.body.others):
        _known(call, each)
    if person in call.body.others:
        raise WrongField(f"others: person {person} is this person", "others")
    try:
        opened.same_person(person, tuple(dict.fromkeys(call.body.others)))
    except OptionError as wrong:
        raise WrongField(f"others: {wrong.what}", "others") from wrong
    return _told(call)


def _known(call: Call, person: str) -> None:
    have = [each.id for each in people_of(call.studio.row(call.path["p"]))]
    if person not in have:
        shown = "".join(letter if letter.isprintable() else "?" for letter in person[:60])
        raise NotThere(f"nobody is known as '{shown}'", remedy=f"People: {', '.join(have) or 'none yet'}")


def _told(call: Call) -> PeopleList:
    call.studio.jobs.tell("project", {"project": call.path["p"], "language": "", "revision": None})
    return list_people(call)


OPERATIONS = (
    Operation("GET", _BASE, "list_people", "Everybody who is seen", list_people, answer=PeopleList),
    Operation(
        "PATCH", _BASE + "/{id}", "name_person", "Give a person a name", name_person, body=PersonName, answer=PeopleList
    ),
    Operation(
        "POST", _BASE + "/{id}/same", "same_person", "Settle that others are the same person", same_person,
        body=SamePeople, answer=PeopleList,
    ),
)  # fmt: skip
