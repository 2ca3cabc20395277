"""The one object that goes through all stages of a run: options, folders, progress, inputs, and tools made once.

A worker in another process makes the session again from its ``SessionSpec`` (``reopened``): everything that a stage
needs is made from names and options, and nothing that is open is sent. All stages of a run use the same workers, so
that each loads its models once.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import cv2

from lipdub import weights
from lipdub.disk.lock_file import create_locked
from lipdub.disk.object_store import PAUSES, ObjectStore
from lipdub.disk.publish import Outputs, PendingFile
from lipdub.disk.temporary_folder import shared_folder, temporary_folder
from lipdub.errors import InputError, LipdubError, OutputError
from lipdub.process.blas_threads import one_blas_thread
from lipdub.studio.cache_size import cache_size
from lipdub.studio.fetched_files import FilesFetched, far_setup
from lipdub.studio.inputs import Inputs
from lipdub.studio.options import DubOptions
from lipdub.studio.processes import AskedWorkers, Submit, WorkerPool, available_cores
from lipdub.studio.progress import Clock, Listener, silent
from lipdub.studio.ray_nodes import NodeNeeds, folder_here
from lipdub.studio.ray_workers import RayPool
from lipdub.studio.sent_files import FarRun, FilesSent, Reach, SentFiles, SentValue
from lipdub.studio.store import Store, default_root
from lipdub.studio.tools import Tools
from lipdub.studio.worker_setup import MODELS, difference, setup_here


@dataclass(frozen=True)
class SessionSpec:
    """What makes a session again in another process: the options, the folder of kept work, and the folder of this run's
    own files. All of it can be pickled. ``held`` are the folders of kept work that the run uses: the other process
    holds them, too."""

    options: DubOptions
    store: Path
    scratch: Path
    held: tuple[str, ...] = field(default=(), compare=False)


@dataclass(eq=False)
class Session:
    """One run. ``clock`` tells how far the work is, ``inputs`` are the files that are read, ``tools`` are the models.
    ``fetched`` are the files of the first machine in a worker that does not see its disk.

    Folders are made when they are first asked for, so that a request that is refused leaves nothing behind.
    """

    options: DubOptions
    clock: Clock
    inputs: Inputs
    tools: Tools
    _resources: ExitStack
    _spec: SessionSpec | None = field(default=None)
    _unkept: Path | None = field(default=None)
    fetched: FilesFetched | None = field(default=None)

    @cached_property
    def scratch(self) -> Path:
        """A folder for the files of this run, removed when the session ends: where workers on other machines see it, if
        there are such."""
        if self._spec is not None:
            return self._spec.scratch
        shared = None if self._asked.ray is None else shared_folder(default_root().parent / "runs")
        return self._resources.enter_context(shared or temporary_folder())

    @cached_property
    def store(self) -> Store:
        """Work that is kept for later runs; without ``DubOptions.reuse`` it is kept for this run only."""
        reuse = self.options.reuse
        root = default_root() if reuse else (self._unkept or self.scratch) / "work"
        root = root if self._spec is None else self._spec.store
        store = Store(root, cache_size().bytes, self.inputs, temporary=not reuse)
        self._resources.callback(store.close)
        return store

    @cached_property
    def outputs(self) -> Outputs:
        """The files that appear under their names together, at the end."""
        return self._resources.enter_context(Outputs(self.options.overwrite))

    def pending_film(self, target: Path) -> PendingFile:
        """A place to write the film to that will be delivered as ``target``: beside it, or, in a session that was made
        again in another process, in the folder of the run. Raises ``OutputError`` if it cannot be there."""
        if self._spec is None:
            return self.outputs.part(target)
        return PendingFile(target, create_locked(self._spec.scratch, "film-"))

    @property
    def spec(self) -> SessionSpec:
        """What makes this session again in another process, as long as this one is open."""
        return SessionSpec(self.options, self.store.root, self.scratch, self.store.held)

    @property
    def worker_count(self) -> int:
        """How many processes may work for this session: as many as were asked for, else as there are cores; one if they
        would share a GPU, and in a worker. Of a Ray cluster, which is joined now: its cores, or its GPUs."""
        if self._spec is not None:
            return 1
        if self._asked.ray is not None and isinstance(self._pool, RayPool):
            with self.clock.stage("start Ray"):
                return self._pool.room
        if self._asked.count:
            return self._asked.count
        return 1 if self.tools.engine.limits.accelerator else available_cores()

    @contextmanager
    def workers(self, most: int, remedy: str, file: Path) -> Iterator[Submit]:
        """Worker processes: ``submit(task, reach, *values)`` calls ``task(session, *values)`` in one of them. At most
        ``most`` are started if there are none yet; they live until the session ends. ``reach()`` tells which files the
        task reads and where it writes; it is asked if workers do not see this disk. What they write there is handed
        over (``hand_over``) and taken (``take``).

        If the block fails, all workers are ended before the error goes on. Raises ``MachineError`` about ``file``, with
        ``remedy`` as what to do, if the system ended one.
        """
        spec, sent = self.spec, self.sent
        about = None if sent is None else sent.about(spec)
        with self._pool.tasks(min(most, self.worker_count), remedy, file) as submit:

            def give(task: Callable[..., object], reach: Callable[[], Reach], *values: object) -> Future:
                if sent is None or about is None:
                    return submit(_in_worker, spec, task, *values)
                return sent.submit(partial(submit, _in_far_worker), (about, sent.sent(reach())), task, values)

            yield give

    @cached_property
    def sent(self) -> FilesSent | None:
        """The files that pass to and from workers that do not see this disk; None if they do. The store is looked at
        now: raises what ``ObjectStore.check`` raises, and ``WeightsError``."""
        if self._spec is not None or not self.options.shared_store:
            return None
        ObjectStore(self.options.shared_store, PAUSES[:3]).check()
        models = (*MODELS, *(["face-identity"] if self.tools.identifier.folder is not None else []))
        sent = FilesSent(ObjectStore(self.options.shared_store), self.scratch, self.options, models)
        self._resources.callback(sent.close)
        with self.clock.stage("shared store"):
            sent.begin()
        return sent

    def take(self, names: Collection[str] | None = None) -> None:
        """Write to this disk what workers handed over that do not see it, now and then; or, with ``names``, all that
        was handed over under them. Raises what ``FilesSent.take`` raises."""
        if self.sent is not None:
            self.sent.take(names)

    def hand_over(self, name: str, files: Sequence[Path]) -> None:
        """Give finished ``files`` to the first machine, under ``name``, if it does not see this disk; they appear there
        in this order."""
        if self.fetched is not None:
            self.fetched.hand_over(name, files)

    @cached_property
    def _asked(self) -> AskedWorkers:
        return AskedWorkers.parse(self.options.workers)

    @cached_property
    def _pool(self) -> WorkerPool | RayPool:
        shared = self.spec.scratch  # the folders are removed after the workers have ended
        if self._asked.ray is None:
            return self._resources.enter_context(WorkerPool())
        accelerator, sent = self.tools.engine.limits.accelerator, self.sent
        setup = partial(setup_here, self.options)
        if sent is not None:
            setup = partial(far_setup, self.options, (self.options.shared_store, sent.models))

        def needs(file: Path) -> NodeNeeds:
            store = None if sent is None else sent.store
            return NodeNeeds(folder_here(), file, shared, setup, difference, accelerator, store)

        return self._resources.enter_context(RayPool(self._asked.ray, accelerator, needs, self.store.tell))


@contextmanager
def open_session(
    options: DubOptions = DubOptions(),
    listener: Listener = silent,
    ask_download: weights.AskDownload | None = None,
    tools: Tools | None = None,
    unkept: Path | None = None,
) -> Iterator[Session]:
    """A session with new folders. ``ask_download`` is asked before a model is downloaded (None: small models are
    fetched unasked, large ones not at all); ``tools`` are taken instead of new ones. Work that is not kept for later
    runs lies in the folder ``unkept``, which several sessions may share (None: in the session's own)."""
    with ExitStack() as resources:
        resources.enter_context(_one_thread_each())
        session = Session(
            options, Clock(listener), Inputs(), tools or Tools(options, ask_download), resources, _unkept=unkept
        )
        with _removed_work_told(session):
            yield session


@contextmanager
def reopened(spec: SessionSpec, fetched: FilesFetched | None = None) -> Iterator[Session]:
    """The session of ``spec`` in this process: the same options and folders, tools of its own. Nothing is downloaded
    beyond small models. The folders stay when it ends, and while it is open, whatever becomes of the first process.
    ``fetched`` are the files of the first machine, if this one does not see its disk."""
    with ExitStack() as resources:
        resources.enter_context(_one_thread_each())
        tools = Tools(spec.options, None)
        session = Session(spec.options, Clock(), Inputs(), tools, resources, spec, fetched=fetched)
        session.store.hold(spec.held)
        yield session


@dataclass
class _Opened:
    """The session of a worker, kept for its next task."""

    spec: SessionSpec | None = None
    session: Session | None = None


_OPENED = _Opened()


def _in_worker(spec: SessionSpec, task: Callable[..., object], *values: object) -> object:
    """Do ``task`` in this process; models stay loaded for the next task with the same options."""
    if _OPENED.session is None or _OPENED.spec != spec:
        _OPENED.session, _OPENED.spec = reopened(spec).__enter__(), spec
    _OPENED.session.store.hold(spec.held)
    return task(_OPENED.session, *values)


@dataclass
class _OpenedFar:
    """The session of a worker that does not see the first machine's disk, kept for its next task."""

    about: FarRun | None = None
    session: Session | None = None
    resources: ExitStack = field(default_factory=ExitStack)


_OPENED_FAR = _OpenedFar()


def _in_far_worker(about: FarRun, reads: SentFiles, task: Callable[..., object], *values: bytes | SentValue) -> bytes:
    """Do ``task`` in this process, on copies of the files that it reads; returns its packed result."""
    opened = _OPENED_FAR
    if opened.session is None or opened.about != about:
        opened.resources.close()
        opened.session = None
        fetched = FilesFetched.open(about)
        opened.resources.callback(fetched.close)
        opened.session = opened.resources.enter_context(reopened(fetched.value(about.spec), fetched))
        opened.about = about
    fetched = opened.session.fetched
    assert fetched is not None
    try:
        fetched.fetch(reads)
        return fetched.packed(task(opened.session, *(fetched.value(value) for value in values)))
    except LipdubError as error:
        raise fetched.own_names(error) from None


@contextmanager
def _removed_work_told(session: Session) -> Iterator[None]:
    """Errors about kept work that somebody removed during the run as an ``OutputError`` that says so."""
    try:
        yield
    except (OSError, InputError, OutputError) as error:
        named = error.filename if isinstance(error, OSError) else error.file
        root = session.store.root if "store" in session.__dict__ else None
        if root is None or named is None or not isinstance(named, str | Path):
            raise
        if not Path(named).is_relative_to(root) or os.path.lexists(named):
            raise
        raise OutputError(
            "working files were removed while this run used them",
            file=root,
            remedy="Run it again: they are made anew, and all else is kept",
        ) from error


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """OpenCV and the numerical library work in the thread that calls them: decoding, drawing and encoding already keep
    every core busy."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with one_blas_thread():
            yield
    finally:
        cv2.setNumThreads(before)
