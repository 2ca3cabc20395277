"""What a run changed in a plan, and what was edited while it worked, as one plan."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from lipdub.timeline.language_plan import LanguagePlan, PlannedLine

Value = TypeVar("Value")
_LINE = tuple(field.name for field in fields(PlannedLine) if field.name != "line")
_SAID = ("text", "span", "speaker")


def merge_plans(begun: LanguagePlan, ended: LanguagePlan, now: LanguagePlan) -> LanguagePlan:
    """``now``, which is the plan on the disk, with what a run made of the plan ``begun``: ``ended``.

    Of every line the run's changes are taken field by field, where nobody changed the same field meanwhile. Lines that
    were removed or added meanwhile stay so.
    """
    before = {p.line.id: p for p in begun.lines}
    after = {p.line.id: p for p in ended.lines}
    lines = (_merged(before.get(p.line.id), after.get(p.line.id), p) for p in now.lines)
    track = merge(begun.track, ended.track, now.track)
    return replace(now, lines=tuple(lines), track=track)


def merge(begun: Value, ended: Value, now: Value) -> Value:
    """``ended`` if it is not what was ``begun`` with, and that is there ``now``; else what is there."""
    return ended if now == begun else now


def _merged(begun: PlannedLine | None, ended: PlannedLine | None, now: PlannedLine) -> PlannedLine:
    if begun is None or ended is None or begun == ended:
        return now
    said = _fields(begun.line, ended.line, now.line, _SAID)
    own = _fields(begun, ended, now, _LINE)
    return replace(now, line=replace(now.line, **said), **own)


def _fields(begun: object, ended: object, now: object, names: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: merge(getattr(begun, name), getattr(ended, name), getattr(now, name)) for name in names}
