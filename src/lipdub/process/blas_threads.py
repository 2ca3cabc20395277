"""The numerical library of numpy and scipy computes in the thread that calls it, as long as anything here works.

The matrices here are small. With more threads, OpenBLAS waits longer than it computes, and the last bits of a result
depend on the number of threads. Threads that each set the number for their own products change it for each other.
Therefore the number is set here alone: once, before the first of several users begins, and back after the last one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits


@dataclass(eq=False)
class _Limit:
    """The limit of this process, and how many blocks hold it now."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    set: "threadpool_limits | None" = None


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
            import numpy  # noqa: F401  (a library that is loaded later would not be limited)
            import scipy.linalg  # noqa: F401
            from threadpoolctl import threadpool_limits

            _LIMIT.set = threadpool_limits(1, "blas")
        _LIMIT.users += 1


def _end() -> None:
    with _LIMIT.lock:
        _LIMIT.users -= 1
        if not _LIMIT.users and _LIMIT.set is not None:
            _LIMIT.set.restore_original_limits()
            _LIMIT.set = None
