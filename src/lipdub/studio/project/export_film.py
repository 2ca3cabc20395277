"""The film of a plan: missing takes are made while its segments are, and everything is published together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lipdub.media.sound_piece_file import PiecedSound, remove_old_pieces
from lipdub.plugins import fingerprint_of
from lipdub.review.report import Report
from lipdub.studio.assemble.music_effects import default_separator
from lipdub.studio.deliver.deliver import deliver
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
from lipdub.studio.project.record_film import write_film_record
from lipdub.studio.session import Session
from lipdub.studio.store import key
from lipdub.studio.workers.make_film import make_film

if TYPE_CHECKING:
    from lipdub.compose.mix.mixer import MixLevels


def export_film(work: LanguageWork, session: Session, anew: Collection[str] = ()) -> Report:
    """Make what is missing, and the lines ``anew`` (by id) also if they have a take; write the film with its report,
    page and subtitles.

    Raises ``NothingToDub`` if no mouth changes, and what planning, rendering, assembling and delivering raise.
    """
    takes = plan_takes(work, session, {*work.missing, *anew}, anew=anew)
    check_something_to_do(work, takes)
    return film_of(work, takes, session)


def film_of(work: LanguageWork, takes: PlannedTakes, session: Session) -> Report:
    """Make what ``takes`` are missing, and write the film with its report, page and subtitles. Raises what
    ``export_film`` raises, but for planning."""
    engines = frozenset(take.recipe.engine.split(":")[0] for take in work.have.values())
    plan = replace(takes.plan, mix_levels=_levels(work), engines=engines)

    def complete() -> None:
        render_lines(work, takes, session)
        finish_takes(work, takes)

    film, made = make_film(work.job, plan, film_folders(work, takes, session), session, complete)
    if film.mix_levels is not None:
        with told_as_output(work.folder.path):
            write_levels(_levels_file(work), film.mix_levels, _levels_identity(work))
    report = deliver(made, film, session)
    write_film_record(work, takes, report)
    remove_old_segments(made)
    if isinstance(film.sound, PiecedSound):
        remove_old_pieces(made.sound, film.sound)
    return report


def _levels(work: LanguageWork) -> MixLevels | None:
    """The levels of the first mix; None if there was none, or if no line is left of it."""
    return read_levels(_levels_file(work), _levels_identity(work)) if work.have else None


def _levels_file(work: LanguageWork) -> Path:
    return work.folder.plan(work.plan.language).with_suffix(".mix.npz")


def _levels_identity(work: LanguageWork) -> str:
    """What the levels depend on: the source and the options of the mix."""
    speech = work.job.speech
    separator = default_separator(speech, work.job.clip)
    by = speech.separator if separator is None else fingerprint_of(separator)
    return key(1, work.job.digest, speech.loudness, speech.duck, speech.music_effects, by, speech.mix)
