"""What the calls of the API share: places, limits, jobs, uploads, and what was found out about sources."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from msgspec import Raw

from lipdub.errors import InputError
from lipdub.studio.project.open_project import OpenProject, open_project
from lipdub.web.exact_times import ExactTimes
from lipdub.web.jobs.idempotency import Answer, Answers
from lipdub.web.json_body import as_json
from lipdub.web.kept_plans import KeptPlans
from lipdub.web.limits import Limits
from lipdub.web.operations import Reply
from lipdub.web.places import Places
from lipdub.web.problems import Busy, NotThere
from lipdub.web.project_list import ListedProject
from lipdub.web.sources import Sources
from lipdub.web.uploads import Uploads


@runtime_checkable
class Queue(Protocol):
    """The table of jobs, as far as the API needs it."""

    def add(
        self, kind: str, project: str, language: str, request: Mapping[str, Any], *, key: str = "", webhook: str = ""
    ) -> Any:
        """A new job."""
        ...

    def jobs(self, project: str = "", after: str = "", limit: int = 50, *, status: Sequence[str] = ()) -> list[Any]:
        """Jobs, the newest first."""
        ...

    def counts(self) -> dict[str, int]:
        """How many wait, and how many are being done."""
        ...

    def forget(self, project: str) -> None:
        """Forget the jobs of a project that was removed."""
        ...

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell those who listen."""
        ...


@dataclass(eq=False)
class Studio:
    """One studio: where its things are, its limits and its queue. ``answers`` keeps answers to requests that may be
    repeated (``jobs.idempotency.Answers``)."""

    places: Places
    jobs: Queue
    limits: Limits = field(default_factory=Limits)
    times: ExactTimes = field(default_factory=ExactTimes)
    plans: KeptPlans = field(default_factory=KeptPlans)
    answers: Answers | None = None
    sources: Sources = field(init=False)
    uploads: Uploads = field(init=False)
    making: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        """Make the folders and tables that are missing. Raises ``OutputError``."""
        self.places.make()
        self.sources = Sources(self.places.database, self.limits.seconds)
        self.sources.make()
        self.uploads = Uploads(self.places.uploads, self.limits.upload_bytes, self.limits.uploads)

    def row(self, id: str) -> ListedProject:
        """The row of a project. Raises ``NotThere``."""
        return as_not_there(lambda: self.places.row(id))

    def opened(self, id: str) -> OpenProject:
        """A project that has a manifest. Raises ``NotThere``, or ``InputError`` for one that cannot be used."""
        row = self.row(id)
        opened = open_project(row.path, row.source)
        if not opened.folder.exists:
            raise NotThere("nothing is planned in this project yet", remedy="POST /v1/projects/ID/languages plans it")
        return OpenProject(opened.folder, None, opened.caller)

    def language(self, project: OpenProject, language: str) -> str:
        """``language`` if the project has a plan for it. Raises ``NotThere``."""
        have = project.project.languages
        if language not in have:
            shown = "".join(letter if letter.isprintable() else "?" for letter in language[:40])
            raise NotThere(f"there is no plan for '{shown}'", remedy=f"Languages: {', '.join(have) or 'none yet'}")
        return language

    def add_job(self, kind: str, project: str, language: str, request: Mapping[str, Any], key: str = "") -> Any:
        """A new job. Raises ``Busy`` with the job that is in the way."""
        try:
            return self.jobs.add(kind, project, language, request, key=key)
        except Exception as refused:
            job = getattr(refused, "job", None)
            if job is None:
                raise
            raise Busy(
                "this is being done already, or waits for its turn",
                job=job.shown(),
                remedy=f"Wait for it, or cancel it: POST /v1/jobs/{job.id}/cancel",
            ) from refused

    def repeated(self, key: str, digest: str, do: Callable[[], Reply]) -> Reply:
        """What ``do`` returns; for a ``key`` (Idempotency-Key) that was used before, what it returned then.

        Raises what the table of answers raises if the key was used for another request (``digest``), or that one is
        under way.
        """
        if self.answers is None:
            return do()

        def answer() -> Answer:
            given = do()
            body = "" if given.value is None else as_json(given.value).decode()
            return Answer(given.status, body, dict(given.headers))

        kept = self.answers.repeated(key, digest, answer)
        return Reply(Raw(kept.body.encode()) if kept.body else None, kept.status, kept.headers)


def as_not_there(look: Callable[[], Any]) -> Any:
    """What ``look`` returns; an ``InputError`` of it becomes ``NotThere``."""
    try:
        return look()
    except InputError as missing:
        raise NotThere(missing.what, remedy=missing.remedy) from None


def inside(file: Path, folder: Path) -> bool:
    """True if ``file``, after symbolic links were followed, lies in ``folder``."""
    try:
        return file.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
    except (OSError, ValueError, RuntimeError):
        return False
