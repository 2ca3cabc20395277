"""Threads keep the priority that they have, whatever a library does."""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def usual_scheduling() -> Iterator[None]:
    """The calling thread, and the threads that begin while the block runs, are scheduled after it as the calling thread
    was before it.

    SVT-AV1, opened by root (as in most containers), gives the thread that opens it and its own threads the
    highest real-time priority (``SCHED_FIFO`` 99, sched(7)): they and all processes that they start then keep every
    other process of the machine waiting, and two of them that wait for each other wait forever. Only Linux has this.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, parameters, known = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        for thread in (_threads() - known) | {threading.get_native_id()}:
            with contextlib.suppress(OSError):  # it has ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    """The threads of this process, as the system counts them."""
    try:
        return {int(name) for name in os.listdir("/proc/self/task")}
    except OSError:
        return set()
