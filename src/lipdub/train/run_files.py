"""The files of a run: checkpoints, each in one file that appears when it is complete, and the log, one JSON a line.

run/step-0000250.safetensors   the LoRA, AdamW's moments, the running mean; in the metadata where the run stands
run/log.jsonl                  losses, validations, where the run was begun and went on
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from lipdub.disk.json_text import parse_json
from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import atomic_output
from lipdub.errors import InputError, OutputError

LOG = "log.jsonl"
_STATE = "lipdub_run"
_NAME = re.compile(r"^step-(\d{7,})\.safetensors$")
_REMEDY = "Free some space and run the same command: it goes on after the last checkpoint"


@dataclass(frozen=True)
class RunState:
    """Where a run stands after ``step`` steps. ``best``: the lowest validation loss (None: none yet) and after how
    many steps; ``waited``: validations since. ``base`` and ``downscale``: of the checkpoint and of the data."""

    step: int
    recipe: Mapping[str, Any]
    base: str
    downscale: int = 1
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    card: Mapping[str, Any] = field(default_factory=dict)


def checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints in ``folder`` by their step, in order."""
    if not folder.is_dir():
        return {}
    found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.match(path.name))}
    return dict(sorted(found.items()))


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: RunState, keep: int) -> Path:
    """Write a checkpoint, then remove all but the last ``keep`` and the best one.

    Raises ``OutputError`` if the disk refuses; then all older checkpoints are still there.
    """
    path = folder / f"step-{state.step:07d}.safetensors"
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_output(path, overwrite=True) as part:
        try:
            save_file(whole, part, {_STATE: json.dumps(asdict(state))})
        except SafetensorError as refused:
            raise _refusal(path, refused) from refused
    stay = {*list(checkpoints(folder))[-keep:], state.best_step, state.step}
    for step, old in checkpoints(folder).items():
        if step not in stay:
            old.unlink(missing_ok=True)
    return path


def _refusal(path: Path, refused: SafetensorError) -> OutputError:
    """safetensors tells errors of the disk as text, with the system's number of the error."""
    number = re.search(r"os error (\d+)", str(refused))
    cause = cause_of(OSError(int(number[1]), os.strerror(int(number[1])))) if number else cause_of(refused)
    return OutputError(f"the checkpoint cannot be written: {cause.what}", file=path, remedy=_REMEDY)


def read_state(path: Path) -> RunState:
    """Where the run stood when ``path`` was written. Raises ``InputError`` if the file is damaged."""
    try:
        with safe_open(path, "pt") as file:
            return RunState(**parse_json((file.metadata() or {})[_STATE]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the checkpoint cannot be read ({error})", file=path, remedy="Remove it: the run goes on from an older one"
        ) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint, on the CPU. Raises ``InputError`` if the file is damaged."""
    read_state(path)
    return load_file(path)


class RunLog:
    """The log of a run; each entry is on the disk when ``write`` returns."""

    def __init__(self, folder: Path, step: int, *, active: bool = True, board: bool = True) -> None:
        """Go on after ``step`` steps: entries of later ones, which will be done again, are removed.

        If TensorBoard is installed (and ``board``), numbers go to it too. Of several processes one is ``active``.
        """
        self.path, self.active = folder / LOG, active
        self._board: Any = None
        if not active:
            return
        _cut(self.path, step)
        if board:
            self._board = _board(folder)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add ``entry``. Raises ``OutputError`` if the disk refuses."""
        if not self.active:
            return
        try:
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as refused:
            raise OutputError(
                f"the log cannot be written: {cause_of(refused).what}", file=self.path, remedy=_REMEDY
            ) from refused
        if self._board is not None:
            for name, value in entry.items():
                if isinstance(value, float):
                    self._board.add_scalar(f"{entry.get('kind', 'step')}/{name}", value, entry.get("step", 0))


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All whole entries of a run's log, in order."""
    path = folder / LOG
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(parse_json(line))
        except ValueError:
            continue  # the last line of a run that was ended while it wrote
    return [entry for entry in entries if isinstance(entry, dict)]


def _cut(path: Path, step: int) -> None:
    entries = read_log(path.parent)
    if path.is_file():
        kept = [entry for entry in entries if entry.get("step", 0) <= step]
        with atomic_output(path, overwrite=True) as part:
            part.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
