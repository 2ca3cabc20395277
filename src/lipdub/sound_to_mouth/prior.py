"""The prior: linear maps from speech features to mouth shapes, the same for every person.

Ridge regression from the rows of ``design_matrix`` to shapes in units of the person's own spread, (shape - median) /
standard deviation. ``prior.npz`` is made by ``lipdub train prior``; ``prior.md`` says from which footage, and
how accurate it is.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import atomic_output
from lipdub.disk.regular_file import check_regular_file
from lipdub.errors import WeightsError
from lipdub.sound_to_mouth import design_matrix
from lipdub.timeline.speech_features import SpeechFeatures

QUANTILE_LEVELS = np.linspace(0.02, 0.98, 41)
"""The quantile levels at which the range of a mouth is described."""

DESIGNS: dict[str, Callable[[SpeechFeatures, np.ndarray], np.ndarray]] = {
    "encoder": design_matrix.encoder_design,
    "phones": design_matrix.phone_design,
    "calm": design_matrix.smoothed_phone_design,
    "loud": design_matrix.energy_design,
}
"""The design matrix of each of a prior's four maps, by the name that the map has in its file."""

_ROWS = {"encoder": 918, "phones": 341, "calm": 18, "loud": 28}
"""The columns of each of ``DESIGNS``."""

KINDS = ("encoder and phones", "encoder", "phones", "loudness")
"""The features that a prediction can use, best first."""

_LEARNT = {
    "encoder and phones": ("encoder", "phones"),
    "encoder": ("encoder",),
    "phones": ("phones",),
    "loudness": ("loud",),
}
"""The designs from which a speaker model is learnt, for each of ``KINDS``."""

_ONE_MAP = {"encoder": {"encoder": 1.0}}  # a kind with one map has no shares to choose: older files do not tell it

_BLOCK = 512
_FAR = 5.0  # seconds


