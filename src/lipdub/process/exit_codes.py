"""How a program ends: every error becomes one line on stderr and an exit code (see ``errors``)."""

import atexit
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from lipdub.disk.os_errors import OUT_OF_MEMORY, cause_of, is_out_of_memory
from lipdub.errors import InputError, LipdubError, MachineError, OutputError
from lipdub.process.child import end_children
from lipdub.process.printable import one_line

INTERNAL_ERROR = 70
"""Exit code for a mistake of ours (EX_SOFTWARE of sysexits.h)."""

SIGNAL_BASE = 128
"""Exit code for a signal: this plus the signal's number (POSIX shells, 2.8.2)."""

_SAME_SIGNAL = 0.5
"""Seconds in which several signals count as one: timeout(1) sends its signal to the process and then to its group."""

_kept_sockets: list[socket.socket] = []
"""Sockets to which late signals write after the first one stopped the program."""

_STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StoppedBySignal(BaseException):
    """The signal ``number`` asked this program to end. Not an ``Exception``, so that no handler of errors stops it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class StdoutClosed(BaseException):
    """The reader of standard output is gone."""


def run_program(program: Callable[[], int | None]) -> NoReturn:
    """Run ``program`` and exit with its exit code, or with that of its error.

    The first SIGINT, SIGTERM or SIGHUP is raised in the main thread, so that unfinished files are removed; a second one
    ends the process at once. With LIPDUB_DEBUG=1 errors that are not the user's are raised.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with _signals_raise():
        code = _exit_code(program)
    if _kept_sockets or code == MachineError.exit_code:
        # Without memory, destructors of native libraries abort the process. After a signal, Python drops its handlers
        # while it ends, and a late signal would change the exit code.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


def _exit_code(program: Callable[[], int | None]) -> int:
    """The exit code of ``program``; its error is printed on stderr."""
    try:
        code = program() or 0
        _flush_stdout()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except StdoutClosed:
        _discard_stdout()
        return SIGNAL_BASE + getattr(signal, "SIGPIPE", 13)
    except (KeyboardInterrupt, StoppedBySignal) as stopped:
        number = stopped.number if isinstance(stopped, StoppedBySignal) else signal.SIGINT
        how = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        _print_error(f"stopped{how}; no output file was written.")
        return SIGNAL_BASE + number
    except Exception as error:
        told = as_lipdub_error(error)
        if told is None or (os.environ.get("LIPDUB_DEBUG") and told is not error):
            if os.environ.get("LIPDUB_DEBUG"):
                raise
            what = f"{type(error).__name__}: {error}"
            _print_error(f"a mistake of ours ({what}). Please report it with what LIPDUB_DEBUG=1 shows.")
            return INTERNAL_ERROR
        _print_error(str(told))
        return told.exit_code
    return code


def as_lipdub_error(error: Exception) -> LipdubError | None:
    """``error`` as a ``LipdubError``: what the system, the disk or the memory refused. None if it is a mistake
    of ours."""
    if isinstance(error, LipdubError):
        return error
    if is_out_of_memory(error):
        return MachineError(OUT_OF_MEMORY.what, remedy=OUT_OF_MEMORY.remedy)
    if isinstance(error, OSError):
        cause, file = cause_of(error), error.filename
        name = os.fsdecode(file) if isinstance(file, str | bytes) else None
        return OutputError(cause.what, file=name, remedy=cause.remedy)
    if isinstance(error, UnicodeEncodeError):
        shown = error.object[:80]
        return InputError(
            f"'{shown}' holds characters that cannot be written on this system", remedy="Choose another name"
        )
    return None


def _print_error(text: str) -> None:
    """Print one line on stderr, if it can be written to."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"lipdub: {one_line(text)}", file=sys.stderr, flush=True)


def stdout_error(error: OSError) -> BaseException:
    """The exception to raise for an ``error`` in writing to standard output."""
    if isinstance(error, BrokenPipeError):
        return StdoutClosed()
    _discard_stdout()
    cause = cause_of(error)
    return OutputError(f"cannot be written: {cause.what}", file="standard output", remedy=cause.remedy)


def _flush_stdout() -> None:
    """Write out what was printed. Raises ``StdoutClosed`` or ``OutputError``."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as refused:
        raise stdout_error(refused) from refused


def _discard_stdout() -> None:
    """Redirect standard output to nowhere, so that Python does not complain when it closes it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Raise the first signal that asks to stop in the main thread. Signals that were ignored before (nohup) stay
    ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.getsignal(number) for number in numbers}
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    watched = receiver, frozenset(numbers)
    threading.Thread(target=_exit_at_second_signal, args=watched, name="lipdub-signals", daemon=True).start()
    former_wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _raise_signal)
    try:
        yield
    finally:
        if any(signal.getsignal(number) is _ignore_signal for number in numbers):
            _kept_sockets.append(sender)  # the program was stopped: later signals must change nothing
        else:
            for number, handler in former.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(former_wakeup)
            sender.close()


def _raise_signal(number: int, _: FrameType | None) -> None:
    """Handler of the first signal."""
    for other in _STOP_SIGNALS:
        if signal.getsignal(other) is _raise_signal:
            signal.signal(other, _ignore_signal)
    raise KeyboardInterrupt if number == signal.SIGINT else StoppedBySignal(number)


def _ignore_signal(number: int, _: FrameType | None) -> None:
    """Handler of later signals. It does nothing: ``_exit_at_second_signal`` ends the process, even while the main
    thread runs library code and no Python handler can run."""


def _exit_at_second_signal(receiver: socket.socket, watched: frozenset[int]) -> None:
    """End the process at the second of the ``watched`` signals. Runs in its own thread: signals write their number to a
    socket (``signal.set_wakeup_fd``) before any Python code runs."""
    first = None
    with receiver:
        while numbers := receiver.recv(16):
            for number in filter(watched.__contains__, numbers):
                now = time.monotonic()
                first = now if first is None else first
                if now - first > _SAME_SIGNAL:
                    end_children()
                    os._exit(SIGNAL_BASE + number)
