"""Files of the machine that gives work, in a worker that does not see its disk: ``sent_files`` is the other side.

What a worker reads is kept in this machine's own folder of kept work, one entry for each object, under the limit of the
cache; links lead there from a folder that looks like the other machine's disk. What it makes there is put into the
store as soon as it is finished, and removed here.
"""

import pickle
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipdub import weights
from lipdub.disk.bundle import files_below, read_bundle, write_bundle
from lipdub.disk.identity import content_digest
from lipdub.disk.lock_file import exclusive
from lipdub.disk.object_store import ObjectStore
from lipdub.disk.temporary_folder import shared_folder
from lipdub.errors import LipdubError, MachineError
from lipdub.studio.cache_size import cache_size
from lipdub.studio.options import DubOptions
from lipdub.studio.sent_files import (
    FAR,
    MARK,
    FarRun,
    SentFile,
    SentFiles,
    SentValue,
    begun_folder,
    made_folder,
    value_name,
)
from lipdub.studio.store import Store, default_root
from lipdub.studio.values_file import packed_value, unpacked_value
from lipdub.studio.worker_setup import setup_here

_AT_ONCE = 8  # files that pass at the same time
_PATIENCE = 3600.0  # seconds to wait while another worker of this machine fetches


@dataclass(eq=False)
class FilesFetched:
    """The files of one run in one worker process. ``root`` looks like the root folder of the other machine."""

    about: FarRun
    store: ObjectStore
    root: Path
    kept: Store
    _resources: ExitStack
    _values: dict[str, Any] = field(default_factory=dict, init=False)

    @classmethod
    def open(cls, about: FarRun) -> "FilesFetched":
        """For one run. Raises ``OutputError`` if no folder can be made here."""
        resources, work = ExitStack(), default_root()
        root = resources.enter_context(shared_folder(work.parent / "runs"))
        kept = Store(work, cache_size().bytes)
        resources.callback(kept.close)
        return cls(about, ObjectStore(about.url), root, kept, resources)

    def close(self) -> None:
        """Remove what is of this run alone."""
        self._resources.close()

    def fetch(self, sent: SentFiles) -> None:
        """See to it that everything that a task reads is here. Workers of one machine fetch one after the other."""
        new = [file for file in sent.files if not (self.root / file.place).exists()]
        if not new:
            return
        self.kept.root.mkdir(parents=True, exist_ok=True)
        with (
            exclusive(self.kept.root.parent / ".fetching", _PATIENCE),
            ThreadPoolExecutor(_AT_ONCE, "lipdub-fetch") as threads,
        ):
            list(threads.map(self._fetch, new))

    def value(self, packed: bytes | SentValue) -> Any:
        """A value that was given to this worker, with paths of this machine."""
        if isinstance(packed, bytes):
            return unpacked_value(packed, {FAR: self.root})
        if packed.digest not in self._values:
            with self.store.told():
                data = self.store.get_bytes(value_name(self.about.run, packed.digest), packed.digest)
            while len(self._values) > 1:
                self._values.pop(next(iter(self._values)))
            try:
                self._values[packed.digest] = unpacked_value(data, {FAR: self.root})
            except pickle.UnpicklingError as refused:
                raise MachineError(f"the work cannot be read here: {refused}") from refused
        return self._values[packed.digest]

    def packed(self, answer: object) -> bytes:
        """The result of a task, with paths of the other machine."""
        return packed_value(answer, self._placed)

    def hand_over(self, name: str, files: Sequence[Path]) -> None:
        """Give ``files``, those below folders among them, to the other machine under ``name``, all at once; the other
        machine writes them in this order. They are removed here."""
        every: dict[str, Path] = {}
        for path in files:
            found = files_below(path).values() if path.is_dir() else [path]
            every |= {file.relative_to(self.root).as_posix(): file for file in found}
        archive = self.root / f".handed-{secrets.token_hex(4)}"
        with archive.open("wb") as out:
            write_bundle(every, out)
        with self.store.told():
            self.store.put_file(archive, f"{made_folder(self.about.run)}/{name}{MARK}{content_digest(archive)}")
        archive.unlink()
        for path in files:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def handed_over(self) -> set[str]:
        """The names under which workers handed over something."""
        folder = made_folder(self.about.run)
        return {found.removeprefix(f"{folder}/").partition(MARK)[0] for found in self.store.names(folder)}

    def begin(self, name: str) -> int:
        """Count that ``name`` is begun; returns how often it was begun before and not ended."""
        with self.store.told():
            before = len(self._begun(name))
            self.store.put_bytes(b".", f"{begun_folder(self.about.run)}/{name}{MARK}{secrets.token_hex(8)}")
        return before

    def end(self, name: str) -> None:
        """Count that ``name`` is ended."""
        for found in self._begun(name):
            self.store.remove(found)

    def _begun(self, name: str) -> list[str]:
        folder = begun_folder(self.about.run)
        return [found for found in self.store.names(folder) if found.startswith(f"{folder}/{name}{MARK}")]

    def own_names(self, error: LipdubError) -> LipdubError:
        """``error`` with the name that its file has on the other machine."""
        if error.file is not None and Path(error.file).is_relative_to(self.root):
            error.file = Path("/") / Path(error.file).relative_to(self.root)
        return error

    def _fetch(self, file: SentFile) -> None:
        def make(folder: Path) -> None:
            target = folder / "bytes"
            with self.store.told():
                self.store.get_file(f"objects/{file.digest}", target, file.digest)
            if file.folder:
                (folder / "files").mkdir()
                read_bundle(target, lambda name: folder / "files" / name)
                target.unlink()

        entry = self.kept.folder(f"object-{file.digest[:32]}-{'files' if file.folder else 'bytes'}", make, grows=True)
        place = self.root / file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            place.symlink_to(entry / ("files" if file.folder else "bytes"), target_is_directory=file.folder)

    def _placed(self, path: Path) -> tuple[str, str]:
        whole = path.absolute()
        if not path.parts or not whole.is_relative_to(self.root):
            return "", str(path) if path.parts else ""
        return FAR, whole.relative_to(self.root).as_posix()


def far_setup(options: DubOptions, about: tuple[str, tuple[str, ...]]) -> Mapping[str, str]:
    """How this machine is set up (``setup_here``), after the models that it lacks were fetched from the store at the
    URL ``about[0]``: their names are ``about[1]``. Raises what that raises, and what the store raises."""
    url, names = about
    store = ObjectStore(url)
    for name in names:
        if weights.present(name) is None:
            with store.told():
                weights.install(name, _model_file(store))
    return setup_here(options)


def _model_file(store: ObjectStore) -> Callable[[str, Path], None]:
    def get(digest: str, path: Path) -> None:
        store.get_file(f"objects/{digest}", path, digest)

    return get
