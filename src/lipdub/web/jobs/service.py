"""Everything that a server of the studio runs for its jobs: the table, the workers, and the webhooks.

service = JobService(places.database, places.folder, places.given, count=1, webhook_hosts=("nas.local",))
routes = [*jobs.routes(service.table, places.state), *events.routes(streams), ...]
with service:
    ...  # serve
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.web.jobs.deliveries import Deliveries
from lipdub.web.jobs.supervisor import Supervisor, worker_command
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhook_address import AllowedHosts
from lipdub.web.jobs.webhooks import Sender, webhook_secret


@dataclass(eq=False)
class JobService:
    """The jobs of the studio whose state lies beside ``database``: ``count`` workers do them in the projects of
    ``folder`` and ``given`` (see ``Places``). ``webhook_hosts`` are allowed besides public ones."""

    database: Path
    folder: Path
    given: Sequence[Path] = ()
    count: int = 1
    webhook_hosts: Sequence[str] = ()
    table: JobTable = field(init=False)
    supervisor: Supervisor = field(init=False)
    deliveries: Deliveries = field(init=False)

    def __post_init__(self) -> None:
        """Open the table; nothing is started yet. Raises ``InputError`` or ``OutputError`` if it cannot be used."""
        self.table = JobTable(self.database)
        self.supervisor = Supervisor(worker_command(self.database, self.folder, self.given), self.table, self.count)
        sender = Sender(webhook_secret(self.database.parent), self.allowed)
        self.deliveries = Deliveries(self.table, sender)

    @property
    def allowed(self) -> AllowedHosts:
        """The hosts to which webhooks may go besides public ones."""
        return AllowedHosts(tuple(self.webhook_hosts))

    def __enter__(self) -> "JobService":
        self.supervisor.start()
        self.deliveries.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.deliveries.end()
        self.supervisor.end()
        self.table.close()
