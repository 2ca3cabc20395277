"""Terminal output: results on stdout, progress and notes on stderr."""

import errno
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
    """The present ``sys.stdout`` or ``sys.stderr``, with errors as the classes of lipdub.

    If standard output cannot be written, ``OutputError`` is raised, or ``Unread`` if its reader closed the pipe. Errors
    of standard error are ignored: everything written there is in the report as well.
    """

    def __init__(self, name: str) -> None:
        """``name``: "stdout" or "stderr"."""
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self._name), name)

    def isatty(self) -> bool:
        """Whether the stream is a terminal; False if it is closed."""
        stream = getattr(sys, self._name)
        return stream is not None and stream.isatty()

    def write(self, text: str) -> int:
        """Write ``text``; returns its length."""
        self._do("write", text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._do("flush")

    def _do(self, method: str, *arguments: str) -> None:
        stream = getattr(sys, self._name)
        try:
            if stream is not None:
                getattr(stream, method)(*arguments)
            elif self._name == "stdout":
                raise OSError(errno.EBADF, "it is closed")
        except OSError as refused:
            if self._name == "stdout":
                raise stdout_error(refused) from refused


class SafeConsole(Console):
    """A rich console that shows control characters instead of sending them to the terminal (see ``visible``)."""

    def __init__(self, name: str, **options: Any) -> None:
        """``name``: "stdout" or "stderr". Text is written literally: no mark-up, no emoji codes."""
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(file=cast("IO[str]", TerminalStream(name)), stderr=name == "stderr", **plain, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """``text`` with control characters replaced, before rich measures its width."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The segments of ``renderable`` with control characters replaced."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


stdout = SafeConsole("stdout", width=None if sys.stdout is not None and sys.stdout.isatty() else 100)
stderr = SafeConsole("stderr")

STAGES = {
    # the stages of a dub, in order, with the finer ones within them
    "preflight": "Checking",
    "analyse": "Analysing faces",
    "speech features": "Analysing speech",
    "plan": "Planning",
    "transcribe": "Transcribing",
    "translate": "Translating",
    "speak": "Speaking",
    "duration fit": "Fitting",
    "separate": "Separating",
    "mix": "Mixing",
    "asr check": "ASR check",
    "assign speakers": "Assigning",
    "start Ray": "Starting Ray",
    "render": "Rendering",
    "engine": "Engine",
    "assemble": "Assembling",
    "score": "Scoring",
    "sign": "Signing",
    "deliver": "Delivering",
    # the stages of preparing pairs
    "clips": "Making pairs",
    "measure": "Measuring pairs",
    # the stages of the demo
    "voices": "Reading voices",
    "portrait": "Animating",
    "compare": "Comparing",
}
"""Name of a stage -> what the progress bar calls it, at most 16 characters. Other stages are shown by their name."""


@dataclass(frozen=True)
class ScreenOptions:
    """What ``lipdub dub`` prints."""

    dry_run: bool = False
    """Print what would be done, and do nothing."""

    json: bool = False
    """Print the report as JSON instead of a table."""


@contextmanager
def progress(quiet: bool = False) -> Iterator[Listener]:
    """Progress bars on stderr while the block runs; none if ``quiet`` or if stderr is not a terminal.

    The listener is called with (stage, steps done, steps in all or 0).
    """
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

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=total or None)
        bars.update(tasks[stage], completed=done, total=total or None)

    with bars:
        yield show
        for task in tasks.values():
            known = bars.tasks[task].total
            bars.update(task, total=known or 1, completed=known or 1)


def note(text: str) -> None:
    """Print one line on stderr."""
    stderr.print(text, soft_wrap=True)


def print_script(script: Path, language: str, lines: int, notes: Iterable[str]) -> None:
    """Print what was written to ``script``: number of lines and language on stdout, ``notes`` on stderr."""
    stdout.print(f"{script}: {lines} line{'s' if lines > 1 else ''} in '{language}'", soft_wrap=True)
    for text in notes:
        note(text)
