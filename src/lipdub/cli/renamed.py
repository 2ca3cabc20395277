"""Commands, options and their values that were renamed. Old names work until lipdub 0.2, with a notice for each."""

from collections.abc import Sequence
from typing import NamedTuple

from lipdub.errors import OptionError

LAST = "0.2"
"""The version of lipdub that knows only the new names."""

COMMANDS = {"hear": "transcribe", "adapt": "translate"}
"""Old name of a command -> new name."""

OPTIONS = {
    "dub": {
        "--hearing": "--speech-features",
        "--hush": "--duck",
        "--proof": "--asr-check",
        "--no-proof": "--no-asr-check",
        "--fit": "--duration-fit",
    },
    "speak": {"--fit": "--duration-fit"},
    "transcribe": {"--language": "--source-language"},
}
"""Command -> old name of an option -> new name."""

VALUES = {"--speech-features": {"auto": "best"}}
"""Option, of any command -> old name of a value -> new name."""


class RenamedArguments(NamedTuple):
    """Command line ``arguments`` with new names only, and one line for the user for each old name found in them."""

    arguments: list[str]
    notices: list[str]


def with_new_names(arguments: Sequence[str]) -> RenamedArguments:
    """Replace the old names of commands and options in ``arguments`` (without the name of the program).

    What follows ``--`` is not changed. Raises ``OptionError`` if an option is given by its old and its new name.
    """
    new, notices = list(arguments), []
    at = next((i for i, word in enumerate(new) if not word.startswith("-")), None)
    if at is None:
        return RenamedArguments(new, notices)
    if new[at] in COMMANDS:
        notices.append(_notice(f"the command '{new[at]}'", f"'{COMMANDS[new[at]]}'"))
        new[at] = COMMANDS[new[at]]
    options = OPTIONS.get(new[at], {})
    end = new.index("--") if "--" in new else len(new)
    given = {_name(word) for word in new[at:end]}
    for i in range(at + 1, end):
        name, (_, equals, value) = _name(new[i]), new[i].partition("=")
        if name not in options:
            continue
        if both := given & _forms(options[name]):
            raise OptionError(f"{name} and {min(both)} are the same option", remedy=f"Give {min(both)} alone")
        new[i] = f"{options[name]}{equals}{value}"
        notices.append(_notice(name, options[name]))
    notices += _rename_values(new, range(at + 1, end))
    return RenamedArguments(new, list(dict.fromkeys(notices)))


def _rename_values(words: list[str], places: range) -> list[str]:
    """Replace the old values of options at ``places`` of ``words``; returns the notices."""
    notices = []
    for i in places:
        name, (option, equals, value) = _name(words[i]), words[i].partition("=")
        at = i if equals else i + 1
        value = value if equals else "".join(words[at : at + 1])
        new = VALUES.get(name, {}).get(value)
        if new is not None and at in places:
            words[at] = f"{option}={new}" if equals else new
            notices.append(_notice(f"{name} {value}", f"{name} {new}"))
    return notices


def _name(word: str) -> str:
    """The option in ``word``, without a value; ``_`` and ``-`` mean the same, as they do to cyclopts."""
    return word.partition("=")[0].replace("_", "-")


def _forms(option: str) -> set[str]:
    """``--option`` and ``--no-option``."""
    plain = option.removeprefix("--no-").removeprefix("--")
    return {f"--{plain}", f"--no-{plain}"}


def _notice(old: str, new: str) -> str:
    return f"{old} is now called {new}; the old name will be removed in lipdub {LAST}"
