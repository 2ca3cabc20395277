"""Errors of FFmpeg and the system about a file that is being written, as errors that users can meet."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError

from lipdub.disk.os_errors import OUT_OF_MEMORY, cause_of
from lipdub.errors import MachineError, OutputError


@contextmanager
def output_errors(output: Path) -> Iterator[None]:
    """Turn an error of the block into an ``OutputError`` about ``output``, or a ``MachineError`` if memory ran out.

    Only what is done to the output belongs into the block: errors in reading inputs would be blamed on it, too.
    """
    try:
        yield
    except (FFmpegError, OSError, ValueError) as error:
        cause = cause_of(error)
        if cause is OUT_OF_MEMORY:
            raise MachineError(cause.what, file=output, remedy=cause.remedy) from error
        raise OutputError(f"cannot be written: {cause.what}", file=output, remedy=cause.remedy) from error
