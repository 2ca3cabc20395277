"""Webhooks on their way: the list of what is to be sent lies in the database, so nothing is lost by a restart.

A delivery that is not taken is tried again after 5 s, 30 s, 2 min, 10 min, 1 h and 3 h, and then given up.
"""

import contextlib
import logging
import threading
from dataclasses import dataclass, field

from lipdub.errors import LipdubError
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhooks import AGAIN, SENT, Message, Sender

PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0, 3 * 3600.0)
"""Seconds before each further try."""

_LEASE = 60.0
"""Seconds for which a delivery belongs to who took it."""

_LOOK_AGAIN = 0.5
_THREADS = 2

log = logging.getLogger("lipdub.web.jobs")


@dataclass(eq=False)
class Deliveries:
    """Sends what is due in ``table``, in threads of its own while its block runs."""

    table: JobTable
    sender: Sender
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _threads: list[threading.Thread] = field(default_factory=list, init=False, repr=False)

    def __enter__(self) -> "Deliveries":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Begin to send."""
        for number in range(_THREADS):
            thread = threading.Thread(target=self._work, name=f"lipdub-webhooks-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Send no more; what is being sent gets a moment to end, and is sent again later otherwise."""
        self._ended.set()
        for thread in self._threads:
            thread.join(1.0)

    def send_next(self) -> bool:
        """Send what is due first; False if nothing is due."""
        taken = self._taken()
        if taken is None:
            return False
        message, attempts = taken
        try:
            came = self.sender.send(message, int(self.table.clock()))
        except Exception as error:  # a mistake of ours must not end the thread
            log.error("webhook %s: %s", message.id, type(error).__name__)
            came = AGAIN
        now = self.table.clock()
        if came == AGAIN and attempts <= len(PAUSES):
            change, values = "due = ?", (now + PAUSES[attempts - 1],)
        else:
            change, values = "status = ?", ("sent" if came == SENT else "given up",)
        with self.table.database.writing() as connection:
            connection.execute(f"UPDATE deliveries SET {change} WHERE id = ?", (*values, message.id))
        return True

    def _taken(self) -> tuple[Message, int] | None:
        """The delivery that is due first and how often it was tried, with this time; others leave it alone."""
        now = self.table.clock()
        query = "SELECT * FROM deliveries WHERE status = 'waiting' AND due <= ? ORDER BY due LIMIT 1"
        with self.table.database.reading() as connection:
            if connection.execute(query, (now,)).fetchone() is None:
                return None
        with self.table.database.writing() as connection:
            row = connection.execute(query, (now,)).fetchone()
            if row is None:
                return None
            attempts = row["attempts"] + 1
            change = "UPDATE deliveries SET attempts = ?, due = ? WHERE id = ?"
            connection.execute(change, (attempts, now + _LEASE, row["id"]))
        return Message(row["id"], row["url"], row["body"]), attempts

    def _work(self) -> None:
        while not self._ended.wait(_LOOK_AGAIN):
            with contextlib.suppress(LipdubError):
                while not self._ended.is_set() and self.send_next():
                    pass


def delivery_of(table: JobTable, job: str) -> dict[str, object] | None:
    """How far the webhook of a job is: {status: "waiting", "sent" or "given up", attempts}; None if there is none."""
    with table.database.reading() as connection:
        row = connection.execute("SELECT status, attempts FROM deliveries WHERE job = ?", (job,)).fetchone()
    return None if row is None else {"status": row["status"], "attempts": row["attempts"]}
