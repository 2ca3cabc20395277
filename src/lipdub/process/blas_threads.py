"""The numerical library of numpy and scipy computes in the thread that calls it, as long as anything here works.

The matrices here are small. With more threads, OpenBLAS waits longer than it computes, and the last bits of a result
depend on the number of threads. Threads that each set the number for their own products change it for each other.
Therefore the number is set here alone: once, before the first of several users begins, and back after the last one.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@dataclass(eq=False)
class _Limit:
    """The limit of this process, and how many blocks hold it now."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    held: ExitStack = field(default_factory=ExitStack)


_LIMIT = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While the block runs, numpy and scipy use one thread for each product, in every thread of this process.

    Blocks may be nested and overlap in several threads: the first to begin sets the limit, the last to end removes it
    (if it runs in the thread that set it, or that thread has ended: threadpoolctl 3.7 and newer let one thread alone
    change the number). When the first one begins, no other thread of the process should be in a large product.
    """
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    with _LIMIT.lock:
        if not _LIMIT.users:
            _LIMIT.held.enter_context(_libraries().limit(limits=1, user_api="blas"))
        _LIMIT.users += 1


@cache
def _libraries() -> "ThreadpoolController":
    """The libraries of this process that compute with threads. To look for them takes 3 ms."""
    import numpy  # noqa: F401  (a library that is loaded later would not be limited)
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _end() -> None:
    with _LIMIT.lock:
        _LIMIT.users -= 1
        if not _LIMIT.users:
            _LIMIT.held.close()
