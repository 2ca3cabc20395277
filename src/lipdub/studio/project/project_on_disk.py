"""What can be done with a project by its small files alone: nothing is analysed, spoken or rendered.

Changes of the plans, the marks and the manifest are possible while a run works in the project: each waits for the
others only (``ProjectFolder.editing``), and a run that ends writes what it made into the files as they are then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lipdub.errors import ChangedMeanwhile, InputError, OptionError
from lipdub.media.probe import container_start
from lipdub.studio.caller import Caller
from lipdub.studio.options import DubOptions, TimelineOptions
from lipdub.studio.project.edits import Edit, Edited, Reviewed, edited, revision_of, same_edits
from lipdub.studio.project.export_timeline import ExportedProject, ExportedTimeline, export_timeline
from lipdub.studio.project.project_folder import ProjectFolder, plan_name
from lipdub.studio.project.ranges import project_with_ranges, ranges_of
from lipdub.studio.project.stale_lines import StaleLines, stale_lines
from lipdub.studio.project.status import LanguageStatus, ProjectStatus, language_status, project_status
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.project import NamedPerson, Project
from lipdub.timeline.take import Take
from lipdub.timeline.time import Span


@dataclass(frozen=True)
class ProjectOnDisk:
    """A project that is open: its ``folder``, where its source is if that was ``given_source``, and who asks."""

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

    @property
    def zero(self) -> Fraction:
        """The instant on the plans' clock at which players start the source. The source need not be there, if the
        project was made by a version that wrote this down. Raises ``InputError``."""
        known = self.project.start
        return container_start(self.source) if known is None else known

    def language_plan(self, language: str) -> LanguagePlan:
        """The plan of a language. Raises ``InputError`` if there is none, or if it cannot be used."""
        return self.folder.load_plan(self._known(language), self.zero)

    def reviewed(self, language: str) -> Reviewed:
        """The plan of a language with what reviewers decided about its lines. Two small files are read.

        Raises ``InputError`` if there is no plan, or if one of them cannot be used.
        """
        language = self._known(language)
        plan = self.folder.load_plan(language, self.zero)
        marks = self.folder.load_marks(language).settled(plan)
        return Reviewed(plan, marks, revision_of(plan, marks), self.zero)

    def edit(self, language: str, edits: Sequence[Edit], revision: str | None = None) -> Edited:
        """Make all ``edits`` of a plan and its marks, or none of them. They are on the disk when this returns, also
        while a run works in the project.

        ``revision`` is that of the state to which they were made (None: they are made to any state; an edit of a field
        replaces what somebody else wrote). Raises ``ChangedMeanwhile`` if the plan or the marks were edited since (new
        takes do not count), ``OptionError`` for an edit that cannot be done, ``InputError`` and ``OutputError``.
        """
        language = self._known(language)
        with self.folder.editing():
            now = self.reviewed(language)
            if revision is not None and not same_edits(revision, now.revision):
                raise ChangedMeanwhile(
                    f"the plan '{plan_name(language)}' was changed in another window meanwhile, so nothing was edited",
                    file=self.folder.plan(language),
                    remedy="Look at it again, and edit it as it is now",
                )
            used = LineTakes(self.folder, language).lines
            done = edited(now.plan, now.marks, edits, now.zero, used)
            if done.undo or done.marks != now.marks:
                self.folder.save_plan(done.plan, now.zero, done.marks)
            return done

    def stale(self, language: str) -> StaleLines:
        """Which lines a redo would make, and about how long that and the film take. Nothing is analysed for it.

        Raises ``InputError`` if there is no plan, or if it cannot be used.
        """
        return stale_lines(self.language_status(language))

    @property
    def ranges(self) -> tuple[Span, ...]:
        """The parts of the source that are not dubbed (``--skip``), on the plan's clock. Raises ``InputError``."""
        return ranges_of(self.project, self.zero)

    def with_ranges(self, spans: Sequence[Span]) -> Project:
        """Settle that ``spans`` (s, on the plan's clock) are not dubbed from now on, in any language, and nothing else
        is: lines that begin there are left as filmed, and takes of lines that reach into them are made again.

        Raises ``OptionError`` for a span that ends before it starts, or lies before the clip.
        """
        with self.folder.editing():
            project = project_with_ranges(self.project, spans, self.zero)
            self.folder.save(project)
            return project

    def takes(self, language: str, line: str) -> tuple[Take, ...]:
        """All complete takes of a line, by number. Raises ``InputError`` for a line that is not in the plan."""
        plan = self.language_plan(language)
        self._line(plan, line)
        return LineTakes(self.folder, plan.language).complete(line)

    def choose(self, language: str, line: str, take: int) -> Take:
        """Use take ``take`` of a line from now on. Raises ``InputError`` if there is none."""
        with self.folder.editing():
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
            self.folder.save_plan(plan.with_line(chosen), self.zero)
            return found

    def same_person(self, person: str, others: tuple[str, ...]) -> Project:
        """Settle that ``others`` (ids) are the same person as ``person``, who keeps the id; or, of a person and those
        who were parted from that one, that they are one again."""
        with self.folder.editing():
            project = self.project
            try:
                for other in others:
                    project = project.with_joined(person, other)
            except ValueError as wrong:
                raise OptionError(str(wrong), file=self.folder.manifest) from wrong
            self.folder.save(project)
            return project

    def language_status(self, language: str) -> LanguageStatus:
        """The state of every line of a language, with what reviewers decided, from small files. What should be looked
        at in a line: ``line_flags``. Raises ``InputError``."""
        return language_status(self.folder, self.project, self._known(language), self.zero)

    def status(self) -> ProjectStatus:
        """What is planned, made and missing. Nothing is analysed for it."""
        return project_status(self.folder, self.project, self.zero)

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

    def _settle(self, person: str, **change: object) -> Project:
        with self.folder.editing():
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
