"""The film of a project made in shards: what one machine does for it, and how the film is put together."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from lipdub.errors import InputError, OptionError
from lipdub.review.report import Report
from lipdub.studio.inputs import Inputs
from lipdub.studio.job import Job
from lipdub.studio.options import DubOptions
from lipdub.studio.project.export_film import export_film, film_of
from lipdub.studio.project.make_takes import LanguageWork, check_something_to_do, film_folders, plan_takes
from lipdub.studio.project.prepared_film import FilmParts, PreparedFilm
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.remembered_options import ProjectOptions, combined, for_spoken_lines
from lipdub.studio.project.shards import ShardDone, ShardFolder, recipe_of
from lipdub.studio.project.takes import LineTakes
from lipdub.studio.session import Session
from lipdub.studio.shard import Shard
from lipdub.studio.workers.divide import divide
from lipdub.studio.workers.pool import make_segments
from lipdub.studio.workers.shares import shares
from lipdub.timeline.language_plan import LanguagePlan

Opened = Callable[[], AbstractContextManager[tuple[LanguageWork, Session]]]
"""Begins a run on the project: its work, and its session."""


@dataclass(frozen=True)
class ShardOptions:
    """Which shard is made. ``prepare`` False: the film must be prepared already, by a run with ``shard`` None, which
    does nothing else."""

    shard: Shard | None = None
    prepare: bool = True


def shard_folder(
    folder: ProjectFolder, source: Path, plan: LanguagePlan, given: ProjectOptions, output: Path
) -> ShardFolder:
    """What the shards of the film of ``plan`` know of each other. The same for any number of workers, whatever happens
    to files, and wherever machines have the weights of the engine, which are compared by themselves.

    Raises ``InputError`` for options that a project cannot have.
    """
    project = folder.load()
    options, speech = combined(project, given, folder.manifest)
    if plan.track is None:
        options = for_spoken_lines(options, given.options)
    usual, files = (
        DubOptions(),
        {"overwrite": False, "consent": False, "weights": None, "prior": None},
    )
    plain = replace(options, workers=usual.workers, shared_store="", page=usual.page, reuse=usual.reuse, **files)
    prior = "" if options.prior is None else Inputs().digest(options.prior)
    said = replace(speech, glossary=None, music_effects=None)  # of the plan, and of the sound
    container = output.suffix.lower()
    recipe = recipe_of(folder.plan(plan.language), project.source.sha256, project.people, plain, prior, said, container)
    return ShardFolder(folder, plan.language, source, recipe)


def check_one_engine(folder: ProjectFolder, plan: LanguagePlan, engine: str) -> None:
    """Raise ``OptionError`` if another engine than ``engine`` renders lines of ``plan`` that have no take yet."""
    takes = LineTakes(folder, plan.language)
    for planned in plan.lines:
        other = planned.engine not in ("", engine) and not planned.leave
        if other and not takes.complete(planned.line.id):
            raise OptionError(
                f"line {planned.line.id} is rendered by another engine ({planned.engine}) than the film's ({engine})",
                file=folder.plan(plan.language),
                remedy=f"Make it before the shards: lipdub redo {folder.path} --line {planned.line.id}",
            )


def prepared_film(shards: ShardFolder, opened: Opened, session: Session, *, prepare: bool) -> PreparedFilm:
    """The film's plan, made by the first machine that asks for it.

    Raises ``InputError`` if it is not there and may not be made, and what planning raises.
    """

    def read() -> PreparedFilm | None:
        return shards.files.read(shards.recipe, session)

    def make() -> PreparedFilm:
        if not prepare:
            why = "there is nothing" if shards.files.told is None else "what is there has another plan or other options"
            raise InputError(
                f"the film is not prepared here: {why}",
                file=shards.path,
                remedy="Check that all machines share this folder and give the same options, or prepare it: "
                "lipdub make PROJECT --prepare-only",
            )
        with opened() as (work, own):
            takes = plan_takes(work, own, work.missing)
            check_something_to_do(work, takes)
            film = divide(work.job, takes.plan, film_folders(work, takes, own))
            own.inputs.check_unchanged()
            return shards.files.write(FilmParts(work, takes, film), shards.recipe, own)

    return shards.prepared(read, make, session.store.tell)


def make_shard(shards: ShardFolder, shard: Shard, prepared: Callable[[], PreparedFilm], session: Session) -> ShardDone:
    """Make the share of a film that belongs to ``shard``, and write down that it is made.

    Raises ``OutputError`` if the shard is being made already, what ``prepared`` raises, and what rendering raises.
    """
    with shards.working(shard) as lease:
        began, found = time.monotonic(), prepared()
        session.inputs.watch([shards.source])
        numbers = shares(found.parts.film, shard.of)[shard.number - 1]
        make_segments(found.parts.film, session, numbers)
        session.inputs.check_unchanged()
        lease.check()
        _check_same_preparation(shards, found)
        return shards.finish(shard, found, numbers, time.monotonic() - began)


def _check_same_preparation(shards: ShardFolder, prepared: PreparedFilm) -> None:
    told = shards.files.told
    if told is None or told.get("token") != prepared.token:
        raise InputError(
            "the preparation of the film is gone, or another one is in its place",
            file=shards.path,
            remedy="Check that nobody removed it, and run the shard again: what it finished is kept",
        )


def assemble_film(
    shards: ShardFolder, work: Callable[[], LanguageWork], job: Job, session: Session, make: bool
) -> Report:
    """Put the film together from what shards made, and make what is missing, if ``make`` allows it.

    Raises ``InputError`` if parts are missing that may not be made, and what exporting a film raises.
    """
    found = shards.files.read(shards.recipe, session)
    if found is None:
        if not make:
            other = shards.files.told is not None
            why = "what is there has another plan, other options or another container" if other else "nothing is there"
            raise InputError(f"no shard of this film was made here: {why}", file=shards.path, remedy=_SHARED)
        if shards.files.told is not None:
            session.store.tell(f"{shards.path}: shards made another film (plan, options or container are not the same)")
        return export_film(work(), session)
    parts = found.parts
    own = replace(parts.work, job=job)
    film = divide(job, parts.takes.plan, film_folders(own, parts.takes, session))
    damaged = [] if make else film.remove_damaged(film.segments.encoded)  # making looks itself
    missing, undone = film.missing, shards.undone(found.token)
    if missing:
        what = f"{len(missing)} of {len(film.segments.encoded)} parts of the film are missing"
        what += f" ({len(damaged)} of them were damaged)" if damaged else ""
        what += f"; shards that left no sign that they ended: {', '.join(undone)}" if undone else ""
        if not make:
            raise InputError(what, file=shards.path, remedy=f"Run these shards again. {_SHARED}")
        session.store.tell(f"{shards.path}: {what}. They are made now")
    return film_of(own, parts.takes, session)


_SHARED = "If they ran elsewhere, check that their machines share this folder"
