"""Files for workers on machines that do not see this disk: what is sent to them, and what they made is taken back.

They pass through a store that all machines reach (``--shared-store``). What workers read lies there once, under its
digest (``objects/``), and stays for later runs; what a run makes is below ``runs/`` and removed with it. A path that
passes to a worker is the one of this machine, and leads there into a folder of the worker's own.
"""

import hashlib
import pickle
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipdub import weights
from lipdub.disk.bundle import files_below, read_bundle, write_bundle
from lipdub.disk.identity import Identity, content_digest
from lipdub.disk.object_store import ObjectStore
from lipdub.errors import MachineError, ServiceError
from lipdub.studio.options import DubOptions
from lipdub.studio.values_file import packed_value, unpacked_value

FAR = "far"
"""The name of the root folder of this machine in packed values."""

MARK = "~"
"""What stands in names of objects between the name of a part and what is random or a digest."""

_AT_ONCE = 8  # files that pass at the same time
_LOOK = 1.0  # seconds between two looks at what workers have made
_SHOWN = 20.0  # seconds in which a store shows what was put there


@dataclass(frozen=True, slots=True)
class Reach:
    """The files and folders of this machine that a task ``reads``, and those below which it ``writes``."""

    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as an object, or a folder as an archive: its path here without the root, the digest, the bytes."""

    place: str
    digest: str
    size: int
    folder: bool


@dataclass(frozen=True, eq=False)
class SentFiles:
    """Everything that a task reads."""

    files: tuple[SentFile, ...]


@dataclass(frozen=True, slots=True)
class SentValue:
    """A value that many tasks have, as an object of the run."""

    digest: str


@dataclass(frozen=True)
class FarRun:
    """What a worker needs to know of a run: the ``url`` of the store, the random name of the ``run``, what makes the
    session again (``spec``, packed), and the models that must be there, with their files' digests."""

    url: str
    run: str
    spec: bytes
    models: tuple[str, ...]


def made_folder(run: str) -> str:
    """Where the objects are that workers of a run made."""
    return f"runs/{run}/made"


def begun_folder(run: str) -> str:
    """Where it is counted how often workers began something."""
    return f"runs/{run}/begun"


def value_name(run: str, digest: str) -> str:
    """The object of a value of a run."""
    return f"runs/{run}/values/{digest}"


def place_of(path: Path) -> str:
    """The path of a file of the first machine without its root, with ``/``."""
    whole = path.absolute()
    return whole.relative_to(whole.anchor).as_posix()


