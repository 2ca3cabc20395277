"""Progress of a run, and how long each stage took."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, get_ident
from typing import TypeVar

Item = TypeVar("Item")


Listener = Callable[[str, int, int], None]
"""Called with the progress: stage, steps done, steps in all (0: unknown)."""


def silent(stage: str, done: int, total: int) -> None:
    """A listener that ignores progress."""


class GivenUp(Exception):
    """What is made in a thread is not needed any more."""


@dataclass
class Clock:
    """Wall time of each stage in seconds, in the order they began, and how many frames each handled.

    Stages of other threads than the one that made the clock are timed, too; the listener is not told of them.
    """

    listener: Listener = silent
    seconds: dict[str, float] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    _thread: int = field(default_factory=get_ident, init=False, repr=False)
    _given_up: Event = field(default_factory=Event, init=False, repr=False)

    def tell(self, stage: str, done: int, total: int) -> None:
        """Tell the listener, if this is its thread, that ``done`` of ``total`` steps of a stage are done (0: unknown).
        In another thread, raises ``GivenUp`` after ``give_up``."""
        if get_ident() == self._thread:
            self.listener(stage, done, total)
        elif self._given_up.is_set():
            raise GivenUp

    def give_up(self) -> None:
        """What other threads make beside the clock's own is not needed any more: their next step ends them."""
        self._given_up.set()

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
