"""What may be added from outside: engines, recognisers, translators and voices are found through entry points.

A name may be followed by a colon and words for the one it names: ``nanotts``, ``openai:http://localhost:11434/v1``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from typing import Any, Protocol, TypeVar, runtime_checkable

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


@runtime_checkable
class Fingerprinted(Protocol):
    """What anything that is added can do besides: tell what its work depends on, so that work that was kept is used
    again only while all of it is the same."""

    def fingerprint(self) -> tuple[object, ...]:
        """Its own version, options, and identity of its model files (digests, or names, sizes and times): strings,
        numbers, paths, and tuples and frozen dataclasses of them. The same in every process."""
        ...


def fingerprint_of(thing: object) -> tuple[object, ...]:
    """What the work of ``thing`` depends on: its class, and what it tells itself, or else its package's version."""
    kind = type(thing)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return (name, thing.fingerprint() if isinstance(thing, Fingerprinted) else _package(kind.__module__))


@cache
def _package(module: str) -> str:
    """Name and version of the package that ``module`` comes with, "" if it comes with none."""
    top = module.partition(".")[0]
    names = (top, *packages_distributions().get(top, ()))
    return next((f"{name} {number}" for name in names if (number := version_of(name))), "")


@cache
def version_of(package: str) -> str:
    """The installed version of ``package``, "" if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
