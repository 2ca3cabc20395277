"""Child processes without a shell, which end when this process ends, with everything that they started."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

_RUNNING: set["subprocess.Popen[bytes]"] = set()


def run_child(
    command: Sequence[str],
    given: bytes = b"",
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run ``command`` with ``given`` on its standard input; returns its exit code and what it wrote to stdout and
    stderr.

    It gets a session of its own (setsid(2)), so that everything it starts can be ended with it: after ``timeout``
    seconds, or when this process is interrupted. Raises ``subprocess.TimeoutExpired`` or ``OSError``.
    """
    child = subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if environment is None else dict(environment),
        start_new_session=True,
    )
    _RUNNING.add(child)
    try:
        stdout, stderr = child.communicate(given, timeout=timeout)
    except BaseException:
        _end(child)
        raise
    finally:
        _RUNNING.discard(child)
    return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)


def end_children() -> None:
    """End every program that ``run_child`` is running."""
    for child in tuple(_RUNNING):
        _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill ``child`` and its session, and wait for it."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(5)
