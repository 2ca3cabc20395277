"""Engines by name, through the entry point group ``lipdub.engines``: a third party's package can add its own."""

from importlib.metadata import entry_points

from lipdub.engines.seam import Engine
from lipdub.errors import OptionError

GROUP = "lipdub.engines"


def names() -> tuple[str, ...]:
    """The engines that are installed, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def find(name: str) -> Engine:
    """The engine called ``name``, with its default options.

    Raises ``OptionError``, listing what is installed, if there is none of that name or it is no engine.
    """
    for point in entry_points(group=GROUP):
        if point.name == name:
            made = point.load()()
            if not isinstance(made, Engine):
                raise OptionError(
                    f"'{name}' ({point.value}) is no engine: it lacks a name, limits or a study",
                    remedy="Update or remove the package that provides it",
                )
            return made
    raise OptionError(f"there is no engine called '{name}'", remedy=f"Installed: {', '.join(names()) or 'none'}")
