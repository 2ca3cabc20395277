"""The errors a user can meet.

    LipdubError                      exit 1   anything below; catch this one
    |- InputError                    exit 2   an input cannot be used
    |  |- NotMedia                            not a sound or video file, or broken
    |  |- NoPicture / NoSound                 the file has no picture or no sound
    |  `- OptionError                         options that contradict each other
    |     `- ChangedMeanwhile                 somebody else changed what was to be edited
    |- NothingToDub                  exit 3   no face that may be dubbed; no output is written
    |- OutputError                   exit 4   the output cannot be written: it exists, no permission, disk full
    |- WeightsError                  exit 5   a model file is missing, refused or damaged
    |- MissingExtra                  exit 6   an optional package is not installed
    |- MachineError                  exit 7   this machine is not able to: no GPU, too little memory
    `- ServiceError                  exit 8   a server or another program failed; finished work is kept

Every message is one or two sentences: the file, the time where it happened if there is one, and what to do.
An ``AssertionError`` is a mistake of ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path


class LipdubError(Exception):
    """Base of all errors that a user can meet. ``exit_code`` is what the command line returns."""

    exit_code = 1

    def __init__(
        self, what: str, *, file: str | Path | None = None, at: Fraction | None = None, remedy: str = ""
    ) -> None:
        """``what`` happened, in which ``file``, ``at`` which time (s), and the ``remedy``: what the user can do."""
        self.what, self.file, self.at, self.remedy = what, file, at, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file is not None else ""
        when = f" at {float(self.at):.3f} s" if self.at is not None else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{where}{self.what}{when}.{remedy}"


class InputError(LipdubError):
    """An input cannot be used."""

    exit_code = 2


class NotMedia(InputError):
    """The file is not a sound or video file, or it is too damaged."""


class NoPicture(InputError):
    """The file has no video stream."""


class NoSound(InputError):
    """The file has no audio stream."""


class OptionError(InputError):
    """Options contradict each other, or name something that does not exist."""


class ChangedMeanwhile(OptionError):
    """What was to be edited is not as the editor saw it: somebody else changed it meanwhile. Nothing was edited."""


class NothingToDub(LipdubError):
    """The clip has no face that may be dubbed; no output was written."""

    exit_code = 3


class OutputError(LipdubError):
    """The output cannot be written."""

    exit_code = 4


class WeightsError(LipdubError):
    """A model file is missing, refused or damaged."""

    exit_code = 5


class MissingExtra(LipdubError):
    """An optional package is needed and not installed."""

    exit_code = 6

    @classmethod
    @contextmanager
    def guard(cls, extra: str, purpose: str) -> Iterator[None]:
        """Turn an ``ImportError`` of the block into the advice to install ``lipdub[extra]``."""
        try:
            yield
        except ImportError as missing:
            raise cls(
                f"{purpose} needs the package '{missing.name}', which is not installed",
                remedy=f"Install it with: pip install 'lipdub[{extra}]'",
            ) from missing


class MachineError(LipdubError):
    """This machine is not able to: it has no GPU, or too little memory."""

    exit_code = 7


class ServiceError(LipdubError):
    """A server or another program did not answer, or its answer cannot be used."""

    exit_code = 8
