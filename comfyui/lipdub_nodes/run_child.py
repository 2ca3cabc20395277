"""Runs lipdub in a process of its own (see the package for why), and stops it if the user cancels."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from .choices import lipdub_python
from .problems import LipdubError, in_node_words

CHILD = Path(__file__).with_name("child.py")

POLL = 0.2
"""Seconds between two looks at whether the user cancelled."""

GRACE = 10.0
"""Seconds that a cancelled process has to end in order, before it is killed."""

_SHOWN = 600
"""Characters of a crashed process's last words that are shown."""

Told = Callable[[str, int, int], None]
"""Called with stage, steps done, steps in all (0: unknown)."""


def run_child(request: Mapping[str, Any], told: Told, check: Callable[[], None], python: str = "") -> dict[str, Any]:
    """The result of ``request`` (see ``child``), done by another process.

    ``check`` is called several times a second; what it raises cancels the work and passes on, after the process has
    ended. ``python`` is the interpreter that has lipdub, by default that of ``lipdub_python``. Raises ``LipdubError``
    with what went wrong.
    """
    python = python or lipdub_python()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = _started(python, log)
        try:
            lines = _lines_of(process)
            _send(process, request)
            answer = _followed(lines, told, check)
            process.wait()
        except BaseException:
            _cancel(process)
            raise
        finally:
            _close(process)
        if answer is None:
            _kill_group(process)
            raise _crash(process.returncode, python, log)
    if "error" in answer:
        raise _problem(answer["error"], python)
    return answer["result"]


def _started(python: str, log: IO[str]) -> subprocess.Popen[bytes]:
    settings = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"}
    # a group of its own, so that its workers can be ended with it; on Windows, no window
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    try:
        return subprocess.Popen(
            [python, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=settings,
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )
    except OSError as refused:
        raise LipdubError(
            f"The Python '{python}' cannot be started ({refused.strerror}). "
            "Set LIPDUB_PYTHON to the Python of the environment that has lipdub, and start ComfyUI again."
        ) from refused


def _send(process: subprocess.Popen[bytes], request: Mapping[str, Any]) -> None:
    """Write the request. The pipe stays open: the process lives as long as it does."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        return  # it has ended already; its last words tell why


def _lines_of(process: subprocess.Popen[bytes]) -> "queue.Queue[dict[str, Any] | None]":
    """What the process says, as it comes; None when it has ended."""
    found: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as said:
            for line in said:
                try:
                    found.put(json.loads(line))
                except ValueError:
                    continue  # not ours
        found.put(None)

    threading.Thread(target=read, name="lipdub", daemon=True).start()
    return found


def _followed(
    lines: "queue.Queue[dict[str, Any] | None]", told: Told, check: Callable[[], None]
) -> dict[str, Any] | None:
    """The last line of the process: its result or its error; None if it ended without one."""
    answer = None
    while True:
        check()
        try:
            line = lines.get(timeout=POLL)
        except queue.Empty:
            continue
        if line is None:
            return answer
        if "stage" in line:
            told(line["stage"], line["done"], line["total"])
        else:
            answer = line


def _cancel(process: subprocess.Popen[bytes]) -> None:
    """Close the lifeline and wait for the process to end in order; kill it if it does not."""
    _close(process)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _kill_group(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close the lifeline."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the workers that a process left that did not end in order: they are in its group."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _crash(code: int, python: str, log: IO[str]) -> LipdubError:
    """The error for a process that ended without an answer."""
    log.seek(0)
    words = log.read()[-4000:].strip()
    if code == -9:
        return LipdubError(
            "lipdub's process was killed, most likely because memory ran out. "
            "Close other programs or use a shorter video; what was finished is kept, so queue it again."
        )
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return LipdubError(
        f"lipdub's process ({python}) ended {how}. Its last words: {words[-_SHOWN:] or 'none'}. "
        "Queue it again; if it fails again, report it with these words."
    )


def _problem(error: Mapping[str, Any], python: str) -> LipdubError:
    """The error that the process told."""
    if error["kind"] == "missing":
        return LipdubError(
            f"lipdub is not installed for {python} ({error['message']}). "
            "Install it there, or set LIPDUB_PYTHON to the Python that has it and start ComfyUI again."
        )
    if error["kind"] == "bug":
        return LipdubError(f"lipdub failed through a mistake of its own: {error['message']} Please report it.")
    return LipdubError(in_node_words(error["message"]))
