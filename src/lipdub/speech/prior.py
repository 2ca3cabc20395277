"""The prior: from what was heard to mouth shapes, the same for every person until a clip teaches more.

Ridge maps from the rows of ``design`` to shapes in units of the person's own spread, (shape - median) / sd.
``prior.npz`` is made by ``python -m lipdub.train.prior``; ``prior.md`` says from what, and how good it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from lipdub.disk.ordinary import check_ordinary
from lipdub.errors import WeightsError
from lipdub.speech import design
from lipdub.timeline.sound import Heard

LEVELS = np.linspace(0.02, 0.98, 41)
"""The quantile levels at which populations and persons are described."""

DESIGNS: dict[str, Callable[[Heard, np.ndarray], np.ndarray]] = {
    "encoder": design.encoder_design,
    "phones": design.phone_design,
    "calm": design.calm_design,
    "loud": design.loud_design,
}
"""The four maps of a prior, by name."""

_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Prior:
    """``maps`` name -> (dims, 6). ``mixes`` kind -> weights of the maps it adds up.

    ``rise`` (41, 6): how far mouths are above rest at each of ``LEVELS`` while they speak, mean of people;
    ``spread`` (6,): their standard deviation. Both in eye distances.
    """

    maps: dict[str, Float32[np.ndarray, "dims 6"]]
    mixes: dict[str, dict[str, float]]
    rise: Float32[np.ndarray, "41 6"]
    spread: Float32[np.ndarray, " 6"]

    @staticmethod
    def load(path: Path | None = None) -> "Prior":
        """The prior in ``path``, or the one that ships. Raises ``WeightsError`` if it cannot be read,
        ``InputError`` for a pipe or a device."""
        if path is not None and path.exists():
            check_ordinary(path)
        source = files("lipdub.speech") / "prior.npz" if path is None else path
        try:
            with source.open("rb") as file, np.load(file) as data:
                maps = {name: data[f"map_{name}"].astype(np.float32) for name in DESIGNS}
                kinds = [str(kind) for kind in data["kinds"]]
                shares = [dict(zip(DESIGNS, map(float, row), strict=True)) for row in data["mixes"]]
                return Prior(
                    maps,
                    dict(zip(kinds, shares, strict=True)),
                    data["rise"].astype(np.float32),
                    data["spread"].astype(np.float32),
                )
        except (OSError, KeyError, ValueError) as broken:
            raise WeightsError("the mouth shape prior cannot be read", file=str(source)) from broken

    def save(self, path: Path) -> None:
        """Write to ``path``, completely or not at all."""
        table = np.array([[mix.get(name, 0.0) for name in DESIGNS] for mix in self.mixes.values()])
        maps: dict[str, Any] = {f"map_{name}": values.astype(np.float16) for name, values in self.maps.items()}
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(
                file,
                **maps,
                kinds=np.array(list(self.mixes)),
                mixes=table,
                rise=self.rise,
                spread=self.spread,
            )
        part.replace(path)

    def kind(self, heard: Heard) -> str:
        """What the prediction will rest on: ``"encoder and phones"``, ``"phones"`` or ``"loudness"``."""
        if not heard.phones.any():
            return "loudness"
        return "phones" if heard.encoded is None else "encoder and phones"

    def predict(self, heard: Heard, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n 6"]:
        """Shapes at ``seconds`` of clip time, in the speaker's own units: 0 = his median, 1 = his sd."""
        out = np.zeros((len(seconds), 6), np.float32)
        if len(heard) == 0:
            return out
        mix = {name: weight for name, weight in self.mixes[self.kind(heard)].items() if weight}
        for first, part, when in blocks(heard, seconds):
            for name, weight in mix.items():
                out[first : first + len(when)] += np.float32(weight) * (DESIGNS[name](part, when) @ self.maps[name])
        return out

    def design(self, heard: Heard, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n dims"]:
        """The rows from which a person's own way of speaking is learnt, at ``seconds`` of clip time."""
        names = {"encoder and phones": ("encoder", "phones"), "phones": ("phones",), "loudness": ("loud",)}
        part, when = design.near(heard, seconds - float(heard.start))
        return np.concatenate([DESIGNS[name](part, when) for name in names[self.kind(heard)]], axis=1)


def blocks(heard: Heard, seconds: Float[np.ndarray, " n"]):
    """Yield ``(first, part of heard, its seconds)`` for pieces of clip times ``seconds``, so that memory is flat."""
    relative = seconds - float(heard.start)
    for first in range(0, len(seconds), _BLOCK):
        part, when = design.near(heard, relative[first : first + _BLOCK])
        yield first, part, when
