"""Runs of a project: jobs on its source, which analyse, speak, render and write films. One run works in a project at a
time; edits are possible meanwhile."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lipdub.disk.publish import same_file
from lipdub.errors import InputError, OptionError
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.analysis import Analysis
from lipdub.studio.job import DubRequest, Job
from lipdub.studio.language_names import language_in_name
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.preflight.preflight import preflight
from lipdub.studio.project.export_film import export_film
from lipdub.studio.project.make_plan import make_plan
from lipdub.studio.project.make_takes import LanguageWork, finish_takes, language_work, plan_takes, render_lines
from lipdub.studio.project.people import as_heads, as_settled, people_by_name, people_seen
from lipdub.studio.project.project_on_disk import ProjectOnDisk
from lipdub.studio.project.remembered_options import (
    ProjectOptions,
    combined,
    for_spoken_lines,
    remembered,
    with_length_options,
)
from lipdub.studio.project.takes import LineTakes
from lipdub.studio.session import Session, open_session
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.project import InputFile, Project
from lipdub.timeline.review_marks import ReviewMarks
from lipdub.timeline.take import Take


@dataclass(frozen=True)
class ProjectRun:
    """One run on a project: what was given, the output (None: no film), the dub track, the plan and how that was on the
    disk when the run ``begun`` (None: as it is), the engine of the lines that are made ("": the project's), and whether
    nothing has to be said."""

    given: ProjectOptions
    output: Path | None = None
    audio: Path | None = None
    plan: LanguagePlan | None = None
    engine: str = ""
    planned: bool = False
    begun: LanguagePlan | None = None


@dataclass(frozen=True)
class ProjectRuns(ProjectOnDisk):
    """A project on which runs are made."""

    def _made(self, lines: Sequence[str], run: ProjectRun, *, anew: bool) -> LanguagePlan:
        """The plan after takes of ``lines``, which have the same engine, were made and chosen. ``anew``: also of those
        that have one. The film is written if ``run`` has an output."""
        assert run.plan is not None, "there is a plan"
        engine = self._line(run.plan, lines[0]).engine
        at_once = run.output is not None and engine in ("", self._usual_engine(run.given))
        one = replace(run, engine=engine, output=run.output if at_once else None)
        with self._job(one) as (job, session):
            work = self._work(one, job, session)
            if at_once:
                export_film(work, session, anew=lines if anew else ())
                return self.language_plan(run.plan.language)
            wanted = lines if anew else [line for line in lines if line in work.missing]
            takes = plan_takes(work, session, wanted, anew=lines if anew else ())
            render_lines(work, takes, session)
            plan = finish_takes(work, takes)
            session.inputs.check_unchanged()
        if run.output is not None:
            self._film(replace(run, plan=plan, begun=None))
        return plan

    def _made_by_engines(self, lines: Sequence[str], run: ProjectRun, *, anew: bool) -> None:
        """Make takes of ``lines``, whatever engines render them, and the film if ``run`` has an output."""
        assert run.plan is not None, "there is a plan"
        usual = ("", self._usual_engine(run.given))
        engines = {line: self._line(run.plan, line).engine for line in lines}
        others = sorted({engine for engine in engines.values() if engine not in usual})
        groups = [[line for line in lines if engines[line] == engine] for engine in others]
        groups.append([line for line in lines if engines[line] in usual])
        left = [group for group in groups if group]
        for number, group in enumerate(left, 1):
            assert run.plan is not None, "there is a plan"
            there = [line for line in group if run.plan.planned(line) is not None]  # it may have been removed meanwhile
            output = run.output if number == len(left) else None
            if there:
                run = replace(run, plan=self._made(there, replace(run, output=output), anew=anew), begun=None)
            elif output is not None:
                self._film(run)

    def _newest(self, language: str, line: str, *, anew: bool) -> Take:
        """The take that a run made of a line last; without ``anew`` that which is used."""
        takes = LineTakes(self.folder, language)
        planned = self.language_plan(language).planned(line)
        if not anew and planned is not None and planned.take:
            return takes.numbered(line, planned.take)
        return takes.complete(line)[-1]

    def _film(self, run: ProjectRun) -> None:
        """Make what is missing, and the film."""
        with self._job(run) as (job, session):
            export_film(self._work(run, job, session), session)

    def _usual_engine(self, given: ProjectOptions) -> str:
        """The engine of lines that name none."""
        return combined(self.project, given, self.folder.manifest)[0].engine

    def _with_other_engines(self, run: ProjectRun) -> ProjectRun:
        """The run after the lines were made that another engine than the project's renders."""
        assert run.plan is not None, "there is a plan"
        for engine in sorted({planned.engine for planned in run.plan.lines if planned.engine and not planned.leave}):
            own = ProjectRun(run.given, plan=run.plan, engine=engine, begun=run.begun)
            with self._job(own) as (job, session):
                missing = self._work(own, job, session).missing
            lines = [p.line.id for p in run.plan.lines if p.engine == engine and p.line.id in missing]
            if lines:
                run = replace(run, plan=self._made(lines, replace(own, engine=""), anew=False), begun=None)
                assert run.plan is not None, "it was just made"
        return run

    def _language_plan_or_none(self, language: str) -> LanguagePlan | None:
        """The plan as it is on the disk, if there is one that can be used."""
        with suppress(InputError):
            return self.language_plan(language)
        return None

    @contextmanager
    def _opened(self, run: ProjectRun) -> Iterator[tuple[LanguageWork, Session]]:
        with self._job(run) as (job, session):
            yield self._work(run, job, session), session

    def _plan_at_hand(self, language: str, audio: Path | None, given: ProjectOptions) -> LanguagePlan | None:
        """The plan that is rendered; None if one is to be made. A changed dub track becomes that of the plan."""
        have = self.project.languages if self.folder.exists else ()
        if language not in have and (says_something(audio, given) or not have):
            if not says_something(audio, given):
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
        with self.folder.editing():
            marks = self._marks_for(plan) if self.folder.plan(plan.language).exists() else None
            self.folder.save_plan(plan, job.clip.start, marks)
            project = self.project
            if plan.language not in project.languages:
                self.folder.save(replace(project, languages=(*project.languages, plan.language)))
        people_seen(self.folder, job.clip, analysis)
        return plan

    def _marks_for(self, plan: LanguagePlan) -> ReviewMarks:
        """The marks of those lines of a new plan that are as in the old one."""
        marks, old = self.folder.load_marks(plan.language), self._language_plan_or_none(plan.language)
        same = {p.line.id for p in plan.lines if old is not None and _same_line(old, plan, p.line.id)}
        retired = tuple(line for line in marks.retired if plan.planned(line) is None)
        return ReviewMarks({line: mark for line, mark in marks.lines.items() if line in same}, retired)

    def _work(self, run: ProjectRun, job: Job, session: Session) -> LanguageWork:
        assert run.plan is not None, "there is a plan"
        analysis = self._analysis(job, session)
        plan = as_heads(run.plan, self.project)
        work = language_work(self.folder, plan, job, analysis, session)
        return replace(work, begun=run.begun or run.plan)

    def _analysis(self, job: Job, session: Session) -> Analysis:
        """The analysis of the source, with people as the user settled it."""
        return as_settled(analyse(job, session), self.project)

    @contextmanager
    def _job(self, run: ProjectRun) -> Iterator[tuple[Job, Session]]:
        """The job of one run on the source, and its session. The project is begun if there is none."""
        options, speech, audio, plan = run.given.options, run.given.speech, run.audio, run.plan
        if self.folder.exists:
            options, speech = combined(self.project, run.given, self.folder.manifest)
        if run.engine:
            options = replace(options, engine=run.engine)
        if plan is not None:
            audio = audio or track_of(plan)
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
        with self.folder.editing():
            self._begin_alone(job, options, speech)

    def _begin_alone(self, job: Job, options: DubOptions, speech: SpeechOptions) -> None:
        source, start = InputFile(self.source.absolute(), job.digest), job.clip.start
        if not self.folder.exists:
            frames = len(job.clip.as_filmed())
            self.folder.save(Project(source, frames, (), job.consent, remembered(options, speech), start=start))
            return
        project = self.project
        if project.source.sha256 != job.digest:
            raise InputError(
                "this is not the file that the project was begun with: its content is another",
                file=self.source,
                remedy="Give the file that it was begun with, or begin a new project for this one",
            )
        known = replace(project, source=source) if project.source.path != source.path else project
        known = replace(known, start=start)
        if job.audio is not None:
            known = with_length_options(known, options)
        if known != project:
            self.folder.save(known)


def language_of(audio: Path | None, given: ProjectOptions) -> str:
    """The language of a dub, as far as the options and the names of the files tell: "" if they do not."""
    speech = given.speech
    files = (audio, speech.script)
    named = next((found for file in files if file is not None and (found := language_in_name(file))), "")
    return speech.to or given.options.language or named


def says_something(audio: Path | None, given: ProjectOptions) -> bool:
    speech = given.speech
    return audio is not None or speech.script is not None or bool(speech.line) or bool(speech.to)


def track_of(plan: LanguagePlan) -> Path | None:
    return None if plan.track is None else plan.track.path


def _same_line(old: LanguagePlan, new: LanguagePlan, line: str) -> bool:
    before, after = old.planned(line), new.planned(line)
    return before is not None and after is not None and before.line == after.line