@dataclass(frozen=True, eq=False)
class Prior:
    """Linear maps to mouth shapes, and the range of an average mouth.

    ``maps`` are arrays (dims, 6) by name. ``mixes`` gives, for each of ``KINDS``, the weights of the maps that are
    added up. ``rise`` (41, 6) is how far speaking mouths are from rest at each of ``QUANTILE_LEVELS``, the mean over
    people; ``spread`` (6,) is their standard deviation; both in eye distances.
    """

    maps: dict[str, Float32[np.ndarray, "dims 6"]]
    mixes: dict[str, dict[str, float]]
    rise: Float32[np.ndarray, "41 6"]
    spread: Float32[np.ndarray, " 6"]

    @staticmethod
    def load(path: Path | None = None) -> "Prior":
        """The prior in the file ``path``, or the one in the package.

        Raises ``WeightsError`` if the file is not a prior or cannot be read, ``InputError`` for a pipe or a device.
        """
        if path is not None and path.exists():
            check_regular_file(path)
        source = files("lipdub.sound_to_mouth") / "prior.npz" if path is None else path
        try:
            with source.open("rb") as file, np.load(file) as data:
                maps = {name: data[f"map_{name}"].astype(np.float32) for name in DESIGNS}
                kinds = [str(kind) for kind in data["kinds"]]
                shares = [dict(zip(DESIGNS, map(float, row), strict=True)) for row in data["mixes"]]
                mixes = _ONE_MAP | dict(zip(kinds, shares, strict=True))
                prior = Prior(maps, mixes, data["rise"].astype(np.float32), data["spread"].astype(np.float32))
                prior._check()
                return prior
        except OSError as refused:
            cause = cause_of(refused)
            what = f"the mouth shape prior cannot be read: {cause.what}"
            raise WeightsError(what, file=str(source), remedy=cause.remedy) from refused
        except MemoryError:
            raise
        except Exception as broken:  # a damaged archive fails in many ways: zipfile, zlib, struct, pickle, numpy
            reason = " ".join(str(broken).split())[:120] or type(broken).__name__
            raise WeightsError(
                f"this is no mouth shape prior, or it is damaged ({reason})",
                file=str(source),
                remedy="Make one with: lipdub train prior",
            ) from broken

    def _check(self) -> None:
        """Raises ``ValueError`` if an array has another shape than needed, or holds a number that is not finite."""
        shapes = {f"map_{name}": (rows, 6) for name, rows in _ROWS.items()} | {
            "rise": (len(QUANTILE_LEVELS), 6),
            "spread": (6,),
        }
        arrays = {f"map_{name}": values for name, values in self.maps.items()}
        arrays |= {"rise": self.rise, "spread": self.spread}
        for name, wanted in shapes.items():
            if arrays[name].shape != wanted:
                raise ValueError(f"{name} is {arrays[name].shape}, not {wanted}")
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} holds a value that is no number")
        if not set(KINDS) <= set(self.mixes):
            raise ValueError(f"it knows {', '.join(sorted(self.mixes))}, not {', '.join(KINDS)}")
        if not all(np.isfinite(share) for mix in self.mixes.values() for share in mix.values()):
            raise ValueError("a share is no number")

    def save(self, path: Path, *, overwrite: bool = True) -> None:
        """Write to ``path``, completely or not at all. Raises ``OutputError``."""
        table = np.array([[mix.get(name, 0.0) for name in DESIGNS] for mix in self.mixes.values()])
        maps: dict[str, Any] = {f"map_{name}": values.astype(np.float16) for name, values in self.maps.items()}
        with atomic_output(path, overwrite=overwrite) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                **maps,
                kinds=np.array(list(self.mixes)),
                mixes=table,
                rise=self.rise,
                spread=self.spread,
            )

    def kind(self, features: SpeechFeatures) -> str:
        """Which of ``KINDS`` the prediction will use. Without the phone model all phone posteriors are 0."""
        phones = features.phone_posteriors
        if not any(phones[first : first + 4096].any() for first in range(0, len(phones), 4096)):  # mostly the first has
            return "loudness" if features.encoder_features is None else "encoder"
        return "phones" if features.encoder_features is None else "encoder and phones"

    def predict(
        self,
        features: SpeechFeatures,
        seconds: Float[np.ndarray, " n"],
        residual: Float32[np.ndarray, "dims 6"] | None = None,
    ) -> Float32[np.ndarray, "n 6"]:
        """Shapes at ``seconds`` of clip time, in the speaker's own units: 0 is the median, 1 one standard deviation.

        ``residual`` is a map from the rows of ``design`` whose product is added.
        """
        out = np.zeros((len(seconds), 6), np.float32)
        if len(features) == 0:
            return out
        kind = self.kind(features)
        mix = {name: weight for name, weight in self.mixes[kind].items() if weight}
        relative = seconds - float(features.start)
        for block in self.blocks(seconds):
            part, when = design_matrix.features_near(features, relative[block])
            rows = {name: DESIGNS[name](part, when) for name in mix}
            for name, weight in mix.items():
                out[block] += np.float32(weight) * (rows[name] @ self.maps[name])
            if residual is not None:
                learnt = [rows[n] if n in rows else DESIGNS[n](part, when) for n in _LEARNT[kind]]
                out[block] += np.concatenate(learnt, axis=1) @ residual
        return out

    def design(self, features: SpeechFeatures, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n dims"]:
        """The rows from which a speaker model is learnt, at ``seconds`` of clip time."""
        kind, relative = self.kind(features), seconds - float(features.start)
        parts = [design_matrix.features_near(features, relative[block]) for block in self.blocks(seconds)]
        rows = [np.concatenate([DESIGNS[n](part, when) for n in _LEARNT[kind]], axis=1) for part, when in parts]
        return np.concatenate(rows)

    @staticmethod
    def blocks(seconds: Float[np.ndarray, " n"], most: int = _BLOCK) -> list[slice]:
        """Slices that divide ``seconds`` (ascending): at most ``most`` instants each, and none reaches over a gap of
        more than 5 s.

        A design matrix of one block is small, however far the instants of all blocks are apart.
        """
        bounds = np.flatnonzero(np.abs(np.diff(seconds)) > _FAR) + 1
        edges = [0, *(int(bound) for bound in bounds), len(seconds)]
        return [
            slice(first, min(first + most, stop))
            for start, stop in itertools.pairwise(edges)
            for first in range(start, stop, most)
        ]
