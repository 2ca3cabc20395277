"""What a project holds: for each language, how many lines are made, missing, changed since, or left as filmed."""

from dataclasses import dataclass
from fractions import Fraction

from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.language_plan import PlannedLine
from lipdub.timeline.project import Project
from lipdub.timeline.take import Take


@dataclass(frozen=True)
class LineStatus:
    """The state of one line: "made", "missing" (no take yet), "changed" (the plan was edited after its take was made)
    or "left" (as filmed). ``take`` is the one that is used, ``takes`` how many there are."""

    planned: PlannedLine
    state: str
    take: Take | None
    takes: int


@dataclass(frozen=True)
class LanguageStatus:
    """The state of one language: its ``lines``, and how many of them are in each state."""

    language: str
    lines: tuple[LineStatus, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of lines by state; states without a line are left out."""
        out: dict[str, int] = {}
        for line in self.lines:
            out[line.state] = out.get(line.state, 0) + 1
        return out


@dataclass(frozen=True)
class ProjectStatus:
    """The state of a project."""

    project: Project
    languages: tuple[LanguageStatus, ...]


def project_status(folder: ProjectFolder, project: Project, zero: Fraction) -> ProjectStatus:
    """What is planned, made and missing; times of plans count from ``zero``. Raises ``InputError`` for a plan that
    cannot be used."""
    languages = []
    for language in project.languages:
        takes = LineTakes(folder, language)
        plan = folder.load_plan(language, zero)
        languages.append(LanguageStatus(language, tuple(_line(planned, takes) for planned in plan.lines)))
    return ProjectStatus(project, tuple(languages))


def _line(planned: PlannedLine, takes: LineTakes) -> LineStatus:
    every = takes.complete(planned.line.id)
    used = next((take for take in every if take.number == planned.take), None)
    if planned.leave:
        state = "left"
    elif used is None:
        state = "missing"
    else:
        state = "made" if fits_plan(planned, used) else "changed"
    return LineStatus(planned, state, used, len(every))


def fits_plan(planned: PlannedLine, take: Take) -> bool:
    """True if the take was made from what the plan says now, as far as the plan itself tells."""
    recipe = take.recipe
    return (
        recipe.text == planned.line.text
        and recipe.voice == planned.voice
        and recipe.offset == planned.offset
        and recipe.person == (planned.person or "")
        and (planned.seed is None or recipe.seed == planned.seed)
        and (not planned.engine or recipe.engine.split(":")[0] == planned.engine.split(":")[0])
    )
