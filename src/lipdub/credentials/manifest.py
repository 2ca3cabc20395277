"""What a content credential says about a dub: a C2PA manifest, in the words of the C2PA specification (actions, version
2) and of IPTC's digital source types. ``docs/disclosure.md`` gives the reasons for each choice."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from lipdub.timeline.time import Span

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

COMPOSITE_WITH_AI = f"{_IPTC}compositeWithTrainedAlgorithmicMedia"
"""Something that was captured, with parts that a trained model made or moved."""

MADE_BY_AI = f"{_IPTC}trainedAlgorithmicMedia"
"""Something that a trained model made."""

ACTIONS = "c2pa.actions.v2"
"""The label of the assertion that lists what was done."""


@dataclass(frozen=True)
class Ingredient:
    """A file from which the signed one was made: the dubbed clip (``parentOf``), or something that was added to it
    (``componentOf``). ``mime`` is its media type. Its own credential, if it bears one, stays in the chain."""

    path: Path
    mime: str
    relation: Literal["parentOf", "componentOf"]
    name: str


@dataclass(frozen=True)
class ChangedSpan:
    """A ``span`` of the film, in seconds from its start, whose picture was changed, and what was changed (``what``)."""

    span: Span
    what: str


@dataclass(frozen=True)
class DubAccount:
    """What is said about a dub.

    ``title`` is the name of the file, ``version`` that of lipdub, ``when`` it was made. ``picture`` is a sentence on
    how the lips were changed, in the spans ``changed``; ``label`` are the spans in which a visible label was drawn.
    ``sound`` is a sentence on the dub track ("": there is none), and ``synthetic`` whether its speech was made by a
    model (None: that is not known). ``language`` is that of the dub and ``source_language`` that of the clip, "" if
    unknown; ``translated`` says that its text was translated. ``ingredients`` are the files that it was made of, the
    clip first; it may be empty.
    """

    title: str
    version: str
    when: datetime
    picture: str = ""
    changed: tuple[ChangedSpan, ...] = ()
    label: tuple[Span, ...] = ()
    sound: str = ""
    synthetic: bool | None = None
    language: str = ""
    source_language: str = ""
    translated: bool = False
    ingredients: tuple[Ingredient, ...] = ()


def manifest(account: DubAccount) -> dict[str, Any]:
    """The manifest of a dub, as ``c2pa.Builder`` takes it. Sound alone that was made of nothing is "created", all else
    is "opened" and then changed."""
    sound = plain_text(account.sound)
    agent = {"name": "lipdub", "version": account.version}
    actions: list[dict[str, Any]] = []
    parents = [one.name for one in account.ingredients if one.relation == "parentOf"]
    parts = [one.name for one in account.ingredients if one.relation == "componentOf"]
    if parents:
        actions.append({"action": "c2pa.opened", "parameters": {"ingredientIds": parents}})
    else:
        kind = MADE_BY_AI if account.synthetic else "http://c2pa.org/digitalsourcetype/empty"
        actions.append({"action": "c2pa.created", "digitalSourceType": kind, "description": sound})
    if parts:
        actions.append({"action": "c2pa.placed", "parameters": {"ingredientIds": parts}})
    if account.changed:
        edited = {"action": "c2pa.edited", "digitalSourceType": COMPOSITE_WITH_AI, "description": account.picture}
        actions.append({**edited, "changes": [_change(one.span, one.what) for one in account.changed]})
    if account.label:
        spans = [_change(span, "the label is seen") for span in account.label]
        actions.append({"action": "c2pa.edited", "description": "a visible label was drawn", "changes": spans})
    if account.sound and parents:
        kind = {"digitalSourceType": MADE_BY_AI} if account.synthetic else {}
        actions.append({"action": "c2pa.dubbed", **kind, "description": sound})
    if account.translated:
        known = {"sourceLanguage": account.source_language, "targetLanguage": account.language}
        actions.append({"action": "c2pa.translated", "parameters": {k: v for k, v in known.items() if v}})
    when = account.when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "claim_generator_info": [agent],
        "title": plain_text(account.title),
        "assertions": [
            {"label": ACTIONS, "data": {"actions": [{**one, "when": when, "softwareAgent": agent} for one in actions]}}
        ],
    }


def plain_text(text: str) -> str:
    """``text`` as UTF-8 can hold it: bytes of a name that is not UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _change(span: Span, what: str) -> dict[str, Any]:
    time = {"type": "npt", "start": npt(span.start), "end": npt(span.end)}
    return {"region": [{"type": "temporal", "time": time}], "description": what}


def npt(seconds: Fraction) -> str:
    """Seconds as normal play time (RFC 7826, 4.4.2), to the microsecond."""
    whole = f"{float(seconds):.6f}".rstrip("0")
    return f"{whole}0" if whole.endswith(".") else whole


def joined(spans: Iterable[Span], gap: Fraction) -> list[Span]:
    """``spans`` in order, those that are less than ``gap`` seconds apart as one."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if out and span.start - out[-1].end < gap:
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out
