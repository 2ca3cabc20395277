"""Lines of a language as the API shows them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from lipdub.studio.project.open_project import OpenProject
from lipdub.studio.project.status import fits_plan
from lipdub.timeline.language_plan import PlannedLine
from lipdub.timeline.take import Take
from lipdub.timeline.time import Span
from lipdub.web.api.shapes import Counts, Flag, Pace, Range, Scores, Segment
from lipdub.web.studio import Studio

_WORK = ("plan", "redo", "render")


@dataclass(frozen=True)
class ReviewedLanguage:
    """A language of a project as it is now (see ``OpenProject.reviewed``), and everything to show its lines."""

    studio: Studio
    id: str
    project: OpenProject
    language: str
    reviewed: Any

    @property
    def of(self) -> str:
        """Whose times these are (see ``ExactTimes``)."""
        return f"{self.id}/{self.language}"

    def seconds(self, instant: Fraction) -> float:
        """An instant on the plan's clock as it is shown."""
        return self.studio.times.shown(instant - self.reviewed.zero, self.of)

    def length(self, seconds: Fraction) -> float:
        """A number of seconds as it is shown."""
        return self.studio.times.shown(seconds, self.of)

    def range(self, span: Span) -> Range:
        """A span on the plan's clock as it is shown."""
        return Range(start=self.seconds(span.start), end=self.seconds(span.end))

    def segments(self, only: Sequence[str] | None = None) -> list[Segment]:
        """All lines, or those with the ids ``only``, in order of time."""
        taken = self.studio.takes.lines(self.project.folder, self.language)
        running = states_by_jobs(self.studio.jobs.jobs(self.id, limit=100), self.language)
        wanted = None if only is None else set(only)
        return [
            self._segment(planned, taken.get(quote(planned.line.id, safe=""), ()), running)
            for planned in self.reviewed.plan.lines
            if wanted is None or planned.line.id in wanted
        ]

    def used(self, planned: PlannedLine) -> Take | None:
        """The take that a line uses; None if there is none."""
        if not planned.take:
            return None
        return self.studio.takes.used(self.project.folder, self.language, planned.line.id, planned.take)

    def counts(self) -> Counts:
        """How many lines are in each state."""
        states = [state_of(planned, self.used(planned)) for planned in self.reviewed.plan.lines]
        return Counts(**{name: states.count(name) for name in ("made", "missing", "changed", "left")})

    def _segment(self, planned: PlannedLine, takes: tuple[int, ...], running: Callable[[str, str], str]) -> Segment:
        line, plan = planned.line, self.reviewed.plan
        used, mark = self.used(planned), self.reviewed.marks.of(line.id)
        state = state_of(planned, used)
        return Segment(
            id=line.id,
            start=self.seconds(line.span.start),
            end=self.seconds(line.span.end),
            text=line.text,
            source_text=plan.originals.get(line.id, ""),
            speaker=line.speaker,
            person=planned.person,
            voice=planned.voice,
            offset=self.length(planned.offset),
            engine=planned.engine,
            seed=planned.seed,
            leave=planned.leave,
            take=planned.take,
            takes=len(takes),
            state=state,
            verdict=mark.verdict,
            note=mark.note,
            flags=flags_of(planned, used),
            pace=self._pace(used),
            scores=scores_of(used),
            status=running(line.id, state),  # type: ignore[arg-type]
        )

    def _pace(self, take: Take | None) -> Pace | None:
        voice = None if take is None else take.voice
        if voice is None:
            return None
        return Pace(rate=round(voice.rate, 4), missing=float(voice.missing), said=self.range(voice.span))


def state_of(planned: PlannedLine, used: Take | None) -> Any:
    """The state of a line, as ``lipdub status`` has it."""
    if planned.leave:
        return "left"
    if used is None:
        return "missing"
    return "made" if fits_plan(planned, used) else "changed"


def scores_of(take: Take | None) -> Scores:
    """What was measured on the patches of a take: of several cues, the sum of closures and the worst sync."""
    metrics = [patches.metrics for patches in take.patches] if take is not None else []

    def found(name: str) -> list[float]:
        return [each[name] for each in metrics if name in each]

    syncs, shut, wanted = found("sync_score"), found("closures_found"), found("closures_requested")
    return Scores(
        sync=round(min(syncs), 4) if syncs else None,
        closures_found=sum(shut) if shut else None,
        closures_requested=sum(wanted) if wanted else None,
    )


def flags_of(planned: PlannedLine, take: Take | None) -> list[Flag]:
    """What a reviewer should look at in a line."""
    return []


def states_by_jobs(jobs: Sequence[Any], language: str) -> Callable[[str, str], str]:
    """A function from the id and the state of a line to its status, given the newest ``jobs`` of its project."""
    mine = [job for job in jobs if job.language == language and job.kind in _WORK]
    open_jobs = [job for job in mine if job.status in ("queued", "processing")]
    last = next((job for job in mine if job.status not in ("queued", "processing", "cancelled")), None)
    failed = last if last is not None and last.status == "failed" else None

    def status(line: str, state: str) -> str:
        for job in open_jobs:
            if _concerns(job, line, state):
                return "running" if job.status == "processing" else "queued"
        if state == "left":
            return "kept"
        if state == "made":
            return "fresh"
        return "failed" if failed is not None and _concerns(failed, line, state) else "stale"

    return status


def _concerns(job: Any, line: str, state: str) -> bool:
    """True if a job makes, or was to make, a line that is in ``state``."""
    wanted = job.request.get("segments", "stale") if isinstance(job.request, Mapping) else "stale"
    return line in wanted if isinstance(wanted, list | tuple) else state in ("missing", "changed")
