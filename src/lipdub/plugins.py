"""What may be added from outside: engines, recognisers, translators and voices are found through entry points.

A name may be followed by a colon and words for the one it names: ``nanotts``, ``openai:http://localhost:11434/v1``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, TypeVar

from lipdub.errors import OptionError

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that can be added: the entry point ``group``, and what one is called (``a voice``)."""

    group: str
    called: str

    def names(self) -> tuple[str, ...]:
        """Those that are installed, sorted."""
        return tuple(sorted({point.name for point in entry_points(group=self.group)}))

    def factory(self, name: str) -> Callable[..., Any]:
        """What makes the one called ``name``.

        Raises ``OptionError``, listing what is installed, if there is none of that name.
        """
        for point in entry_points(group=self.group):
            if point.name == name:
                return point.load()
        raise OptionError(
            f"there is no {self.called} called '{name}'", remedy=f"Installed: {', '.join(self.names()) or 'none'}"
        )

    def named(self, text: str, wanted: type[Made]) -> Made:
        """The one that ``NAME`` or ``NAME:DETAIL`` names, made with the detail ("" if there is none).

        Raises ``OptionError`` if there is none of that name or it does not keep ``wanted``, and what making it raises.
        """
        name, _, detail = text.partition(":")
        return self.checked(name, self.factory(name)(detail), wanted)

    def checked(self, name: str, made: object, wanted: type[Made]) -> Made:
        """``made`` if it keeps the protocol ``wanted``. Raises ``OptionError`` otherwise."""
        if not isinstance(made, wanted):
            raise OptionError(
                f"'{name}' is no {self.called}: it lacks what every {self.called} has",
                remedy="Update or remove the package that provides it",
            )
        return made
