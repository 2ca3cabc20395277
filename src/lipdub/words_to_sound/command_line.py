"""Command lines with placeholders that the user gives: of voices and translators (``command:``), and separators."""

import os
import re
import shlex
import subprocess
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from lipdub.disk.os_errors import cause_of
from lipdub.errors import OptionError, ServiceError
from lipdub.process.child import run_child
from lipdub.words_to_sound.http_service import redacted


def words_of(text: str) -> tuple[str, ...]:
    """The words of a command line, as a shell divides it. Raises ``OptionError`` if it cannot be read."""
    try:
        return tuple(shlex.split(text))
    except ValueError as broken:
        raise OptionError(f"the command '{redacted(text)}' cannot be read ({broken})") from broken


def check_placeholders(words: Sequence[str], known: Sequence[str], whose: str) -> None:
    """Raise ``OptionError`` for a ``{placeholder}`` that is not one of the ``known``, in the command of ``whose``."""
    unknown = {name for word in words for name in re.findall(r"\{(\w+)\}", word)} - set(known)
    if unknown:
        raise OptionError(
            f"the {whose}'s command has the unknown placeholder {{{sorted(unknown)[0]}}}",
            remedy=f"Known are {', '.join('{' + p + '}' for p in known)}",
        )


def has_placeholder(words: Collection[str], placeholder: str) -> bool:
    """True if one of ``words`` holds ``{placeholder}``."""
    return any("{" + placeholder + "}" in word for word in words)


def filled(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """``words`` with their placeholders replaced by ``values``; placeholders within values are not replaced."""
    return [re.sub(r"\{(\w+)\}", lambda place: values.get(place[1], place[0]), word) for word in words]


def run_for_line(
    command: Sequence[str], given: str, timeout: float, said: str, at: Fraction
) -> subprocess.CompletedProcess[bytes]:
    """Run ``command`` with ``given`` (UTF-8) on its standard input, for at most ``timeout`` seconds; messages name the
    text ``said`` and the time ``at``. Raises ``ServiceError`` if it takes longer, ``OptionError`` if it cannot be
    run."""
    try:
        return run_child(command, given.encode(), timeout, {**os.environ, "PYTHONIOENCODING": "utf-8"})
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{command[0]} did not finish within {timeout:g} s for '{said[:40]}'", at=at) from None
    except OSError as refused:
        raise OptionError(f"{command[0]} cannot be run: {cause_of(refused).what}") from refused
