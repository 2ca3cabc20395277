"""The folder of a project: what lies where in it, and that one run works in it at a time.

    film.lipdub/
      project.json                 source, people, consent, options, languages
      plans/es.json                what is said, by whom and when: to be edited
      marks/es.json                what reviewers decided about its lines
      takes/es/7/2/take.json       take 2 of line 7, its speech and its patches
      films/es.json                what the last film in es shows: for 'lipdub export'
      segments/es/                 encoded parts of the film, which a later export uses again; may be removed
      people/1.jpg                 pictures of the people
      shards/es/                   what machines that make one film together know of each other; gone afterwards

Paths inside the files are relative to the folder, so that it can be moved.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from lipdub.disk.lock_file import create_locked, held_alone, is_locked, remove_if_unlocked
from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import Outputs, flush_folder
from lipdub.disk.shared_lease import holders
from lipdub.errors import InputError, OutputError
from lipdub.studio.project.marks_file import marks_text, read_marks
from lipdub.studio.project.plan_file import plan_text, read_plan
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.project import Project
from lipdub.timeline.review_marks import ReviewMarks

_RUN = ".run-"
_EDIT = ".edit"
_PATIENCE = 30.0
"""Seconds that a change waits for another one, which takes milliseconds."""

_UNKNOWN = "dub"
"""The name of the plan of a dub whose language is not known."""


@dataclass(frozen=True)
class ProjectFolder:
    """The project at ``path``; the folder need not be there yet."""

    path: Path

    @property
    def manifest(self) -> Path:
        """The file of the project itself."""
        return self.path / "project.json"

    @property
    def exists(self) -> bool:
        """True if a project was begun there."""
        return self.manifest.exists()

    def plan(self, language: str) -> Path:
        """The file of the plan of a language."""
        return self.path / "plans" / f"{plan_name(language)}.json"

    def marks(self, language: str) -> Path:
        """The file of what reviewers decided about the lines of a language."""
        return self.path / "marks" / f"{plan_name(language)}.json"

    def takes(self, language: str) -> Path:
        """The folder of all takes of a language."""
        return self.path / "takes" / plan_name(language)

    def segments(self, language: str) -> Path:
        """The folder of the encoded segments of a language."""
        return self.path / "segments" / plan_name(language)

    def sound(self, language: str) -> Path:
        """The folder of the encoded pieces of the sound of a language's film."""
        return self.path / "sound" / plan_name(language)

    def film(self, language: str) -> Path:
        """The file that says what the last film of a language shows."""
        return self.path / "films" / f"{plan_name(language)}.json"

    def resting(self, language: str) -> Path:
        """The folder of cues that belong to no line: mouths that rest while nobody speaks."""
        return self.takes(language) / "_resting"

    @property
    def shards(self) -> Path:
        """The folder of what machines that make one film together know of each other."""
        return self.path / "shards"

    def line(self, language: str, line: str) -> Path:
        """The folder of the takes of a line."""
        return self.takes(language) / quote(line, safe="")

    def load(self) -> Project:
        """The project. Raises ``InputError`` if there is none, or if it cannot be used."""
        if not self.exists:
            raise InputError(
                "there is no lipdub project here",
                file=self.path,
                remedy="Begin one: lipdub plan CLIP --script SCRIPT --project FOLDER",
            )
        return Project.load(self.manifest)

    def save(self, project: Project) -> None:
        """Write the manifest. Raises ``OutputError``."""
        project.save(self.manifest)

    def load_plan(self, language: str, zero: Fraction) -> LanguagePlan:
        """The plan of a language, whose times count from ``zero`` (when players start the clip). Raises
        ``InputError``."""
        return read_plan(self.plan(language), zero)

    def load_marks(self, language: str) -> ReviewMarks:
        """The marks of a language as they lie there; none if nothing was marked. Raises ``InputError``."""
        file = self.marks(language)
        return read_marks(file) if file.exists() else ReviewMarks()

    def save_plan(self, plan: LanguagePlan, zero: Fraction, marks: ReviewMarks | None = None) -> None:
        """Write a plan, and its marks if they are given: both at once, and to the disk before this returns. Call it
        inside ``editing``. Raises ``OutputError``; then both are as they were."""
        written = [(self.plan(plan.language), plan_text(plan, zero))]
        if marks is not None:  # begun first, named last: marks are settled by the plan
            written.insert(0, (self.marks(plan.language), marks_text(marks)))
        new = [file for file, _ in written if not file.parent.is_dir()]
        with Outputs(overwrite=True) as outputs:
            for file, text in written:
                with told_as_output(file):
                    file.parent.mkdir(parents=True, exist_ok=True)
                outputs.part(file).write_text(text)
            outputs.publish()
        if new:
            flush_folder(self.path)

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Keep other changes of the manifest, the plans and the marks out while the block reads, changes and writes
        them: for milliseconds, also while a run works in the project (``locked``). Not for a block inside another one.

        Raises ``OutputError`` if the project cannot be written to, or another program has held it for long.
        """
        with ExitStack() as held:
            with told_as_output(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
                alone = held.enter_context(held_alone(self.path / _EDIT, _PATIENCE))
            if not alone:
                raise OutputError(
                    "another program has been saving in this project for long",
                    file=self.path,
                    remedy="Look whether a lipdub hangs or was suspended, and end it; nothing is lost",
                )
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the project while the block runs; the folder is made if it is not there.

        Raises ``OutputError`` if another run or a shard works in it, or if it cannot be written to.
        """
        with told_as_output(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            held = create_locked(self.path, _RUN)
        try:
            for other in self.path.glob(f"{_RUN}*"):
                if other != held.path and not remove_if_unlocked(other) and is_locked(other):
                    raise OutputError(
                        "another run of lipdub works in this project",
                        file=self.path,
                        remedy="Wait until it has ended, or stop it; nothing is lost",
                    )
            self.check_no_shard_works()
            yield
        finally:
            held.path.unlink(missing_ok=True)
            held.release()
            with suppress(OSError):  # nothing was begun: it is empty
                self.path.rmdir()

    @property
    def is_worked_in(self) -> bool:
        """True if a run of this machine has the project (see ``locked``)."""
        return any(is_locked(file) for file in self.path.glob(f"{_RUN}*"))

    def check_no_shard_works(self) -> None:
        """Raise ``OutputError`` if a machine makes a shard of one of the films."""
        for folder in self.shards.glob("*"):
            found = {name: who for name, who in holders(folder).items() if name.startswith("shard-")}
            for name, who in found.items():
                shard = name.removeprefix("shard-").replace("-of-", "/")
                raise OutputError(
                    f"shard {shard} of the film '{folder.name}' is being made {who}",
                    file=self.path,
                    remedy="Wait until it has ended; a machine that is gone counts as ended three minutes after that",
                )


def plan_name(language: str) -> str:
    """The name of the plan of a language, as in file names."""
    return quote(language, safe="") or _UNKNOWN


@contextmanager
def told_as_output(file: Path) -> Iterator[None]:
    """Errors of the system in the block as ``OutputError`` about ``file``."""
    try:
        yield
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(f"cannot be written: {cause.what}", file=file, remedy=cause.remedy) from refused
