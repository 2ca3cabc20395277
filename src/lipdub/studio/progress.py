"""Progress of a run, and how long each stage took."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")


Listener = Callable[[str, int, int], None]
"""Called with the progress: stage, steps done, steps in all (0: unknown)."""


def silent(stage: str, done: int, total: int) -> None:
    """A listener that ignores progress."""


@dataclass
class Clock:
    """Wall time of each stage in seconds, in the order they began, and how many frames each handled.

    ``listener`` is told of the stages of the thread that made the clock, not of what other threads do beside it.
    """

    listener: Listener = silent
    seconds: dict[str, float] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    _thread: int = field(default_factory=threading.get_ident, init=False, repr=False)

    def tell(self, stage: str, done: int, total: int) -> None:
        """Tell the listener that ``done`` of ``total`` steps of a stage are done (0: unknown)."""
        if threading.get_ident() == self._thread:
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
        frames = self.counter(name, total)
        for item in items:
            yield item
            frames.add()

    def counter(self, name: str, total: int) -> "FrameCounter":
        """Counts the frames that the stage ``name`` handled, of ``total``."""
        return FrameCounter(self, name, total)


@dataclass
class FrameCounter:
    """Counts the frames of a stage, and calls the listener after each change."""

    clock: Clock
    stage: str
    total: int
    done: int = 0

    def add(self, frames: int = 1) -> None:
        """Note that ``frames`` more were handled."""
        self.done += frames
        self.clock.frames[self.stage] = self.done
        self.clock.tell(self.stage, self.done, self.total)
