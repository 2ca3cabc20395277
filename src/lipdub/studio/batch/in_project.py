"""A job of a batch that is made in a project: the same as ``lipdub dub --project``."""

from lipdub.review.report import Report
from lipdub.studio.caller import Caller
from lipdub.studio.job import DubRequest
from lipdub.studio.project.open_project import language_of, open_project
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.remembered_options import ProjectOptions


def is_planned(request: DubRequest) -> bool:
    """Whether the job's project has a plan for its language, which says what is said. Raises ``InputError`` for a
    project that cannot be used."""
    if request.project is None:
        return False
    folder = ProjectFolder(request.project.folder)
    if not folder.exists:
        return False
    return language_of(request.audio, ProjectOptions(request.options, request.speech)) in folder.load().languages


def make_in_project(request: DubRequest, caller: Caller) -> Report:
    """Make what the project is missing, and the film. Raises what ``OpenProject.render`` raises."""
    assert request.project is not None
    assert request.output is not None
    project = open_project(request.project.folder, request.source, caller)
    given = ProjectOptions(request.options, request.speech, request.project.named)
    return project.render(request.speech.to, request.output, given, request.audio)
