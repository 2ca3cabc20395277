"""What a batch has done: a JSON file beside the jobs file, written atomically before and after every job.

Its records are kept by the keys of jobs, so the rows of the jobs file may be sorted, and others added. A killed run
leaves the record of its last job as RUNNING.
"""

import glob
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lipdub import __version__
from lipdub.disk.json_text import parse_json
from lipdub.disk.lock_file import create_locked, is_locked, remove_if_unlocked
from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import write_text
from lipdub.errors import InputError, OutputError
from lipdub.studio.inputs import unreadable
from lipdub.studio.shard import Shard

VERSION = 1
DONE, FAILED, RUNNING, NOT_DONE = "done", "failed", "running", "not done"
STATES = (DONE, FAILED, RUNNING, NOT_DONE)
"""All states, the best one first."""


@dataclass(frozen=True)
class FilmFile:
    """A finished film as it was left: its size in bytes, and when it was changed last (ns since 1970)."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> "FilmFile | None":
        """The file at ``path``; None if there is none that can be looked at."""
        try:
            state = path.stat()
        except OSError:
            return None
        return cls(state.st_size, state.st_mtime_ns)


@dataclass(frozen=True)
class Record:
    """What is known of one job.

    ``state`` is one of ``STATES``; ``film`` the finished file, or, while it is RUNNING, what was there before.
    ``seconds``: how long it took; ``peak``: the most memory that the process which made it ever had, in bytes (0: not
    known). ``exit_code`` and ``error`` say why it failed. ``figures`` are numbers by name, ``left`` is what was left as
    filmed: reason -> seconds.
    """

    state: str
    line: int
    source: str
    output: str
    recipe: dict[str, Any] = field(default_factory=dict)
    film: FilmFile | None = None
    seconds: float = 0.0
    peak: int = 0
    exit_code: int = 0
    error: str = ""
    warnings: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)
    ended: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; what is not known is left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "", 0, {}, ())}


@dataclass(eq=False)
class BatchState:
    """The records of a batch by the keys of its jobs, kept in the file ``path``. ``jobs_file`` is the name of the jobs
    file; ``consent`` tells for which clips consent was stated: path, size and time of change -> when and how."""

    path: Path
    jobs_file: str
    shard: Shard = Shard()
    records: dict[str, Record] = field(default_factory=dict)
    consent: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Write the file; readers see the old one or the new one. Raises ``OutputError``."""
        told = {
            "version": VERSION,
            "lipdub": __version__,
            "jobs_file": self.jobs_file,
            "shard": str(self.shard),
            "consent": self.consent,
            "jobs": {key: record.to_json() for key, record in self.records.items()},
        }
        write_text(self.path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def load_state(path: Path, jobs_file: str, shard: Shard = Shard()) -> BatchState:
    """The state in the file ``path``, or a new one if there is no such file.

    Raises ``InputError`` if it cannot be read or belongs to another jobs file or shard.
    """
    try:
        told = parse_json(path.read_bytes())
    except FileNotFoundError:
        return BatchState(path, jobs_file, shard)
    except OSError as refused:
        raise unreadable(path, refused) from refused
    except ValueError as wrong:
        raise _damaged(path, str(wrong)) from wrong
    if not isinstance(told, dict) or told.get("version") != VERSION:
        raise _damaged(path, "it was not written by this version of lipdub batch")
    if told.get("jobs_file") != jobs_file or told.get("shard") != str(shard):
        what = f"it is the state of {told.get('jobs_file')}, shard {told.get('shard')}"
        raise InputError(what, file=path, remedy="Name another one with --state")
    try:
        records = {str(key): _record(value) for key, value in told["jobs"].items()}
        consent = {str(key): str(value) for key, value in told["consent"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise _damaged(path, f"a record in it cannot be understood: {wrong}") from wrong
    return BatchState(path, jobs_file, shard, records, consent)


def _record(told: Mapping[str, Any]) -> Record:
    """Raises ``TypeError`` or ``ValueError``."""
    names = {f.name for f in fields(Record)}
    given = {name: value for name, value in told.items() if name in names}
    if given.get("state") not in STATES:
        raise ValueError(f"there is no state '{given.get('state')}'")
    for name, kind in (("recipe", dict), ("figures", dict), ("left", dict), ("output", str), ("source", str)):
        if not isinstance(given.get(name, kind()), kind):
            raise TypeError(name)
    if given.get("film") is not None:
        given["film"] = FilmFile(**given["film"])
    given["warnings"] = tuple(given.get("warnings", ()))
    return Record(**given)


def _damaged(path: Path, what: str) -> InputError:
    remedy = "Move it away: the next run then takes no film for its own that is there already"
    return InputError(f"the state of the batch cannot be used: {what}", file=path, remedy=remedy)


def state_file(jobs_file: Path, given: Path | None, folder: Path | None) -> Path:
    """Where the state of a whole batch lies: ``given``, or ``jobs.batch.json`` beside ``jobs.csv`` (of a folder of
    clips: in the ``folder`` of the films)."""
    if given is not None:
        return given
    place = folder if folder is not None and jobs_file.is_dir() else jobs_file.parent
    return place / f"{jobs_file.resolve().name if jobs_file.is_dir() else jobs_file.stem}.batch.json"


def shard_file(state: Path, shard: Shard) -> Path:
    """The state of a shard, from that of the whole batch: ``jobs.batch.3-of-8.json``."""
    return state if shard.of == 1 else state.with_name(f"{state.stem}.{shard.file_name}{state.suffix}")


def states_there(state: Path) -> Mapping[Path, Shard]:
    """The states that are there of a batch whose own, as a whole, is ``state``: that one, and those of shards."""
    found: dict[Path, Shard] = {}
    if state.exists():
        found[state] = Shard()
    for path in sorted(state.absolute().parent.glob("*" + state.suffix)):
        middle = path.name.removeprefix(f"{state.stem}.").removesuffix(state.suffix)
        number, of, count = middle.partition("-of-")
        if path.name.startswith(f"{state.stem}.") and of and number.isdecimal() and count.isdecimal():
            found[path] = Shard(int(number), int(count))
    return dict(sorted(found.items(), key=lambda one: (one[1].of, one[1].number)))


def best_records(state: Path, jobs_file: str) -> dict[str, Record]:
    """What is known of each job, whichever run made it: of all ``states_there`` the best record counts, a film that is
    done before all others, and of two that are done the later one. Raises ``InputError`` if a state cannot be read."""
    best: dict[str, Record] = {}
    for path, shard in states_there(state).items():
        for key, record in load_state(path, jobs_file, shard).records.items():
            if key not in best or _is_better(record, best[key]):
                best[key] = record
    return best


def _is_better(one: Record, other: Record) -> bool:
    if one.state != other.state:
        return STATES.index(one.state) < STATES.index(other.state)
    return one.ended > other.ended


def load_with_others(whole: Path, jobs_file: str, shard: Shard) -> BatchState:
    """The state of a shard of the batch whose state as a whole is ``whole``; films that are done by another shard, or
    by a run of the whole batch, are done for it, too. Raises ``InputError``."""
    state = load_state(shard_file(whole, shard), jobs_file, shard)
    done = {key: one for key, one in best_records(whole, jobs_file).items() if one.state == DONE}
    state.records |= {key: one for key, one in done.items() if shard.holds(key)}
    return state


def summary_file(state: Path) -> Path:
    """Where the summary of a run is written, beside its state."""
    return state.with_name(f"{state.stem}.summary.json")


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Keep other runs out of a batch while the block runs.

    Raises ``OutputError`` if another run works on it, or if the folder of ``state`` cannot be written to. On disks
    without locks, or from another machine, a second run is not always noticed.
    """
    prefix = f".{state.name}.run-"
    try:
        held = create_locked(state.absolute().parent, prefix)
    except OSError as refused:
        what = f"what is done cannot be written there: {cause_of(refused).what}"
        raise OutputError(what, file=state, remedy="Name another place with --state") from refused
    try:
        for other in state.absolute().parent.glob(f"{glob.escape(prefix)}*"):
            if other != held.path and not remove_if_unlocked(other) and is_locked(other):
                remedy = "Wait until it has ended, or stop it; what is done stays done"
                raise OutputError("another run of lipdub works on this batch", file=state, remedy=remedy)
        yield
    finally:
        held.path.unlink(missing_ok=True)
        held.release()
