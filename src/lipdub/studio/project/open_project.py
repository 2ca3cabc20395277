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

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from lipdub.disk.publish import same_file
from lipdub.errors import InputError, OptionError
from lipdub.media.probe import container_start
from lipdub.review.report import Report
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.analysis import Analysis
from lipdub.studio.caller import Caller
from lipdub.studio.job import DubRequest, Job
from lipdub.studio.language_names import language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions, TimelineOptions
from lipdub.studio.preflight.preflight import preflight
from lipdub.studio.project.export_film import export_film
from lipdub.studio.project.export_timeline import (
    ExportedProject,
    ExportedTimeline,
    export_timeline,
)
from lipdub.studio.project.line_change import LineChange
from lipdub.studio.project.make_plan import make_plan
from lipdub.studio.project.make_takes import LanguageWork, finish_takes, language_work, plan_takes, render_lines
from lipdub.studio.project.people import PersonSeen, as_heads, as_settled, people_by_name, people_seen, with_parted
from lipdub.studio.project.project_folder import ProjectFolder, plan_name
from lipdub.studio.project.remembered_options import (
    ProjectOptions,
    combined,
    for_spoken_lines,
    remembered,
    with_length_options,
)
from lipdub.studio.project.sharded_film import (
    ShardOptions,
    assemble_film,
    check_one_engine,
    make_shard,
    prepared_film,
    shard_folder,
)
from lipdub.studio.project.shards import ShardDone
from lipdub.studio.project.status import ProjectStatus, project_status
from lipdub.studio.project.takes import LineTakes
from lipdub.studio.session import Session, open_session
from lipdub.studio.shard import Shard
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.project import InputFile, NamedPerson, Project
from lipdub.timeline.take import Take


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
class OpenProject:
    """A project that is open: see ``open_project``."""

    folder: ProjectFolder
    given_source: Path | None
    caller: Caller

    @property
    def project(self) -> Project:
        """Source, people, consent, options and languages, as they are on the disk now. Raises ``InputError``."""
        return self.folder.load()

    @property
    def source(self) -> Path:
        """Where the source is: where it was given, where it was, or beside the project.

        Raises ``InputError`` if it is not found.
        """
        if self.given_source is not None:
            return self.given_source
        known = self.project.source.path
        beside = self.folder.path.absolute().parent / known.name
        for place in (known, beside):
            if place.is_file():
                return place
        raise InputError(
            "the source of this project is not there any more",
            file=known,
            remedy=f"If it was moved, say where it is: lipdub dub NEW_PLACE --project {self.folder.path} -o OUTPUT",
        )

    def language_plan(self, language: str) -> LanguagePlan:
        """The plan of a language. Raises ``InputError`` if there is none, or if it cannot be used."""
        return self.folder.load_plan(self._known(language), container_start(self.source))

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
            wanted = language or (language_of(audio, given) if _says_something(audio, given) else "")
            plan = self._plan_at_hand(wanted, audio, given)
            if plan is not None:
                plan = self._with_other_engines(plan, given)
            with self._job(ProjectRun(given, Path(output), audio, plan)) as (job, session):
                plan = plan or self._planned(job, wanted, session)
                return export_film(self._work(plan, job, session), session)

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
            plan = self.language_plan(language)
            plan = plan.with_line(change.applied(self._line(plan, line)))
            plan = self._made(plan, [line], ProjectRun(given, None if output is None else Path(output)), anew=True)
            number = self._line(plan, line).take
            return LineTakes(self.folder, plan.language).numbered(line, number)

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
        opened = partial(self._opened, plan, ProjectRun(given, Path(output), plan=plan))
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
        plan, run = self.language_plan(language), ProjectRun(given, Path(output))
        shards = shard_folder(self.folder, self.source, plan, given, Path(output))
        with self.folder.locked(), shards.assembling(), self._job(replace(run, plan=plan)) as (job, session):
            report = assemble_film(shards, partial(self._work, plan, job, session), job, session, make=make)
        shards.remove()
        return report

    def takes(self, language: str, line: str) -> tuple[Take, ...]:
        """All complete takes of a line, by number. Raises ``InputError`` for a line that is not in the plan."""
        plan = self.language_plan(language)
        self._line(plan, line)
        return LineTakes(self.folder, plan.language).complete(line)

    def choose(self, language: str, line: str, take: int) -> Take:
        """Use take ``take`` of a line from now on. Raises ``InputError`` if there is none."""
        with self.folder.locked():
            plan = self.language_plan(language)
            planned = self._line(plan, line)
            found = LineTakes(self.folder, plan.language).numbered(line, take)
            recipe, usual = found.recipe, self.project.options
            engine = recipe.engine if recipe.engine.split(":")[0] != usual.get("engine", DubOptions().engine) else ""
            chosen = replace(
                planned,
                line=replace(planned.line, text=recipe.text),
                voice=recipe.voice,
                offset=recipe.offset,
                seed=None if recipe.seed == usual.get("seed", 0) else recipe.seed,
                engine=engine.split(":")[0],
                take=take,
            )
            self.folder.save_plan(plan.with_line(chosen), container_start(self.source))
            return found

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

    def same_person(self, person: str, others: tuple[str, ...]) -> Project:
        """Settle that ``others`` (ids) are the same person as ``person``, who keeps the id; or, of a person and those
        who were parted from that one, that they are one again."""
        with self.folder.locked():
            project = self.project
            try:
                for other in others:
                    project = project.with_joined(person, other)
            except ValueError as wrong:
                raise OptionError(str(wrong), file=self.folder.manifest) from wrong
            self.folder.save(project)
            return project

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

    def status(self) -> ProjectStatus:
        """What is planned, made and missing. Nothing is analysed for it."""
        return project_status(self.folder, self.project, container_start(self.source))

    def export(
        self, language: str, *files: str | Path, options: TimelineOptions = TimelineOptions()
    ) -> ExportedTimeline:
        """Write the cut of a language, from its last film, to ``files`` for editing software: ``.otio``, ``.edl``,
        ``.xml`` (Final Cut Pro 7) or ``.aaf``. Nothing is analysed or rendered.

        Raises ``InputError`` if no film was made, ``OptionError`` for another type, ``MissingExtra``, ``OutputError``.
        """
        plan = self.language_plan(language)
        work = ExportedProject(self.folder, self.project, self.source, plan)
        return export_timeline(work, tuple(Path(file) for file in files), options)

    def _made(self, plan: LanguagePlan, lines: Sequence[str], run: "ProjectRun", *, anew: bool) -> LanguagePlan:
        """The plan after takes of ``lines``, which have the same engine, were made and chosen. The film is written if
        ``run`` has an output."""
        engine = self._line(plan, lines[0]).engine
        at_once = run.output is not None and engine in ("", self._usual_engine(run.given))
        one = replace(run, plan=plan, engine=engine, output=run.output if at_once else None)
        with self._job(one) as (job, session):
            work = self._work(plan, job, session)
            if at_once:
                export_film(work, session, anew=lines)
                return self.language_plan(plan.language)
            takes = plan_takes(work, session, lines, anew=lines if anew else ())
            render_lines(work, takes, session)
            plan = finish_takes(work, takes)
            session.inputs.check_unchanged()
        if run.output is not None:
            with self._job(replace(run, plan=plan)) as (job, session):
                export_film(self._work(plan, job, session), session)
        return plan

    def _usual_engine(self, given: ProjectOptions) -> str:
        """The engine of lines that name none."""
        return combined(self.project, given, self.folder.manifest)[0].engine

    def _with_other_engines(self, plan: LanguagePlan, given: ProjectOptions) -> LanguagePlan:
        """The plan after the lines were made that another engine than the project's renders."""
        for engine in sorted({planned.engine for planned in plan.lines if planned.engine and not planned.leave}):
            with self._job(ProjectRun(given, plan=plan, engine=engine)) as (job, session):
                missing = self._work(plan, job, session).missing
            lines = [p.line.id for p in plan.lines if p.engine == engine and p.line.id in missing]
            plan = self._made(plan, lines, ProjectRun(given), anew=False) if lines else plan
        return plan

    @contextmanager
    def _opened(self, plan: LanguagePlan, run: "ProjectRun") -> Iterator[tuple[LanguageWork, Session]]:
        with self._job(run) as (job, session):
            yield self._work(plan, job, session), session

    def _settle(self, person: str, **change: object) -> Project:
        with self.folder.locked():
            project = self.project
            known = next((each for each in project.people if each.id == person), NamedPerson(person))
            try:
                project = project.with_person(replace(known, **change))  # type: ignore[arg-type]
            except ValueError as wrong:
                raise InputError(str(wrong), file=self.folder.manifest, remedy="Choose another name") from wrong
            self.folder.save(project)
            return project

    def _known(self, language: str) -> str:
        """``language``, if the project has a plan for it; without one, the only one. Raises ``InputError``."""
        have = self.project.languages
        if language in have:
            return language
        if not language and len(have) == 1:
            return have[0]
        names = ", ".join(plan_name(each) for each in have) or "none yet"
        what = f"the project has no plan for '{language}'" if language else "the project has several languages"
        raise InputError(f"{what} (plans: {names})", file=self.folder.path, remedy="Name one with --to")

    def _line(self, plan: LanguagePlan, line: str) -> PlannedLine:
        planned = plan.planned(line)
        if planned is None:
            ids = [each.line.id for each in plan.lines]
            have = f"{ids[0]} to {ids[-1]}" if ids else "none"
            raise InputError(f"there is no line {line} (lines: {have})", file=self.folder.plan(plan.language))
        return planned

    def _plan_at_hand(self, language: str, audio: Path | None, given: ProjectOptions) -> LanguagePlan | None:
        """The plan that is rendered; None if one is to be made. A changed dub track becomes that of the plan."""
        have = self.project.languages if self.folder.exists else ()
        if language not in have and (_says_something(audio, given) or not have):
            if not _says_something(audio, given):
                raise OptionError(
                    "the project has no plan yet", file=self.folder.path, remedy="Give --audio or --script"
                )
            return None
        plan = self.language_plan(language)
        if audio is not None and plan.track is not None and not same_file(audio, plan.track.path):
            plan = replace(plan, track=InputFile(audio.absolute(), ""))
        return plan

    def _planned(self, job: Job, language: str, session: Session) -> LanguagePlan:
        """A new plan, which is saved together with the project."""
        analysis = self._analysis(job, session)
        plan = make_plan(job, analysis, language, session, people_by_name(self.folder))
        session.inputs.check_unchanged()
        self.folder.save_plan(plan, job.clip.start)
        project = self.project
        if plan.language not in project.languages:
            self.folder.save(replace(project, languages=(*project.languages, plan.language)))
        people_seen(self.folder, job.clip, analysis)
        return plan

    def _work(self, plan: LanguagePlan, job: Job, session: Session) -> LanguageWork:
        analysis = self._analysis(job, session)
        return language_work(self.folder, as_heads(plan, self.project), job, analysis, session)

    def _analysis(self, job: Job, session: Session) -> Analysis:
        """The analysis of the source, with people as the user settled it."""
        return as_settled(analyse(job, session), self.project)

    @contextmanager
    def _job(self, run: "ProjectRun") -> Iterator[tuple[Job, Session]]:
        """The job of one run on the source, and its session. The project is begun if there is none."""
        options, speech, audio, plan = run.given.options, run.given.speech, run.audio, run.plan
        if self.folder.exists:
            options, speech = combined(self.project, run.given, self.folder.manifest)
        if run.engine:
            options = replace(options, engine=run.engine)
        if plan is not None:
            audio = audio or _track_of(plan)
            speech = replace(speech, voice=speech.voice or plan.voices, script=None, line="")
            speech = replace(speech, to=plan.language if audio is None else "")
        if audio is None:
            options = for_spoken_lines(options, run.given.options)
        if self.folder.exists and self.project.consent:
            options = replace(options, consent=True)
        request = DubRequest(
            source=self.source,
            output=run.output,
            audio=audio,
            speech=speech,
            options=options,
            planned=run.planned or plan is not None,
            others=() if plan is None or plan.script is None else (plan.script.path,),
        )
        with open_session(options, self.caller.listener, self.caller.ask_download) as session:
            job = self._with_consent(preflight(request, self.caller, session))
            self._begin(job, options, speech)
            yield job, session

    def _with_consent(self, job: Job) -> Job:
        """The job with the consent that the project records, if it does."""
        known = self.project.consent if self.folder.exists else {}
        return replace(job, consent=known) if known else job

    def _begin(self, job: Job, options: DubOptions, speech: SpeechOptions) -> None:
        """Write the manifest of a new project; check that the source of an old one is the same."""
        source = InputFile(self.source.absolute(), job.digest)
        if not self.folder.exists:
            frames = len(job.clip.as_filmed())
            self.folder.save(Project(source, frames, (), job.consent, remembered(options, speech)))
            return
        project = self.project
        if project.source.sha256 != job.digest:
            raise InputError(
                "this is not the file that the project was begun with: its content is another",
                file=self.source,
                remedy="Give the file that it was begun with, or begin a new project for this one",
            )
        known = replace(project, source=source) if project.source.path != source.path else project
        if job.audio is not None:
            known = with_length_options(known, options)
        if known != project:
            self.folder.save(known)


@dataclass(frozen=True)
class ProjectRun:
    """One run on a project: what was given, the output (None: no film), the dub track, the plan, the engine of the
    lines that are made ("": the project's), and whether nothing has to be said."""

    given: ProjectOptions
    output: Path | None = None
    audio: Path | None = None
    plan: LanguagePlan | None = None
    engine: str = ""
    planned: bool = False


def language_of(audio: Path | None, given: ProjectOptions) -> str:
    """The language of a dub, as far as the options and the names of the files tell: "" if they do not."""
    speech = given.speech
    files = (audio, speech.script)
    named = next((found for file in files if file is not None and (found := language_in_name(file))), "")
    return speech.to or given.options.language or named


def _says_something(audio: Path | None, given: ProjectOptions) -> bool:
    speech = given.speech
    return audio is not None or speech.script is not None or bool(speech.line) or bool(speech.to)


def _track_of(plan: LanguagePlan) -> Path | None:
    return None if plan.track is None else plan.track.path
