"""A project as programs use it: ``lipdub.open_project("film.lipdub")``.

    project = lipdub.open_project("film.lipdub", source="film.mp4")
    script = lipdub.SpeechOptions(script=Path("film.es.srt"))
    plan = project.plan(given=lipdub.ProjectOptions(speech=script))
    report = project.render("es", "film.es.mp4")
    take = project.redo("es", "7", lipdub.LineChange(text="Buenas noches"))
    project.choose("es", "7", 1)

Each method does its whole work before it returns. A ``Caller`` takes progress; an exception that its listener raises
cancels the work, and what is finished is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from lipdub.errors import InputError, OptionError
from lipdub.review.report import Report
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.caller import Caller
from lipdub.studio.project.export_film import export_film
from lipdub.studio.project.hear_line import HeardLine, hear_line, hear_take, hear_track
from lipdub.studio.project.line_change import LineChange
from lipdub.studio.project.people import PersonSeen, as_settled, people_seen, with_parted
from lipdub.studio.project.project_folder import ProjectFolder, plan_name
from lipdub.studio.project.project_runs import ProjectRun, ProjectRuns, language_of, says_something
from lipdub.studio.project.remembered_options import ProjectOptions, combined
from lipdub.studio.project.sharded_film import (
    ShardOptions,
    assemble_film,
    check_one_engine,
    make_shard,
    prepared_film,
    shard_folder,
)
from lipdub.studio.project.shards import ShardDone
from lipdub.studio.project.status import fits_plan, plan_now
from lipdub.studio.project.takes import LineTakes
from lipdub.studio.session import open_session
from lipdub.studio.shard import Shard
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.project import Project
from lipdub.timeline.take import Take

__all__ = ["OpenProject", "ProjectOptions", "language_of", "open_project"]


def open_project(path: str | Path, source: str | Path | None = None, caller: Caller = Caller()) -> "OpenProject":
    """The project in the folder ``path``. ``source`` is the clip of a new project, or where it is now if it was moved.

    To call this states that the people in the footage agreed (see ``Caller.ask_people`` to ask instead). Raises
    ``InputError`` if there is no project and no ``source``, or if the project cannot be used.
    """
    opened = OpenProject(ProjectFolder(Path(path)), None if source is None else Path(source), caller)
    if opened.folder.exists:
        _ = opened.project
    elif source is None:
        opened.folder.load()
    return opened


@dataclass(frozen=True)
class OpenProject(ProjectRuns):
    """A project that is open: see ``open_project``. What it can do without a run is in ``ProjectOnDisk``."""

    def plan(
        self, audio: str | Path | None = None, given: ProjectOptions = ProjectOptions(), *, overwrite: bool = False
    ) -> LanguagePlan:
        """Plan one language: the finished dub track ``audio``, or what ``given.speech`` asks for.

        Nothing is spoken or rendered. A plan that is there already is only replaced with ``overwrite``; takes stay.
        Raises ``OptionError``, ``InputError``, ``OutputError``, and what recognisers and translators raise.
        """
        language = language_of(None if audio is None else Path(audio), given)
        with self.folder.locked():
            if self.folder.plan(language).exists() and not overwrite:
                raise OptionError(
                    f"the project has a plan for '{plan_name(language)}' already",
                    file=self.folder.plan(language),
                    remedy="Edit it, or replace it with --overwrite",
                )
            with self._job(ProjectRun(given, audio=None if audio is None else Path(audio))) as (job, session):
                return self._planned(job, language, session)

    def render(
        self,
        language: str,
        output: str | Path,
        given: ProjectOptions = ProjectOptions(),
        audio: str | Path | None = None,
    ) -> Report:
        """Make what the plan of ``language`` is missing, and write the film to ``output``.

        Without a plan, one is made first, from ``audio`` or ``given.speech``. Raises what ``lipdub.dub`` raises.
        """
        audio = None if audio is None else Path(audio)
        with self.folder.locked():
            wanted = language or (language_of(audio, given) if says_something(audio, given) else "")
            plan = self._plan_at_hand(wanted, audio, given)
            begun = None if plan is None else self.language_plan(plan.language)
            run = ProjectRun(given, Path(output), audio, plan, begun=begun)
            run = run if plan is None else self._with_other_engines(run)
            with self._job(run) as (job, session):
                run = replace(run, plan=run.plan or self._planned(job, wanted, session))
                return export_film(self._work(run, job, session), session)

    def redo(
        self,
        language: str,
        line: str,
        change: LineChange = LineChange(),
        given: ProjectOptions = ProjectOptions(),
        output: str | Path | None = None,
    ) -> Take:
        """Make a new take of one line, and choose it. Other lines stay as they are, sample by sample and frame by
        frame. With ``output`` the film is written, too.

        Raises ``InputError`` for a line that is not in the plan, and what making it raises.
        """
        with self.folder.locked():
            begun = self.language_plan(language)
            plan = begun.with_line(change.applied(self._line(begun, line)))
            run = ProjectRun(given, None if output is None else Path(output), plan=plan, begun=begun)
            self._made_by_engines([line], run, anew=True)
            return self._newest(plan.language, line, anew=True)

    def redo_lines(
        self,
        language: str,
        lines: Sequence[str],
        given: ProjectOptions = ProjectOptions(),
        output: str | Path | None = None,
        *,
        anew: bool = True,
    ) -> tuple[Take, ...]:
        """Make new takes of several lines, and choose them; the takes are returned in the order of ``lines``. With
        ``anew`` False, a line that has a take that fits the plan gets that one. With ``output`` the film is written,
        too.

        Lines are made as the plan says; a line that is left as filmed is refused. Raises ``InputError`` for a line that
        is not in the plan, ``OptionError`` for one that is left, and what making them raises.
        """
        with self.folder.locked():
            plan = self.language_plan(language)
            for line in lines:
                if self._line(plan, line).leave:
                    raise OptionError(
                        f"line {line} is left as filmed", file=self.folder.plan(plan.language), remedy="Unset leave"
                    )
            run = ProjectRun(given, None if output is None else Path(output), plan=plan)
            self._made_by_engines(tuple(dict.fromkeys(lines)), run, anew=anew)
            return tuple(self._newest(plan.language, line, anew=anew) for line in lines)

    def hear(
        self,
        language: str,
        line: str,
        change: LineChange = LineChange(),
        given: ProjectOptions = ProjectOptions(),
    ) -> HeardLine:
        """Speak one line as ``redo`` would with this ``change``; nothing is rendered, and the plan stays as it is. A
        ``redo`` after it does not speak it again.

        Of a finished dub track it is the line's part. Raises what ``redo`` raises, but for rendering.
        """
        begun = self.language_plan(language)
        planned = change.applied(self._line(begun, line))
        plan = begun.with_line(planned)
        if plan.track is not None:
            return hear_track(plan.track, planned.line.span, self.zero)
        now = plan_now(plan, self.project, self.zero)
        for take in reversed(LineTakes(self.folder, plan.language).told(line)):
            if take.voice is not None and fits_plan(planned, take, now) and take.voice.file.is_file():
                return hear_take(take.voice)
        run = ProjectRun(given, plan=plan, begun=begun, engine=planned.engine)
        with self._job(run) as (job, session):
            return hear_line(self._work(run, job, session), line, session)

    def hear_take(self, language: str, line: str, take: int) -> HeardLine:
        """The speech of a take that was made; of a finished dub track the line's part. Raises ``InputError`` if there
        is no such take."""
        plan = self.language_plan(language)
        planned = self._line(plan, line)
        found = LineTakes(self.folder, plan.language).numbered(line, take)
        if found.voice is not None:
            return hear_take(found.voice)
        if plan.track is None:
            raise InputError(f"take {take} of line {line} has no speech", file=self.folder.path)
        return hear_track(plan.track, planned.line.span, self.zero)

    def make_shard(
        self,
        language: str,
        output: str | Path,
        which: ShardOptions = ShardOptions(Shard()),
        given: ProjectOptions = ProjectOptions(),
    ) -> ShardDone | None:
        """Make one share of the film ``output``, while other machines make others (None: it is only prepared). The
        plan of ``language`` must be there. ``assemble`` writes the film.

        Raises ``OutputError`` if this shard is being made elsewhere, ``MachineError`` if other versions or models are
        here, and what making it raises.
        """
        plan, options = self.language_plan(language), combined(self.project, given, self.folder.manifest)[0]
        check_one_engine(self.folder, plan, options.engine)
        shards = shard_folder(self.folder, self.source, plan, given, Path(output))
        opened = partial(self._opened, ProjectRun(given, Path(output), plan=plan))
        with open_session(options, self.caller.listener, self.caller.ask_download) as session:
            prepared = partial(prepared_film, shards, opened, session, prepare=which.prepare)
            if which.shard is None:
                prepared()
                return None
            return make_shard(shards, which.shard, prepared, session)

    def assemble(
        self, language: str, output: str | Path, given: ProjectOptions = ProjectOptions(), *, make: bool = True
    ) -> Report:
        """Write the film that shards made to ``output``. What is missing is made, or refused without ``make``.

        Raises ``OutputError`` if shards are being made, ``InputError`` for missing parts, and what ``render`` raises.
        """
        plan = self.language_plan(language)
        run = ProjectRun(given, Path(output), plan=plan)
        shards = shard_folder(self.folder, self.source, plan, given, Path(output))
        with self.folder.locked(), shards.assembling(), self._job(run) as (job, session):
            report = assemble_film(shards, partial(self._work, run, job, session), job, session, make=make)
        shards.remove()
        return report

    def people(self, given: ProjectOptions = ProjectOptions()) -> tuple[PersonSeen, ...]:
        """Everybody who is seen in the source, with names where they were given."""
        with self._job(ProjectRun(given, planned=True)) as (job, session):
            return people_seen(self.folder, job.clip, self._analysis(job, session))

    def name_person(self, person: str, name: str, given: ProjectOptions = ProjectOptions()) -> Project:
        """Call a person (by id) ``name``. Raises ``InputError`` if nobody has that id, or another person that name."""
        known = [each.id for each in self.people(given)]
        if person not in known:
            raise InputError(
                f"nobody is known as '{person}'", file=self.folder.path, remedy=f"People: {', '.join(known) or 'none'}"
            )
        return self._settle(person, name=name)

    def part_person(self, person: str, instants: Sequence[Fraction], given: ProjectOptions = ProjectOptions()) -> str:
        """Settle that the face tracks of ``person`` that are seen at ``instants`` (s, on the clock of
        ``PersonSeen.spans``) are a person of their own, and return that person's id. ``same_person`` undoes it.

        Raises ``OptionError`` if there is no such person, or the person is not seen then, or only then.
        """
        with self.folder.locked(), self._job(ProjectRun(given, planned=True)) as (job, session):
            found = analyse(job, session)
            known = [one.id for one in as_settled(found, self.project).people]
            if person not in known:
                raise OptionError(f"there is no person '{person}' (people: {', '.join(known) or 'nobody'})")
            project, part = with_parted(self.project, job.clip, found, person, instants)
            self.folder.save(project)
            return part
