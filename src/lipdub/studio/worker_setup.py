"""What must be the same on every machine that makes parts of one film, so that the parts fit together."""

from collections.abc import Mapping

from lipdub import __version__, weights
from lipdub.plugins import fingerprint_of, package_version
from lipdub.studio.options import DubOptions
from lipdub.studio.store import key
from lipdub.studio.tools import Tools

_PACKAGES = ("av", "numpy", "opencv-python-headless", "ai-edge-litert")
"""Packages of which another version may give other bytes."""

MODELS = ("face-landmarks", "face-detector")
"""Models that every worker needs."""


def setup_here(options: DubOptions) -> dict[str, str]:
    """The versions of lipdub and of packages, by name, and the identity of the engine with its weights.

    Raises ``WeightsError`` if a model that a worker needs is not there, and what making the engine raises.
    """
    for model in MODELS:
        weights.resolve(model)
    engine = Tools(options).engine
    made_by = key(fingerprint_of(engine), sorted(options.engine_option))[:12]
    found = {"lipdub": __version__, f"the engine {engine.name} with its weights": made_by}
    return {**found, **{name: package_version(name) for name in _PACKAGES}}


def difference(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """How two setups differ, as a clause ("lipdub 0.1.0 there, 0.2.0 here"); "" if they do not."""
    names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    return ", ".join(f"{name} {there.get(name, 'none')} there, {here.get(name, 'none')} here" for name in names)
