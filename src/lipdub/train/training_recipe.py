"""The recipe of a training run: a TOML file of few sections, each a frozen dataclass with its usual values.

A key that no section has is refused, and the nearest known one is named.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from lipdub.errors import InputError, LipdubError, OptionError
from lipdub.train.noise_options import NoiseOptions

SCHEDULES = ("constant", "linear", "cosine")
HOLDS = ("bf16", "8bit", "float32")


@dataclass(frozen=True, slots=True)
class BaseOptions:
    """The model that is adapted; its weights stay as they are.

    ``weights``: the folder of LTX-2.3 files, or the checkpoint. ``hold``: how the weights are held: ``bf16``, ``8bit``
    (whole numbers with one scale for each row) or ``float32``. ``streamed``: the blocks' weights stay in main memory
    and come to the GPU when they are needed. ``device``: ``auto``, ``cuda``, ``cpu``.
    """

    weights: str = ""
    hold: str = "bf16"
    streamed: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        _one_of("base.hold", self.hold, HOLDS)
        if not self.weights:
            raise OptionError("base.weights is missing", remedy="Name the folder of LTX-2.3 files")


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What is learnt from. ``folder``: made by ``lipdub train prepare``, or holds a ``.precomputed`` folder.
    ``unchecked``: also latents that do not say by which checkpoint they were made. ``background``: how much cells
    outside the face count in the loss, 0..1."""

    folder: str = ""
    unchecked: bool = False
    background: float = 0.1

    def __post_init__(self) -> None:
        if not self.folder:
            raise OptionError("data.folder is missing", remedy="Name the folder of pairs")
        _within("data.background", self.background, 0, 1)


@dataclass(frozen=True, slots=True)
class LoraOptions:
    """The weights that are learnt: ``rank``, ``alpha`` (scale = alpha / rank) and ``dropout`` of every layer.
    ``start``: a LoRA for the same checkpoint to begin with, of the same rank."""

    rank: int = 128
    alpha: float = 128.0
    dropout: float = 0.0
    start: str = ""

    def __post_init__(self) -> None:
        _within("lora.rank", self.rank, 1, 4096)
        _within("lora.dropout", self.dropout, 0, 0.99)


@dataclass(frozen=True, slots=True)
class OptimiserOptions:
    """AdamW. ``lr``: the learning rate; ``audio_lr``: that of the sound's own attention and feed-forward layers.
    ``clip``: largest norm of the gradient. ``warmup``: steps in which the rate rises. ``schedule``: ``constant``,
    ``linear`` or ``cosine``, down to 0 at the last step."""

    lr: float = 2e-4
    audio_lr: float = 1e-6
    weight_decay: float = 0.01
    clip: float = 1.0
    warmup: int = 0
    schedule: str = "constant"

    def __post_init__(self) -> None:
        _one_of("optimiser.schedule", self.schedule, SCHEDULES)
        for name in ("lr", "audio_lr", "weight_decay", "warmup"):
            _within(f"optimiser.{name}", getattr(self, name), 0, 1e9)
        _within("optimiser.clip", self.clip, 1e-9, 1e9)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``folder``: where logs and checkpoints go. ``accumulate``: samples of each process in a step. ``save_every``:
    steps between checkpoints, of which the last ``keep`` stay, and the best one. ``ema``: decay of a running mean of
    the LoRA, which is exported then; 0: none. ``gradient_checkpointing``: less memory, a third more time."""

    folder: str = "run"
    steps: int = 2000
    accumulate: int = 1
    save_every: int = 250
    keep: int = 2
    ema: float = 0.0
    gradient_checkpointing: bool = True

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "save_every", "keep"):
            _within(f"run.{name}", getattr(self, name), 1, 10**9)
        _within("run.ema", self.ema, 0, 0.999999)


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """``every``: steps between validations; 0: none. ``sigmas``: noise levels of the validation loss. ``patience``: the
    run stops after so many validations without a lower loss; 0: never. ``clips``: clips that are dubbed then and
    scored, each with the dub track of the same place in ``audio``, in windows of ``frames`` of ``size`` pixels."""

    every: int = 0
    sigmas: tuple[float, ...] = (0.975, 0.725, 0.421875)
    patience: int = 0
    clips: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    size: int = 768
    frames: int = 121

    def __post_init__(self) -> None:
        _within("validation.every", self.every, 0, 10**9)
        _within("validation.patience", self.patience, 0, 10**9)
        if not self.sigmas or not all(0 < sigma <= 1 for sigma in self.sigmas):
            raise OptionError("validation.sigmas are not all above 0 and up to 1")
        if len(self.clips) != len(self.audio):
            raise OptionError(
                f"validation has {len(self.clips)} clips and {len(self.audio)} dub tracks",
                remedy="Give one dub track for each clip",
            )


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """All options of a run. ``seed`` decides everything that is drawn."""

    base: BaseOptions
    data: DataOptions
    lora: LoraOptions = field(default_factory=LoraOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    run: RunOptions = field(default_factory=RunOptions)
    validation: ValidationOptions = field(default_factory=ValidationOptions)
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Sections and values, for JSON."""
        return asdict(self)


