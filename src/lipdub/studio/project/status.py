"""What a project holds: for each language, how many lines are made, missing, changed since, or left as filmed."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

from lipdub.errors import InputError
from lipdub.studio.project.planned_slots import planned_slots
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.ranges import begins_in, excluded_of
from lipdub.studio.project.takes import LineTakes, files_are_there
from lipdub.timeline.film_record import FilmRecord
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.project import Project
from lipdub.timeline.review_marks import LineMark
from lipdub.timeline.take import Take
from lipdub.timeline.time import Span, shared_spans


@dataclass(frozen=True)
class LineStatus:
    """The state of one line: "made", "missing" (no take yet), "changed" (the plan was edited after its take was made)
    or "left" (as filmed). ``take`` is the one that is used, ``takes`` how many there are.

    ``mark`` is what a reviewer decided. ``word_errors`` is the rate at which the ASR check heard other words in this
    take (None: it was not checked). ``fitting`` are the numbers of the takes that fit the plan as it is.
    """

    planned: PlannedLine
    state: str
    take: Take | None
    takes: int
    mark: LineMark = LineMark()
    word_errors: float | None = None
    fitting: tuple[int, ...] = ()


@dataclass(frozen=True)
class LanguageStatus:
    """The state of one language: its ``lines``, and how many of them are in each state. ``film`` tells of the last film
    (None: none was made, or what was written down about it is damaged)."""

    language: str
    lines: tuple[LineStatus, ...]
    film: FilmRecord | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The number of lines by state; states without a line are left out."""
        return _counted([line.state for line in self.lines])

    @property
    def verdicts(self) -> dict[str, int]:
        """The number of lines by verdict of the reviewers; verdicts without a line are left out."""
        return _counted([line.mark.verdict for line in self.lines])


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in dict.fromkeys(names)}


@dataclass(frozen=True)
class ProjectStatus:
    """The state of a project."""

    project: Project
    languages: tuple[LanguageStatus, ...]


def project_status(folder: ProjectFolder, project: Project, zero: Fraction) -> ProjectStatus:
    """What is planned, made and missing; times of plans count from ``zero``. Only small files are read: whether takes
    are damaged is found out when they are used. Raises ``InputError`` for a plan or marks that cannot be used."""
    every = (language_status(folder, project, language, zero) for language in project.languages)
    return ProjectStatus(project, tuple(every))


def language_status(folder: ProjectFolder, project: Project, language: str, zero: Fraction) -> LanguageStatus:
    """The state of one language; as ``project_status``."""
    plan = folder.load_plan(language, zero)
    now = plan_now(plan, project, zero)
    takes = LineTakes(folder, language).told_of(planned.line.id for planned in plan.lines)
    reader = _Reader(plan, takes, now, _film(folder, language))
    marks = folder.load_marks(language).settled(plan)
    lines = tuple(reader.line(planned, marks.of(planned.line.id)) for planned in plan.lines)
    return LanguageStatus(language, lines, reader.film)


def _film(folder: ProjectFolder, language: str) -> FilmRecord | None:
    file = folder.film(language)
    with suppress(InputError):
        return FilmRecord.load(file) if file.exists() else None
    return None


@dataclass(frozen=True)
class PlanNow:
    """What a plan says beside the fields of a line: the spans that are ``excluded`` from the dub, and the time that
    belongs to each line by the plan (``slots``, by line id)."""

    excluded: tuple[Span, ...] = ()
    slots: Mapping[str, Span] = field(default_factory=dict)


def plan_now(plan: LanguagePlan, project: Project, zero: Fraction) -> PlanNow:
    """What ``plan`` and the options of its project say beside the fields of lines. Raises ``InputError``."""
    return PlanNow(excluded_of(project, zero), planned_slots(plan, project))


@dataclass(frozen=True)
class _Reader:
    plan: LanguagePlan
    takes: Mapping[str, tuple[Take, ...]]
    now: PlanNow
    film: FilmRecord | None

    def line(self, planned: PlannedLine, mark: LineMark) -> LineStatus:
        every = self.takes[planned.line.id]
        used = next((take for take in every if take.number == planned.take and files_are_there(take)), None)
        fitting = tuple(take.number for take in every if fits_plan(planned, take, self.now))
        if is_left(self.plan, planned, self.now.excluded):
            state = "left"
        elif used is None:
            state = "missing"
        else:
            state = "made" if used.number in fitting else "changed"
        return LineStatus(planned, state, used, len(every), mark, self._word_errors(used), fitting)

    def _word_errors(self, used: Take | None) -> float | None:
        film = self.film
        if used is None or film is None or film.takes.get(used.line) != used.number:
            return None
        return film.word_errors.get(used.line)


def is_left(plan: LanguagePlan, planned: PlannedLine, excluded: Sequence[Span]) -> bool:
    """True if a line of ``plan`` is left as filmed: it was asked for, or the line begins in a span in which nothing is
    said. Of a finished dub track everything is heard."""
    return planned.leave or (plan.track is None and begins_in(planned, excluded))


def fits_plan(planned: PlannedLine, take: Take, now: PlanNow = PlanNow()) -> bool:
    """True if the take was made from what the plan says ``now``, as far as the plan itself tells."""
    recipe, slot = take.recipe, now.slots.get(planned.line.id)
    return (
        recipe.text == planned.line.text
        and recipe.voice == planned.voice
        and recipe.offset == planned.offset
        and recipe.person == (planned.person or "")
        and (planned.seed is None or recipe.seed == planned.seed)
        and (not planned.engine or recipe.engine.split(":")[0] == planned.engine.split(":")[0])
        and recipe.excluded == shared_spans([recipe.slot], now.excluded)
        and (take.planned is None or slot is None or take.planned == slot)
    )
