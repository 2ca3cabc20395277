"""Waiting for the page, from outside: its content security policy allows no text to be run as a program in it."""

import time
from typing import Any


def until(page: Any, expression: str, seconds: float = 60) -> None:
    """Wait until ``expression`` is true in ``page``. Fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"still not: {expression}"
        page.wait_for_timeout(25)
