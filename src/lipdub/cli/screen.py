"""What a person sees: progress on stderr, results on stdout."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.segment import Segment
from rich.text import Text

from lipdub.process.exit_codes import stdout_error
from lipdub.process.printable import printable
from lipdub.studio.progress import Listener


class TerminalStream:
    """``sys.stdout`` or ``sys.stderr``, whichever it is at the moment, that says what is wrong in our own words.

    Standard output that cannot be written raises ``OutputError``, and ``Unread`` where nobody reads on. Standard error
    that cannot be written, or is closed, is done without: what is told there is told in the report as well.
    """

    def __init__(self, name: str) -> None:
        """``name``: "stdout" or "stderr"."""
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self._name), name)

    def isatty(self) -> bool:
        """Whether somebody sits before it."""
        stream = getattr(sys, self._name)
        return stream is not None and stream.isatty()

    def write(self, text: str) -> int:
        """Write ``text``."""
        self._do("write", text)
        return len(text)

    def flush(self) -> None:
        """Send what was written on its way."""
        self._do("flush")

    def _do(self, what: str, *told: str) -> None:
        stream = getattr(sys, self._name)
        try:
            if stream is not None:
                getattr(stream, what)(*told)
            elif self._name == "stdout":
                raise OSError(errno.EBADF, "it is closed")
        except OSError as refused:
            if self._name == "stdout":
                raise stdout_error(refused) from refused


class Screen(Console):
    """A console on which no text can act as an escape sequence: see ``visible``."""

    def __init__(self, name: str, **options: Any) -> None:
        """Writes to ``name``, "stdout" or "stderr". Words are shown as they are: no mark-up, no emoji."""
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(file=cast("IO[str]", TerminalStream(name)), stderr=name == "stderr", **plain, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Text to show, made visible before it is measured."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Everything that will be written, whatever it was made from."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


stdout = Screen("stdout", width=None if sys.stdout is not None and sys.stdout.isatty() else 100)
stderr = Screen("stderr")

STAGES = {
    "check": "Checking",
    "hear": "Listening",
    "words": "Hearing words",
    "adapt": "Translating",
    "study": "Studying faces",
    "speak": "Speaking",
    "fit": "Fitting",
    "separate": "Separating",
    "mix": "Mixing",
    "check words": "Checking words",
    "cast": "Casting",
    "perform": "Performing",
    "judge": "Judging",
    "voices": "Reading voices",
    "portrait": "Animating",
    "compare": "Comparing",
}


@dataclass(frozen=True)
class ScreenOptions:
    """What is shown of a dub."""

    dry_run: bool = False
    """Say what would be done, and do nothing."""

    json: bool = False
    """Print the report as JSON instead of a table."""


@contextmanager
def progress(quiet: bool = False) -> Iterator[Listener]:
    """Bars with time left on stderr while the block runs; nothing if ``quiet`` or not a terminal."""
    bars = Progress(
        TextColumn("{task.description:16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeLeft(),
        console=stderr,
        disable=quiet or not stderr.is_terminal,
        transient=False,
    )
    tasks: dict[str, TaskID] = {}

    def features(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=total or None)
        bars.update(tasks[stage], completed=done, total=total or None)

    with bars:
        yield features
        for task in tasks.values():
            known = bars.tasks[task].total
            bars.update(task, total=known or 1, completed=known or 1)


def note(text: str) -> None:
    """One line on stderr."""
    stderr.print(text, soft_wrap=True)
