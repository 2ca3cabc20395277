"""Divides pairs into training and validation by person: nobody is on both sides, whoever filmed the clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import numpy as np
from jaxtyping import Float32

from lipdub.faces.person_groups import group_tracks

Side = Literal["train", "validation"]


@dataclass(frozen=True, eq=False)
class PersonOfPair:
    """Who a pair shows: the face's ``embedding`` (None: it cannot be known). Pairs with the same ``known`` person ("":
    not known) show one person, as the analysis of their clip found."""

    pair: str
    embedding: Float32[np.ndarray, "128"] | None
    known: str = ""


@dataclass(frozen=True)
class PersonSplit:
    """The side of each pair, and its person's number; ``left_out`` are pairs that may show anybody; ``notes``."""

    sides: dict[str, Side] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def split_by_person(people: Sequence[PersonOfPair], share: float, earlier: Mapping[str, str]) -> PersonSplit:
    """Put about ``share`` (0..0.5) of the pairs on the side of validation.

    A person with a pair that was trained on ``earlier`` (pair -> side) stays on that side. Groups of pairs that are
    unsure to be two people count as one. A pair whose person is not known is left out if anybody is on the side of
    validation. The same pairs give the same split, in whatever order.
    """
    groups, unknown = _people(sorted(people, key=lambda person: person.pair))
    numbers = {pair: number for number, group in enumerate(groups) for pair in group}
    if not groups:
        all_train: dict[str, Side] = {}
        for pair in unknown:
            all_train[pair] = "train"
        nobody = "Whose face it is could not be known: all pairs are for training, none for validation."
        return PersonSplit(all_train, {}, notes=(nobody,) if people and share else ())
    held = _validation(groups, share, len(people), earlier)
    sides: dict[str, Side] = {
        pair: "validation" if number in held else "train" for number, group in enumerate(groups) for pair in group
    }
    if not held:
        alone = "All pairs may show one person: none is kept for validation."
        for pair in unknown:
            sides[pair] = "train"
        return PersonSplit(sides, numbers, notes=(alone,) if share else ())
    return PersonSplit(sides, numbers, tuple(unknown))


def _people(people: Sequence[PersonOfPair]) -> tuple[list[list[str]], list[str]]:
    """(Pairs of each person, in order; pairs of nobody known)."""
    seen = [person for person in people if person.embedding is not None]
    found = group_tracks([person.embedding for person in seen], ())
    parts = [{seen[member].pair for member in group.members} for group in found.groups]
    parts += [parts[pair.one] | parts[pair.other] for pair in found.unsure]
    by_name: dict[str, set[str]] = {}
    for person in people:
        if person.known:
            by_name.setdefault(person.known, set()).add(person.pair)
    joined: list[set[str]] = []
    for part in [*parts, *by_name.values()]:
        near = [other for other in joined if other & part]
        joined = [other for other in joined if not other & part]
        joined.append(part.union(*near))
    known = {person.pair for person in seen}
    groups = sorted(sorted(part) for part in joined if part & known)
    named = {pair for group in groups for pair in group}
    return groups, [person.pair for person in people if person.pair not in named]


def _validation(groups: list[list[str]], share: float, total: int, earlier: Mapping[str, str]) -> set[int]:
    """The numbers of the people on the side of validation."""
    trained = {n for n, group in enumerate(groups) if any(earlier.get(pair) == "train" for pair in group)}
    held = {n for n, group in enumerate(groups) if n not in trained and any(pair in earlier for pair in group)}
    free = [n for n in range(len(groups)) if n not in trained | held]
    wanted = share * total
    count = sum(len(groups[n]) for n in held)
    by_chance = {n: sha256(groups[n][0].encode()).hexdigest() for n in free}
    for n in sorted(free, key=lambda n: (len(groups[n]) > max(wanted, 1), by_chance[n])):
        enough = count >= wanted or (count > 0 and count + len(groups[n]) > 2 * wanted)
        if share == 0 or enough or len(held) + 1 == len(groups):
            break
        held.add(n)
        count += len(groups[n])
    return held
