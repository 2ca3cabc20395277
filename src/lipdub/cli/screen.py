"""What a person sees: progress on stderr, results on stdout."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft

from lipdub.studio.progress import Listener

stdout = Console(width=None if Console().is_terminal else 100)
stderr = Console(stderr=True)

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

    def heard(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=total or None)
        bars.update(tasks[stage], completed=done, total=total or None)

    with bars:
        yield heard
        for task in tasks.values():
            known = bars.tasks[task].total
            bars.update(task, total=known or 1, completed=known or 1)


def note(text: str) -> None:
    """One line on stderr."""
    stderr.print(text, highlight=False, markup=False, soft_wrap=True)
