"""A project that was never made: a manifest and a plan of some lines. Its source is not there."""

from fractions import Fraction
from pathlib import Path

import lipdub
from lipdub.studio.project.open_project import OpenProject
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile, Project
from lipdub.timeline.time import Span


def planned_line(number: int, text: str = "") -> PlannedLine:
    span = Span(Fraction(number), number + Fraction(1, 2))
    return PlannedLine(Line(text or f"Línea {number} de varias.", span, "es", id=str(number)))


def drawn_project(path: Path, lines: int) -> OpenProject:
    """The project in the folder ``path``, with a Spanish plan of so many lines."""
    folder = ProjectFolder(path)
    with folder.editing():
        folder.save(Project(InputFile(Path("gone.mp4"), "0" * 64), 100, languages=("es",), start=Fraction(0)))
        folder.save_plan(LanguagePlan("es", tuple(planned_line(n) for n in range(1, lines + 1))), Fraction(0))
    return lipdub.open_project(path)