SECTIONS: dict[str, type] = {
    "base": BaseOptions,
    "data": DataOptions,
    "lora": LoraOptions,
    "noise": NoiseOptions,
    "optimiser": OptimiserOptions,
    "run": RunOptions,
    "validation": ValidationOptions,
}
_FREE = ("run", "validation")
"""Sections that may change between two parts of one run; ``run.ema`` and ``run.accumulate`` may not."""
_PLACES = (("base", "device"), ("base", "streamed"))
"""Keys that change where a run works, not what it learns."""
_PATHS = (("base", "weights"), ("data", "folder"), ("lora", "start"), ("run", "folder"))


def read_recipe(path: Path) -> TrainingRecipe:
    """The recipe in the TOML file ``path``; paths in it are taken from the folder of the file.

    Raises ``InputError`` if it is no TOML, and ``OptionError`` for unknown keys and impossible values.
    """
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as refused:
        raise InputError(f"the recipe cannot be read ({refused.strerror})", file=path) from refused
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise InputError(f"the recipe is no TOML: {wrong}", file=path) from wrong
    try:
        return recipe_of(_absolute(tables, path.absolute().parent))
    except LipdubError as wrong:
        raise OptionError(wrong.what, file=path, remedy=wrong.remedy) from wrong


def recipe_of(tables: Mapping[str, Any]) -> TrainingRecipe:
    """The recipe of parsed TOML. Raises ``OptionError``."""
    for key, value in tables.items():
        if key not in SECTIONS and key != "seed":
            raise _unknown(key)
        if key in SECTIONS and not isinstance(value, Mapping):
            raise OptionError(f"{key} is a section", remedy=f"Write [{key}] above its keys")
    made: dict[str, Any] = {name: _section(name, kind, tables.get(name, {})) for name, kind in SECTIONS.items()}
    return TrainingRecipe(**made, seed=_value("seed", tables.get("seed", 0), int))


def differences(recipe: TrainingRecipe, begun: Mapping[str, Any]) -> Iterator[str]:
    """What differs from the recipe with which a run was begun and may not: ``lora.rank: 64, begun with 32``."""
    now = recipe.as_dict()
    for section in (*(name for name in SECTIONS if name not in _FREE), "seed"):
        old, new = begun.get(section), _plain(now[section])
        if not isinstance(new, dict):
            if old != new:
                yield f"{section}: {new}, begun with {old}"
            continue
        old = old if isinstance(old, dict) else {}
        for key, value in new.items():
            if (section, key) not in (*_PATHS, *_PLACES) and old.get(key) != value:
                yield f"{section}.{key}: {value}, begun with {old.get(key)}"
    for key in ("ema", "accumulate"):
        old = begun.get("run", {}).get(key)
        if old != now["run"][key]:
            yield f"run.{key}: {now['run'][key]}, begun with {old}"


def _plain(value: Any) -> Any:
    """``value`` as JSON gives it back."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _section(name: str, kind: type, table: Mapping[str, Any]) -> Any:
    types = get_type_hints(kind)
    known = {one.name for one in fields(kind)}
    for key in table:
        if key not in known:
            raise _unknown(f"{name}.{key}")
    return kind(**{key: _value(f"{name}.{key}", value, types[key]) for key, value in table.items()})


def _value(name: str, value: Any, kind: Any) -> Any:
    """``value`` as ``kind``: whole numbers are numbers, lists are tuples. Raises ``OptionError``."""
    if get_origin(kind) in (UnionType, Union):
        for one in get_args(kind):
            try:
                return _value(name, value, one)
            except OptionError:
                continue
    elif get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_value(name, one, get_args(kind)[0]) for one in value)
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, kind if isinstance(kind, type) else ()) and (kind is bool) == isinstance(value, bool):
        return value
    raise OptionError(f"{name} is {value!r}, which is no {_kind_text(kind)}")


def _kind_text(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "list"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return " or ".join(names[one] for one in get_args(kind) or (kind,))


def _unknown(key: str) -> OptionError:
    """The error about an unknown ``key`` that names the nearest known one."""
    known = ["seed", *SECTIONS, *(f"{name}.{one.name}" for name, kind in SECTIONS.items() for one in fields(kind))]
    last = key.rsplit(".", 1)[-1]
    same = [name for name in known if name.rsplit(".", 1)[-1] == last]
    near = same or difflib.get_close_matches(key, known, 1, 0.5)
    by_last = {name.rsplit(".", 1)[-1]: name for name in known}
    near = near or [by_last[one] for one in difflib.get_close_matches(last, list(by_last), 1, 0.4)]
    remedy = f"Did you mean {near[0]}?" if near else f"Sections: {', '.join(SECTIONS)}"
    return OptionError(f"there is no key '{key}' in a recipe", remedy=remedy)


def _absolute(tables: dict[str, Any], folder: Path) -> dict[str, Any]:
    """``tables`` with paths that begin at ``folder`` where they are relative."""
    placed = {key: dict(value) if isinstance(value, dict) else value for key, value in tables.items()}
    for section, key in _PATHS:
        table = placed.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
            table[key] = str(folder / table[key])
    table = placed.get("validation")
    for key in ("clips", "audio"):
        if isinstance(table, dict) and isinstance(table.get(key), list):
            table[key] = [str(folder / one) if isinstance(one, str) else one for one in table[key]]
    run = placed.setdefault("run", {})
    if isinstance(run, dict):
        run.setdefault("folder", str(folder / "run"))
    return placed


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OptionError(f"{name} is '{value}'", remedy=f"One of: {', '.join(known)}")


def _within(name: str, value: float | int, least: float | int, most: float | int) -> None:
    if not least <= value <= most:
        raise OptionError(f"{name} is {value:g}, which is not from {least:g} to {most:g}")
