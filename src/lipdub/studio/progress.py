"""Progress of a run, and how long each stage took."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import TypeVar

Item = TypeVar("Item")


Listener = Callable[[str, int, int], None]
"""Called with the progress: stage, steps done, steps in all (0: unknown)."""


def silent(stage: str, done: int, total: int) -> None:
    """A listener that ignores progress."""


@dataclass
class Clock:
    """Wall time of each stage in seconds, in the order they began, and how many frames each handled.

    Stages of other threads than the one that made the clock are timed, too; the listener is not told of them.
    """

    listener: Listener = silent
    seconds: dict[str, float] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    _thread: int = field(default_factory=get_ident, repr=False)

    def tell(self, stage: str, done: int, total: int) -> None:
        """Call the listener, if this is its thread."""
        if get_ident() == self._thread:
            self.listener(stage, done, total)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under ``name``; repeated stages add up."""
        self.tell(name, 0, 0)
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def counted(self, name: str, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Yield ``items``, and call the listener after each."""
        for done, item in enumerate(items, 1):
            yield item
            self.frames[name] = done
            self.tell(name, done, total)
