"""Who asks for a dub, and how to ask and tell them."""

from collections.abc import Callable
from dataclasses import dataclass

from lipdub import weights
from lipdub.studio.progress import Listener, silent

AskPeople = Callable[[str], None]
"""Asks whether the people in the named clip agreed; raises a ``LipdubError`` if they did not."""


def granted_by_caller(clip: str) -> None:
    """The answer of a program that calls the library: to call is to state it (see the README)."""


@dataclass(frozen=True)
class Caller:
    """Who asks for the dub: how to tell them of progress, how to ask them for the consent of the people in the
    footage and for downloads, and what to note beside their consent."""

    listener: Listener = silent
    ask_people: AskPeople = granted_by_caller
    ask_download: weights.AskDownload | None = None
    why: str = ""
