"""Engines by name: any installed package can add one through the entry point group ``lipdub.engines``."""

from lipdub.engines.seam import Engine, EngineSetup
from lipdub.plugins import PluginKind

ENGINES = PluginKind("lipdub.engines", "engine")


def names() -> tuple[str, ...]:
    """The names of the installed engines, sorted."""
    return ENGINES.names()


def find(name: str, setup: EngineSetup = EngineSetup()) -> Engine:
    """The engine called ``name``, made with ``setup``.

    Raises ``OptionError``, which lists what is installed, if there is no engine of that name or the entry point gives
    something else; and whatever the engine raises when it is made.
    """
    return ENGINES.check(name, ENGINES.create(name, setup), Engine)
