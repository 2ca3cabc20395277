"""Server-sent events: what happens to jobs and projects, as it happens.

    GET /v1/events?project=

    id: 17
    event: job
    data: {"id": "…", "status": "processing", …}

A client that comes back with Last-Event-ID (browsers do by themselves) gets what it missed: of each job and project the
newest state. Events lie in the database; a client is a position in them and nothing else, so a slow one costs no
memory, and all clients of a server look into the database together.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lipdub.errors import LipdubError
from lipdub.web.jobs.job import Event
from lipdub.web.jobs.table import JobTable

MOST_CLIENTS = 100
"""Streams that one server keeps open."""

HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent, so that nothing on the way closes the connection."""

_LOOK_AGAIN = 0.15
_RETRY = 2000  # milliseconds after which a browser comes back
_RECENT = 500
_BATCH = 200


class TooManyListeners(LipdubError):
    """No more streams of events are opened."""

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_CLIENTS} streams of events are open already", remedy="Close some pages of the studio, and try again"
        )


class EventStreams:
    """The open streams of one server. ``close`` ends them, so that the server can end."""

    def __init__(self, table: JobTable, heartbeat: float = HEARTBEAT) -> None:
        self._table, self._heartbeat = table, heartbeat
        self._recent: deque[Event] = deque()
        self._from = self._last = 0
        self._clients = 0
        self._closed = False
        self._changed, self._beginning = asyncio.Event(), asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return self._clients

    def close(self) -> None:
        """End all streams. To be called in the thread of the event loop."""
        self._closed = True
        self._changed.set()

    async def follow(self, after: int | None, project: str = "") -> AsyncIterator[str]:
        """What happened after the event ``after`` (None: from now on), and then what happens, of a ``project`` ("": of
        all), as text of the type text/event-stream."""
        self._clients += 1
        try:
            async with self._beginning:
                if self._looking is None:
                    self._from = self._last = await asyncio.to_thread(self._table.last_event)
                    self._recent.clear()
                    self._looking = asyncio.create_task(self._look())
            position = self._last if after is None else min(after, self._last)
            yield f"retry: {_RETRY}\nid: {position}\n\n"
            while not self._closed:
                changed = self._changed
                found, position = await self._after(position, project)
                if found:
                    yield "".join(map(_text, found))
                elif position >= self._last:
                    try:
                        await asyncio.wait_for(changed.wait(), self._heartbeat)
                    except TimeoutError:
                        yield ": still here\n\n"
        finally:
            self._clients -= 1
            if not self._clients and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _after(self, position: int, project: str) -> tuple[list[Event], int]:
        """The events after ``position`` that concern ``project``, ``_BATCH`` at most, and the position behind them."""
        if position >= self._from:
            fresh = [event for event in self._recent if event.number > position]
            found = [event for event in fresh if not project or event.project in ("", project)]
            return found, max(position, self._last)
        found = await asyncio.to_thread(self._table.events, position, project, _BATCH)
        if len(found) == _BATCH:
            return found, found[-1].number
        return found, max(self._from, found[-1].number if found else 0)

    async def _look(self) -> None:
        """Look into the database now and then, for all clients."""
        while True:
            with suppress(LipdubError):
                found = await asyncio.to_thread(self._table.events, self._last, "", _BATCH)
                if found:
                    self._recent.extend(found)
                    self._last = found[-1].number
                    while len(self._recent) > _RECENT:
                        self._from = self._recent.popleft().number
                    self._changed.set()
                    self._changed = asyncio.Event()
                    continue
            await asyncio.sleep(_LOOK_AGAIN)


def routes(streams: EventStreams) -> list[Route]:
    """The route of events."""

    async def events(request: Request) -> Response:
        if streams.clients >= MOST_CLIENTS:
            raise TooManyListeners
        text = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
        after = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        follow = streams.follow(after, request.query_params.get("project", ""))
        return StreamingResponse(follow, media_type="text/event-stream", headers=headers)

    return [Route("/v1/events", events, methods=["GET"])]


def _text(event: Event) -> str:
    """An event as text; JSON has no line breaks of its own."""
    return f"id: {event.number}\nevent: {event.event}\ndata: {json.dumps(event.data)}\n\n"