@dataclass(eq=False)
class FilesSent:
    """The files of one run on this machine. ``folder`` is for temporary files; paths in ``options`` of models, which
    every machine has itself, pass unchanged."""

    store: ObjectStore
    folder: Path
    options: DubOptions
    models: tuple[str, ...]
    run: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _digests: dict[Path, tuple[Identity, str]] = field(default_factory=dict, init=False)
    _there: set[str] = field(default_factory=set, init=False)
    _lists: dict[tuple[Path, ...], SentFiles] = field(default_factory=dict, init=False)
    _values: dict[int, tuple[Any, SentValue]] = field(default_factory=dict, init=False)
    _writes: set[Path] = field(default_factory=set, init=False)
    _taken: set[str] = field(default_factory=set, init=False)
    _looked: float = field(default=0.0, init=False)

    def begin(self) -> None:
        """Put the models there that workers need. Raises what the store raises, and ``WeightsError``."""
        for name in self.models:
            entry, where = weights.model(name), weights.resolve(name)
            for file in entry.files:
                self._put(f"objects/{file.sha256}", where if len(entry.files) == 1 else where / file.name)

    def about(self, spec: object) -> FarRun:
        """What a worker needs to know."""
        return FarRun(self.store.url, self.run, packed_value(spec, self._placed), self.models)

    def sent(self, reach: Reach) -> SentFiles:
        """Put everything there that a task reads, unless it is there."""
        self._writes.update(path.absolute() for path in reach.writes)
        if reach.reads not in self._lists:
            with ThreadPoolExecutor(_AT_ONCE, "lipdub-send") as threads:
                self._lists[reach.reads] = SentFiles(tuple(threads.map(self._sent, reach.reads)))
        return self._lists[reach.reads]

    def packed(self, value: object) -> bytes | SentValue:
        """A value for a task: a data class becomes an object, once; anything else is sent with the task."""
        if not hasattr(value, "__dataclass_fields__"):
            return packed_value(value, self._placed)
        known = self._values.get(id(value))
        if known is None or known[0] is not value:
            data = packed_value(value, self._placed)
            digest = hashlib.sha256(data).hexdigest()
            with self.store.told():
                self.store.put_bytes(data, value_name(self.run, digest))
            known = self._values[id(value)] = (value, SentValue(digest))
        return known[1]

    def unpacked(self, answer: bytes) -> Any:
        """The result of a task, with paths of this machine. Raises ``MachineError`` for what is none."""
        try:
            return unpacked_value(answer, {FAR: Path(Path.cwd().anchor)})
        except (pickle.UnpicklingError, TypeError, ValueError, KeyError, EOFError, AttributeError) as damage:
            raise MachineError(f"a worker gave an answer that cannot be used ({damage})") from damage

    def submit(
        self,
        give: Callable[..., Future],
        run: tuple[FarRun, SentFiles],
        task: Callable[..., Any],
        values: tuple[Any, ...],
    ) -> Future:
        """Give ``task`` to a worker by ``give``, with its ``run`` and the files that it reads; the result of its future
        has paths of this machine."""
        answered: Future[Any] = Future()
        answered.set_running_or_notify_cancel()

        def answer(done: Future) -> None:
            try:
                answered.set_result(self.unpacked(done.result()))
            except BaseException as failed:
                answered.set_exception(failed)

        give(*run, task, *(self.packed(value) for value in values)).add_done_callback(answer)
        return answered

    def take(self, names: Collection[str] | None = None) -> None:
        """Write what workers handed over to this disk, now and then; or, with ``names``, all that was handed over under
        them. Raises ``ServiceError`` if it is not in the store, and ``OSError``."""
        if names is None and time.monotonic() - self._looked < _LOOK:
            return
        until, missing = time.monotonic() + _SHOWN, set(names or ())
        while True:
            folder = made_folder(self.run)
            for found in self.store.names(folder):
                name, _, digest = found.removeprefix(f"{folder}/").partition(MARK)
                if found not in self._taken:
                    self._take(found, digest)
                missing.discard(name)
            self._looked = time.monotonic()
            if not missing:
                return
            if time.monotonic() > until:
                what = f"the shared store {self.store} does not show what workers put there ({min(missing)})"
                raise ServiceError(what, remedy="Run it again: what is finished is kept")
            time.sleep(_LOOK)

    def forget_begun(self) -> None:
        """Count anew how often something was begun."""
        self.store.remove(begun_folder(self.run))

    def close(self) -> None:
        """Remove what is of this run alone."""
        self.store.remove(f"runs/{self.run}")

    def _take(self, found: str, digest: str) -> None:
        archive = self.folder / f"taken-{secrets.token_hex(4)}"
        try:
            self.store.get_file(found, archive, digest)
            read_bundle(archive, self._own_place)
            self._taken.add(found)
        except FileNotFoundError:
            return  # another worker put it there again meanwhile: it is seen with the next look
        finally:
            archive.unlink(missing_ok=True)

    def _own_place(self, name: str) -> Path:
        """Where a file of a worker goes. Raises ``MachineError`` unless it is where its task may write."""
        path = Path(Path.cwd().anchor) / name
        if not any(path.is_relative_to(folder) for folder in self._writes):
            raise MachineError(f"a worker gave a file that does not belong to its part: {path}")
        return path

    def _sent(self, path: Path) -> SentFile:
        if path.is_dir():
            return self._sent_folder(path)
        identity = Identity.of(path)
        known = self._digests.get(path)
        if known is None or known[0] != identity:
            known = self._digests[path] = (identity, content_digest(path))
        self._put(f"objects/{known[1]}", path)
        return SentFile(place_of(path), known[1], identity.size, False)

    def _sent_folder(self, path: Path) -> SentFile:
        files, counted = files_below(path), _Counted()
        write_bundle(files, counted)
        digest = counted.sha256.hexdigest()
        name = f"objects/{digest}"
        if not self._is_there(name, counted.size):
            archive = self.folder / f"sent-{secrets.token_hex(4)}"
            try:
                with archive.open("wb") as out:
                    write_bundle(files, out)
                self._put(name, archive)
            finally:
                archive.unlink(missing_ok=True)
        return SentFile(place_of(path), digest, counted.size, True)

    def _put(self, name: str, path: Path) -> None:
        if not self._is_there(name, path.stat().st_size):
            with self.store.told():
                self.store.put_file(path, name)
            self._there.add(name)

    def _is_there(self, name: str, size: int) -> bool:
        if name not in self._there and self.store.size(name) == size:
            self._there.add(name)
        return name in self._there

    def _placed(self, path: Path) -> tuple[str, str]:
        if not path.parts or path == self.options.weights:
            return "", str(path) if path.parts else ""
        return FAR, place_of(path)


@dataclass(eq=False)
class _Counted:
    """Takes the bytes of an archive for its digest and its size."""

    sha256: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return len(data)


def reads_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """``paths`` without repeats, in order."""
    return tuple(dict.fromkeys(paths))
