"""What came of a job: its state and, from its report, the figures that a summary shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.studio.job import DubRequest


@dataclass(frozen=True)
class JobOutcome:
    """``exit_code`` 0: the film is there. Else ``error`` says why not (a sentence or two). The other fields are those
    of ``Record``."""

    exit_code: int = 0
    error: str = ""
    seconds: float = 0.0
    peak: int = 0
    warnings: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)


def figures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Figures of a report (``Report.to_dict``), those that are known.

    ``film_seconds`` and ``changed_seconds``; ``sync`` and ``sync_before`` (medians over the faces, -1..1);
    ``closures_found`` of ``closures_requested``; ``lines``; the numbers of the speech by their names.
    """
    found: dict[str, float] = {"film_seconds": report["output"]["duration"]}
    found["changed_seconds"] = round(sum(b["end"] - b["start"] for b in _merged(report)), 3)
    for name, key in (("sync", "dub_sync"), ("sync_before", "source_sync")):
        scores = [face[key]["score"] for face in report["faces"] if face[key] and face[key]["score"] is not None]
        if scores:
            found[name] = round(median(scores), 3)
    closures = [face["closures"] for face in report["faces"] if face["closures"]]
    for name in ("requested", "found"):
        if closures:
            found[f"closures_{name}"] = sum(one[name] for one in closures)
    speech = report["speech"]
    if speech:
        found["lines"] = len(speech["lines"])
        found |= {name: value for name, value in speech["metrics"].items() if value is not None}
    return found


def _merged(report: Mapping[str, Any]) -> list[dict[str, float]]:
    """The spans in which any mouth was changed, without overlaps."""
    merged: list[dict[str, float]] = []
    for span in sorted((s for cue in report["cues"] for s in cue["changed"]), key=lambda one: one["start"]):
        if merged and span["start"] <= merged[-1]["end"]:
            merged[-1]["end"] = max(merged[-1]["end"], span["end"])
        else:
            merged.append(dict(span))
    return merged


def left_as_filmed(report: Mapping[str, Any]) -> dict[str, float]:
    """Reason -> seconds of mouths that stayed as filmed for it, the longest first."""
    left: dict[str, float] = {}
    for one in report["passthrough"]:
        left[one["reason"]] = left.get(one["reason"], 0.0) + one["span"]["end"] - one["span"]["start"]
    return {reason: round(left[reason], 3) for reason in sorted(left, key=lambda reason: (-left[reason], reason))}


def outcome_of(report: Mapping[str, Any]) -> JobOutcome:
    """The outcome of a job that succeeded, from its report (``Report.to_dict``)."""
    warnings = tuple(map(str, report["warnings"]))
    return JobOutcome(warnings=warnings, figures=figures_of(report), left=left_as_filmed(report))


def outcome_in_report(request: DubRequest) -> JobOutcome:
    """What the report beside a finished film says of it, where the run that made it could not tell: nothing if the
    report is not there or cannot be understood."""
    assert request.output is not None
    for name in (f"{request.output.stem}.report.json", f"{request.output.name}.report.json"):
        try:
            report = parse_json(request.output.with_name(name).read_bytes())
            if Path(report["output"]["path"]).name == request.output.name:
                return outcome_of(report)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return JobOutcome()
