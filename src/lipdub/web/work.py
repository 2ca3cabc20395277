"""What stands behind the API: the table of jobs, the workers, the streams of events, and the routes of all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from lipdub.web.allowed import check_new_voice
from lipdub.web.api import events, generate_v2, media
from lipdub.web.api import jobs as jobs_api
from lipdub.web.jobs.deliveries import Deliveries
from lipdub.web.jobs.idempotency import Answers
from lipdub.web.jobs.job import Job
from lipdub.web.jobs.supervisor import Supervisor, worker_command
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhook_address import AllowedHosts
from lipdub.web.jobs.webhooks import Sender, webhook_secret
from lipdub.web.limits import Limits
from lipdub.web.make_project import StudioAssets
from lipdub.web.places import Places
from lipdub.web.studio import Studio


@dataclass(frozen=True)
class Work:
    """A studio whose jobs are done: the ``studio`` itself, the routes of jobs, events and media, and ``end_streams``,
    which ends open streams of events."""

    studio: Studio
    routes: Sequence[BaseRoute]
    end_streams: Callable[[], None]


def checked_table(database: Path, most_queued: int) -> JobTable:
    """The table of jobs; it takes none whose options name a voice that a request may not name, whichever door it comes
    through."""

    class CheckedTable(JobTable):
        def add(self, kind: str, project: str, language: str, request: Mapping[str, Any], **more: Any) -> Job:
            for voice in request.get("options", {}).get("voice", ()):
                check_new_voice(voice.partition("=")[2] or voice, "voice")
            return super().add(kind, project, language, request, **more)

    return CheckedTable(database, most_queued=most_queued)


@contextmanager
def begin_work(places: Places, limits: Limits, jobs: int, webhook_hosts: tuple[str, ...] = ()) -> Iterator[Work]:
    """The work of a studio, with ``jobs`` workers (0: nothing is done) while the block runs. Raises ``OptionError`` for
    a host that is none, ``InputError`` and ``OutputError`` if the table of jobs cannot be used."""
    allowed = AllowedHosts(webhook_hosts)
    with ExitStack() as stack:
        table = checked_table(places.database, limits.queued_jobs)
        stack.callback(table.close)
        studio = Studio(places, table, limits, answers=Answers(table))
        streams = events.EventStreams(table)
        if jobs:
            sender = Sender(webhook_secret(places.state), allowed)
            stack.enter_context(Deliveries(table, sender))
            command = worker_command(places.database, places.folder.absolute(), _absolute(places.given))
            stack.enter_context(Supervisor(command, table, count=jobs))
        routes: list[Any] = [
            *jobs_api.routes(table, places.state, allowed),
            *events.routes(streams),
            *generate_v2.routes(table, StudioAssets(studio), allowed),
            *media.routes(places, table),
        ]
        yield Work(studio, routes, streams.close)


def _absolute(paths: Sequence[Path]) -> list[Path]:
    return [path.absolute() for path in paths]
