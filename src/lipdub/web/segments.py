"""Lines of a language as the API shows them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from lipdub.errors import InputError
from lipdub.studio.project.edits import Reviewed
from lipdub.studio.project.line_flags import closure_counts, line_flags, mean_sync
from lipdub.studio.project.open_project import OpenProject
from lipdub.studio.project.status import LineStatus, PlanNow, fits_plan, is_left, plan_now
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.film_record import FilmRecord
from lipdub.timeline.language_plan import PlannedLine
from lipdub.timeline.take import Take
from lipdub.timeline.time import Span
from lipdub.web.api.shapes import Counts, Flag, Pace, Range, Scores, Segment
from lipdub.web.studio import Studio

_WORK = ("plan", "redo", "render")


@dataclass(frozen=True)
class ReviewedLanguage:
    """A language of a project as it was at one moment, and everything to show its lines. ``given`` is what it was like
    (None: as it is when it is looked at first)."""

    studio: Studio
    id: str
    project: OpenProject
    language: str
    given: Reviewed | None = None

    @cached_property
    def reviewed(self) -> Reviewed:
        """The plan and its marks. Raises ``InputError`` if they cannot be used."""
        return self.given or self.studio.plans.reviewed(self.project, self.language)

    @cached_property
    def zero(self) -> Fraction:
        """The instant on the plan's clock at which players start the source."""
        return self.project.zero if self.given is None else self.given.zero

    @property
    def of(self) -> str:
        """Whose times these are (see ``ExactTimes``)."""
        return f"{self.id}/{self.language}"

    @cached_property
    def film(self) -> FilmRecord | None:
        """What the last film shows; None if none was made, or what was written down about it is damaged."""
        file = self.project.folder.film(self.language)
        with suppress(InputError):
            return FilmRecord.load(file) if file.exists() else None
        return None

    @cached_property
    def status(self) -> tuple[LineStatus, ...]:
        """The states of all lines, in order of time."""
        return self.statuses(self.reviewed.plan.lines)

    def statuses(self, lines: Iterable[PlannedLine]) -> tuple[LineStatus, ...]:
        """The states of some lines, as ``lipdub status`` has them, for this very plan and these marks."""
        plan = self.reviewed.plan
        now = plan_now(plan, self.project.project, self.zero)
        takes = LineTakes(self.project.folder, self.language)
        return tuple(self._status(planned, takes.there(planned.line.id), now) for planned in lines)

    def _status(self, planned: PlannedLine, every: tuple[Take, ...], now: PlanNow) -> LineStatus:
        line, film = planned.line.id, self.film
        used = next((take for take in every if take.number == planned.take), None)
        fitting = tuple(take.number for take in every if fits_plan(planned, take, now))
        if is_left(self.reviewed.plan, planned, now.excluded):
            state = "left"
        elif used is None:
            state = "missing"
        else:
            state = "made" if used.number in fitting else "changed"
        shown = film is not None and used is not None and film.takes.get(line) == used.number
        errors = film.word_errors.get(line) if shown and film is not None else None
        return LineStatus(planned, state, used, len(every), self.reviewed.marks.of(line), errors, fitting)

    def seconds(self, instant: Fraction) -> float:
        """An instant on the plan's clock as it is shown."""
        return self.studio.times.shown(instant - self.zero, self.of)

    def length(self, seconds: Fraction) -> float:
        """A number of seconds as it is shown."""
        return self.studio.times.shown(seconds, self.of)

    def range(self, span: Span) -> Range:
        """A span on the plan's clock as it is shown."""
        return Range(start=self.seconds(span.start), end=self.seconds(span.end))

    def segments(self, only: Sequence[str] | None = None) -> list[Segment]:
        """All lines, or those with the ids ``only``, in order of time."""
        running = states_by_jobs(self.studio.jobs.jobs(self.id, limit=100), self.language)
        if only is None:
            return [self._segment(each, running) for each in self.status]
        wanted = [planned for planned in self.reviewed.plan.lines if planned.line.id in set(only)]
        return [self._segment(each, running) for each in self.statuses(wanted)]

    @property
    def counts(self) -> Counts:
        """How many lines are in each state."""
        states = [line.state for line in self.status]
        return Counts(**{name: states.count(name) for name in ("made", "missing", "changed", "left")})

    def _segment(self, status: LineStatus, running: Callable[[str, str], str]) -> Segment:
        planned, line, mark = status.planned, status.planned.line, status.mark
        return Segment(
            id=line.id,
            start=self.seconds(line.span.start),
            end=self.seconds(line.span.end),
            text=line.text,
            source_text=self.reviewed.plan.originals.get(line.id, ""),
            speaker=line.speaker,
            person=planned.person,
            voice=planned.voice,
            offset=self.length(planned.offset),
            engine=planned.engine,
            seed=planned.seed,
            leave=planned.leave,
            take=planned.take,
            takes=status.takes,
            state=status.state,  # type: ignore[arg-type]
            verdict=mark.verdict,
            note=mark.note,
            flags=[Flag(kind=flag.kind, text=flag.text) for flag in line_flags(status)],
            pace=self._pace(status.take),
            scores=scores_of(status.take, status.word_errors),
            status=running(line.id, status.state),  # type: ignore[arg-type]
        )

    def _pace(self, take: Take | None) -> Pace | None:
        voice = None if take is None else take.voice
        if voice is None:
            return None
        return Pace(rate=round(voice.rate, 4), missing=float(voice.missing), said=self.range(voice.span))


def scores_of(take: Take | None, word_errors: float | None = None) -> Scores:
    """What was measured on a take."""
    if take is None:
        return Scores()
    sync, (found, wanted) = mean_sync(take), closure_counts(take)
    return Scores(
        sync=None if sync is None else round(sync, 4),
        closures_found=found,
        closures_requested=wanted,
        word_errors=None if word_errors is None else round(word_errors, 4),
    )


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
