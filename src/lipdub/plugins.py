"""Plugins: engines, recognisers, translators and voices are found through entry points.

A name may be followed by a colon and a detail for the plugin: ``nanotts``, ``openai:http://localhost:11434/v1``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from typing import Any, Protocol, TypeVar, runtime_checkable

from lipdub.disk.os_errors import is_out_of_memory
from lipdub.errors import LipdubError, MissingExtra, OptionError

Plugin = TypeVar("Plugin")

_LONGEST = 200


def error_summary(error: BaseException) -> str:
    """An error in one line: its class, and the beginning of its text."""
    said = " ".join(str(error).split())[:_LONGEST]
    return f"{type(error).__name__}: {said}".removesuffix(": ").rstrip(".")


@dataclass(frozen=True, slots=True)
class PluginKind:
    """A kind of plugin: its entry point ``group``, and its ``label`` in messages ("voice")."""

    group: str
    label: str

    def names(self) -> tuple[str, ...]:
        """Names of the installed plugins, sorted."""
        return tuple(sorted({point.name for point in entry_points(group=self.group)}))

    def factory(self, name: str) -> Callable[..., Any]:
        """The function that creates the plugin ``name``.

        Raises ``OptionError``, listing what is installed, if there is no such plugin or it cannot be loaded, and
        ``MissingExtra`` if a package that it needs is not installed.
        """
        for point in entry_points(group=self.group):
            if point.name == name:
                with self._blamed(name):
                    return point.load()
        raise OptionError(
            f"there is no {self.label} called '{name}'", remedy=f"Installed: {', '.join(self.names()) or 'none'}"
        )

    def create(self, name: str, given: object) -> Any:
        """The plugin ``name``, created with the argument ``given``.

        Raises as ``factory`` does. A ``LipdubError`` of the factory passes; any other error of it becomes an
        ``OptionError``.
        """
        factory = self.factory(name)
        with self._blamed(name):
            return factory(given)

    def create_named(self, text: str, wanted: type[Plugin]) -> Plugin:
        """The plugin that ``NAME`` or ``NAME:DETAIL`` names, created with the detail ("" if there is none).

        Raises ``OptionError`` if there is no such plugin or it lacks what the protocol ``wanted`` asks for, and what
        ``create`` raises.
        """
        name, _, detail = text.partition(":")
        return self.check(name, self.create(name, detail), wanted)

    def load_errors(self) -> dict[str, str]:
        """Name and error message of each plugin that cannot be loaded."""
        found = {}
        for name in self.names():
            try:
                self.factory(name)
            except LipdubError as error:
                found[name] = str(error)
        return found

    @contextmanager
    def _blamed(self, name: str) -> Iterator[None]:
        """Report every error of the block as a fault of the plugin ``name``."""
        try:
            yield
        except LipdubError:
            raise
        except ImportError as missing:
            if is_out_of_memory(missing):
                raise
            raise MissingExtra(
                f"the {self.label} '{name}' cannot be loaded ({error_summary(missing)})",
                remedy="Install what it needs, or update or remove the package that provides it",
            ) from missing
        except (Exception, SystemExit) as broken:
            if is_out_of_memory(broken):
                raise
            raise OptionError(
                f"the {self.label} '{name}' is broken ({error_summary(broken)})",
                remedy="Update or remove the package that provides it",
            ) from broken

    def check(self, name: str, made: object, wanted: type[Plugin]) -> Plugin:
        """``made`` if it has everything that the protocol ``wanted`` asks for. Raises ``OptionError`` otherwise."""
        if not isinstance(made, wanted):
            raise OptionError(
                f"'{name}' is no {self.label}: it lacks what every {self.label} has",
                remedy="Update or remove the package that provides it",
            )
        return made


@runtime_checkable
class Fingerprinted(Protocol):
    """A plugin that can tell what its results depend on. Kept results are used again only while that is the same."""

    def fingerprint(self) -> tuple[object, ...]:
        """Its version, its options, and the identity of its model files (digests, or names, sizes and times): strings,
        numbers, paths, and tuples and frozen dataclasses of them. The same in every process."""
        ...


def fingerprint_of(thing: object) -> tuple[object, ...]:
    """What the results of ``thing`` depend on: its class, and its own fingerprint or else the version of its
    package."""
    kind = type(thing)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return (name, thing.fingerprint() if isinstance(thing, Fingerprinted) else _package(kind.__module__))


@cache
def _package(module: str) -> str:
    """Name and version of the package that ``module`` belongs to; "" if it belongs to none."""
    top = module.partition(".")[0]
    names = (top, *packages_distributions().get(top, ()))
    return next((f"{name} {number}" for name in names if (number := package_version(name))), "")


@cache
def package_version(package: str) -> str:
    """The installed version of ``package``; "" if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
