"""The film of a plan: missing takes are made while its segments are, and everything is published together."""

from dataclasses import replace

from lipdub.media.segments import SegmentMismatch
from lipdub.review.report import Report
from lipdub.studio.assemble.assemble import assemble
from lipdub.studio.deliver.deliver import deliver
from lipdub.studio.film import Film
from lipdub.studio.film_work import FilmWork
from lipdub.studio.project.make_takes import (
    LanguageWork,
    PlannedTakes,
    check_something_to_do,
    film_folders,
    finish_takes,
    plan_takes,
    remove_old_segments,
    render_lines,
)
from lipdub.studio.project.mix_levels_file import read_levels, write_levels
from lipdub.studio.project.project_folder import told_as_output
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.workers.divide import divide
from lipdub.studio.workers.pool import make_segments


def export_film(work: LanguageWork, session: Session) -> Report:
    """Make what is missing, and write the film with its report, page and subtitles.

    Raises ``NothingToDub`` if no mouth changes, and what planning, rendering, assembling and delivering raise.
    """
    takes = plan_takes(work, session)
    check_something_to_do(work, takes)
    takes = replace(takes, plan=replace(takes.plan, mix_levels=_levels(work)))
    film, made = _film(work, takes, session)
    if film.mix_levels is not None:
        with told_as_output(work.folder.path):
            write_levels(_levels_file(work), film.mix_levels, _levels_identity(work))
    report = deliver(made, film, session)
    remove_old_segments(made)
    return report


def _film(work: LanguageWork, takes: PlannedTakes, session: Session) -> tuple[Film, FilmWork]:
    """The film, after its takes are complete; the whole picture is encoded if copied segments do not fit."""
    folders = film_folders(work, takes, session)
    made = divide(work.job, takes.plan, folders)
    make_segments(made, session)
    render_lines(work, takes, session)
    finish_takes(work, takes)
    try:
        return assemble(made, session), made
    except SegmentMismatch as mismatch:
        plan = takes.plan.noted(f"the whole picture was encoded: {mismatch.what}")
    made = divide(work.job, plan, folders, copy=False)
    make_segments(made, session)
    return assemble(made, session), made


def _levels(work: LanguageWork):
    """The levels of the first mix; None if there was none, or if no line is left of it."""
    return read_levels(_levels_file(work), _levels_identity(work)) if work.have else None


def _levels_file(work: LanguageWork):
    return work.folder.plan(work.plan.language).with_suffix(".mix.npz")


def _levels_identity(work: LanguageWork) -> str:
    """What the levels depend on: the source and the options of the mix."""
    speech = work.job.speech
    return key(1, work.job.digest, speech.loudness, speech.duck, speech.music_effects, speech.separator, speech.mix)
