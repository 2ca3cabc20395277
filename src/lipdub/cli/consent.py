"""Asking the user: for the consent of the people in the footage, and before a large download."""

import sys

from lipdub.cli.screen import note, stderr
from lipdub.errors import OptionError
from lipdub.weights import ModelEntry

STATEMENT = "The people in this footage agreed to be dubbed, or I have another right to do so."


def ask_people(clip: str) -> None:
    """Ask once whether the people in ``clip`` agreed. Raises ``OptionError`` if not, or if nobody can be asked."""
    if not sys.stdin.isatty():
        raise OptionError(
            "dubbing puts words in people's mouths, and nobody said that they agreed",
            file=clip,
            remedy="If they did, add --consent",
        )
    note(f"Dubbing puts words in people's mouths. Is this true of {clip}?\n  “{STATEMENT}”")
    if stderr.input("Type yes to go on: ").strip().lower() not in {"y", "yes"}:
        raise OptionError("not dubbed, because there is no consent", file=clip)


def ask_download(model: ModelEntry) -> bool:
    """Ask whether a large model may be downloaded; False if nobody can be asked."""
    if not sys.stdin.isatty():
        return False
    size = model.bytes / 1e6
    note(f"{model.name}: {model.purpose}. {size:.0f} MB, licence {model.licence} ({model.licence_url}).")
    return stderr.input("Download it? [y/N] ").strip().lower() in {"y", "yes"}
