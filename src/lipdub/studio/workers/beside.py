"""Something is made in a thread while something else is made."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from lipdub.studio.progress import GivenUp

Made = TypeVar("Made")


@contextmanager
def made_beside(make: Callable[[Callable[[], None]], Made], *, alone: bool = False) -> Iterator[Callable[[], Made]]:
    """Call ``make(go_on)`` in a thread while the block runs. The function that is given waits for its result, and
    raises what ``make`` raises. ``alone``: the function calls ``make`` itself.

    ``make`` must call ``go_on`` often: once the block has ended, that raises ``GivenUp``, so that the thread ends too.
    """
    if alone:
        yield lambda: make(lambda: None)
        return
    ended = threading.Event()

    def go_on() -> None:
        if ended.is_set():
            raise GivenUp

    with ThreadPoolExecutor(1, "lipdub-beside") as thread:
        making = thread.submit(make, go_on)
        try:
            yield making.result
        finally:
            ended.set()
