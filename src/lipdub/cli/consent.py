"""Questions to the user: the consent of the people in the footage, and large downloads."""

import sys

from lipdub.cli.screen import note, stderr
from lipdub.errors import OptionError
from lipdub.weights import ModelEntry

STATEMENT = "The people in this footage agreed to be dubbed, or I have another right to do so."

TRAINING_STATEMENT = (
    "The people in this footage agreed to be dubbed for the training of models, and that models learn from it, "
    "or I have another right to do so."
)


def ask_people(clip: str) -> None:
    """Ask whether the people in ``clip`` agreed. Raises ``OptionError`` if not, or if stdin is not a terminal."""
    if not sys.stdin.isatty():
        raise OptionError(
            "the consent of the people in it was not stated",
            file=clip,
            remedy="If they agreed to be dubbed, add --consent",
        )
    note(f"Dubbing makes people say what they did not say. Is this statement true for {clip}?\n  “{STATEMENT}”")
    if stderr.input("Type yes to continue: ").strip().lower() not in {"y", "yes"}:
        raise OptionError("was not dubbed, because the consent was not confirmed", file=clip)


def ask_training(clip: str) -> None:
    """Ask whether the people in ``clip`` agreed to be learnt from. Raises ``OptionError`` if not, or if stdin is not a
    terminal."""
    if not sys.stdin.isatty():
        raise OptionError(
            "the consent of the people in it was not stated",
            file=clip,
            remedy="If they agreed that models learn from it, add --consent",
        )
    note(f"Is this statement true for {clip}?\n  “{TRAINING_STATEMENT}”")
    if stderr.input("Type yes to continue: ").strip().lower() not in {"y", "yes"}:
        raise OptionError("was not used, because the consent was not confirmed", file=clip)


def ask_download(model: ModelEntry) -> bool:
    """Ask whether a large model may be downloaded; False if stdin is not a terminal."""
    if not sys.stdin.isatty():
        return False
    size = model.bytes / 1e6
    note(f"{model.name}: {model.purpose}. {size:.0f} MB, licence {model.licence} ({model.licence_url}).")
    return stderr.input("Download it? [y/N] ").strip().lower() in {"y", "yes"}
