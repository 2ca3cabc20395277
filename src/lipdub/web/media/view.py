"""What a browser plays of a film: the file itself, or a proxy that is made of it."""

from dataclasses import dataclass
from pathlib import Path

from lipdub.studio.progress import Listener, silent


@dataclass(frozen=True, slots=True)
class ViewFile:
    """The ``file`` that a browser plays, whose frames appear when those of the film do. ``proxied``: it was made for
    that, and ``why``, as a clause; else it is the film's own file."""

    file: Path
    proxied: bool
    why: str = ""


def view_of(file: Path) -> ViewFile | None:
    """What a browser plays of the film ``file``; None if that was not found out or made yet (``make_view``). The film
    itself is not opened. Raises ``InputError`` if the file is not there."""
    raise NotImplementedError


def make_view(file: Path, listener: Listener = silent) -> ViewFile:
    """Make what the page needs of the film ``file`` and what is not there yet: its table of frames, the peaks of its
    sound, and a proxy if browsers would not play the file well. Each of them appears when it is complete.

    ``listener`` is told of the progress; an exception that it raises ends the work, and what is finished stays. Raises
    ``InputError``, ``NotMedia`` or ``NoPicture`` for a file that cannot be shown, ``OutputError`` if the disk refuses.
    """
    raise NotImplementedError
