"""Questions to the user: the consent of the people in the footage, and large downloads."""

import sys

from lipdub.cli.screen import note, stderr
from lipdub.errors import OptionError
from lipdub.studio.preflight.consent import STATEMENT
from lipdub.weights import ModelEntry

TRAINING_STATEMENT = (
    "The people in this footage agreed to be dubbed for the training of models, and that models learn from it, "
    "or I have another right to do so."
)


def ask_people(clip: str) -> None:
    """Ask whether the people in ``clip`` agreed. Raises ``OptionError`` if not, or if stdin is not a terminal."""
    question = f"Dubbing makes people say what they did not say. Is this statement true for {clip}?\n  “{STATEMENT}”"
    _confirm(clip, question, ("agreed to be dubbed", "dubbed"))


def ask_training(clip: str) -> None:
    """Ask whether the people in ``clip`` agreed to be learnt from. Raises ``OptionError`` if not, or if stdin is not a
    terminal."""
    question = f"Is this statement true for {clip}?\n  “{TRAINING_STATEMENT}”"
    _confirm(clip, question, ("agreed that models learn from it", "used"))


def _confirm(clip: str, question: str, words: tuple[str, str]) -> None:
    """Ask ``question``. ``words``: what the people did, and what the clip is not without a yes."""
    agreed, done = words
    if not sys.stdin.isatty():
        raise OptionError(
            "the consent of the people in it was not stated",
            file=clip,
            remedy=f"If they {agreed}, add --consent",
        )
    note(question)
    if stderr.input("Type yes to continue: ").strip().lower() not in {"y", "yes"}:
        raise OptionError(f"was not {done}, because the consent was not confirmed", file=clip)


def ask_download(model: ModelEntry) -> bool:
    """Ask whether a large model may be downloaded; False if stdin is not a terminal."""
    if not sys.stdin.isatty():
        return False
    size = model.bytes / 1e6
    note(f"{model.name}: {model.purpose}. {size:.0f} MB, licence {model.licence} ({model.licence_url}).")
    return stderr.input("Download it? [y/N] ").strip().lower() in {"y", "yes"}
