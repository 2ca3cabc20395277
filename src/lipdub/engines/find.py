"""Engines by name, through the entry point group ``lipdub.engines``: a third party's package can add its own."""

from lipdub.engines.seam import Engine, EngineSetup
from lipdub.plugins import PluginKind

ENGINES = PluginKind("lipdub.engines", "engine")


def names() -> tuple[str, ...]:
    """The engines that are installed, sorted."""
    return ENGINES.names()


def find(name: str, setup: EngineSetup = EngineSetup()) -> Engine:
    """The engine called ``name``, made with ``setup``.

    Raises ``OptionError``, listing what is installed, if there is none of that name or it is no engine; and what
    making it raises.
    """
    return ENGINES.check(name, ENGINES.create(name, setup), Engine)
