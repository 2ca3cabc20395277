"""The manifest of a project: the source, the people in it, their consent, the options, and the languages.

A JSON file with a version. An older file is brought up step by step through ``MIGRATIONS``; a newer one is refused
with advice.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import InputError
from lipdub.timeline.packed import packed, unpacked
from lipdub.timeline.take import Option

VERSION = 1
"""The version this program writes."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""For every older version, how its JSON object becomes that of the next version."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a project is made from: where it was, and the SHA-256 of its bytes in hex."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """What a user settled about a person: the ``name``, and the ids of other people that are the ``same`` person.

    ``id`` is the person's id in the analysis of the source; or the user parted this person from another one, whose id
    in the analysis is ``came_from``: then the person's tracks are those of that one that are seen in ``frames``
    (numbers of frames of the source).
    """

    id: str
    name: str = ""
    same: tuple[str, ...] = ()
    came_from: str = ""
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """What holds for all languages of a project. ``frames`` is how many the picture of the ``source`` has, ``start`` is
    the instant on its clock at which players start it (None: not written down).

    ``people`` are those that were named or settled; ``consent`` is the record of who stated it; ``options`` are those
    of the dubs, by name, ``languages`` the names of the plans, in the order in which they were made.
    """

    source: InputFile
    frames: int
    people: tuple[NamedPerson, ...] = ()
    consent: dict[str, str] = field(default_factory=dict)
    options: dict[str, Option | tuple[str, ...]] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    start: Fraction | None = None

    def __post_init__(self) -> None:
        """Refuse two people of one id, or of one name, and two plans of one name, with ``ValueError``."""
        for what, given in (
            ("people have the id", [person.id for person in self.people]),
            ("people have the name", [person.name for person in self.people if person.name]),
            ("plans have the name", list(self.languages)),
        ):
            twice = next((one for one in given if given.count(one) > 1), None)
            if twice is not None:
                raise ValueError(f"two {what} '{twice}'")

    def with_person(self, person: NamedPerson) -> "Project":
        """The project with what was settled about a person. Raises ``ValueError`` if another one has the name."""
        others = [other for other in self.people if other.id != person.id]
        people = [one for one in (*others, person) if one != NamedPerson(one.id)]
        return replace(self, people=tuple(sorted(people, key=lambda one: _by_number(one.id))))

    def settled(self, person: str) -> NamedPerson:
        """What was settled about a person (by id); a value that says nothing if nothing was."""
        return next((each for each in self.people if each.id == person), NamedPerson(person))

    def with_joined(self, person: str, other: str) -> "Project":
        """The project in which ``other`` and all who are the same as ``other`` are ``person``.

        Somebody who was parted from ``person`` is simply not parted any more. If ``person`` was parted from ``other``,
        the result has the id of ``other``. A name is kept. Raises ``ValueError`` for the id of one person twice.
        """
        head, joined = self.settled(person), self.settled(other)
        if head.id == joined.id:
            raise ValueError(f"person {person} is given twice")
        if joined.id == head.came_from:
            head, joined = joined, head
        members = {joined.id, *joined.same}
        of_head = {head.id, *head.same} | ({head.came_from} if head.came_from else set())
        undone = [self.settled(one) for one in members if self.settled(one).came_from in of_head]
        frames = {frame for one in undone if one.came_from == head.came_from for frame in one.frames}
        left = members - {one.id for one in undone}
        new = replace(
            head,
            name=head.name or joined.name,
            same=tuple(sorted({*head.same, *left}, key=_by_number)),
            frames=tuple(sorted({*head.frames, *frames})) if head.came_from else (),
        )
        gone = {one.id for one in undone}
        kept = [
            replace(one, name="", same=()) if one.id in left else one
            for one in self.people
            if one.id not in gone and one.id != head.id and (one.id not in left or one.came_from)
        ]
        return replace(self, people=tuple(kept)).with_person(new)

    def save(self, path: Path) -> None:
        """Write the manifest at once and whole. Raises ``OutputError``."""
        told = {"lipdub": "project", "version": VERSION, **packed(self)}
        write_text(path, json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Project":
        """Read a manifest. Raises ``InputError`` if it is absent, damaged, or newer than this program."""
        told = read_versioned(path, "project", VERSION, MIGRATIONS)
        try:
            return unpacked(cls, told)
        except (ValueError, TypeError) as wrong:
            raise damaged(path, "project", str(wrong)) from wrong


def _by_number(person: str) -> tuple[int, str]:
    return len(person), person


def read_versioned(
    path: Path, kind: str, version: int, migrations: dict[int, Callable[[dict[str, Any]], dict[str, Any]]]
) -> dict[str, Any]:
    """The JSON object of a file of ours, of the ``kind`` "project" or "plan", as ``version`` writes it.

    Raises ``InputError`` if it cannot be read, is another file, or was written by a newer program.
    """
    return parse_versioned(read_bytes(path), path, kind, version, migrations)


def read_bytes(path: Path) -> bytes:
    """The content of a file of ours. Raises ``InputError`` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as refused:
        raise InputError(f"cannot be read ({refused.strerror or refused})", file=path) from refused


def parse_versioned(
    data: bytes, path: Path, kind: str, version: int, migrations: dict[int, Callable[[dict[str, Any]], dict[str, Any]]]
) -> dict[str, Any]:
    """The JSON object of the content of the file ``path``; as ``read_versioned``."""
    try:
        told = parse_json(data.decode("utf-8"))
    except (ValueError, RecursionError) as wrong:
        raise damaged(path, kind, f"it is not JSON ({wrong})") from wrong
    if not isinstance(told, dict) or told.pop("lipdub", None) != kind:
        raise InputError(f"this is not a {kind} of lipdub", file=path, remedy="Give a project that 'lipdub' made")
    made_by = told.pop("version", None)
    if type(made_by) is not int or made_by < 1:
        raise damaged(path, kind, "it has no version")
    if made_by > version:
        raise InputError(
            f"this {kind} was written by a newer lipdub (version {made_by}; this one knows up to {version})",
            file=path,
            remedy="Update with: pip install -U lipdub",
        )
    for step in range(made_by, version):
        told = migrations[step](told)
    return told


def damaged(path: Path, kind: str, why: str) -> InputError:
    """The error for a file of ours that cannot be used."""
    remedies = {"film": "Make the film again: lipdub dub --project"}
    remedy = remedies.get(kind, "Restore it from a copy, or start anew")
    return InputError(f"this {kind} file is damaged: {why}", file=path, remedy=remedy)
