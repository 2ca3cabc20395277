"""Workers on the nodes of a Ray cluster: the same tasks as those of ``processes``, and the same results.

Each worker is an actor with one core, or one GPU, which keeps its models. Ray restarts and retries nothing: a task of a
worker that was lost is given to another one here, and what it had finished is found on the shared disk. Ray would retry
what ended an actor on the restarted actor, and after its last restart fail every later task. How often a part is begun
is counted where it is made (``workers/attempts.py``).
"""

import inspect
import os
import pickle
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from lipdub.errors import MachineError, MissingExtra
from lipdub.studio.processes import Submit, available_cores
from lipdub.studio.ray_nodes import NodeNeeds, check_nodes, told_of
from lipdub.weights import Say, log

_ANSWERS = 10.0  # seconds for the head of a cluster to accept a connection; Ray itself waits for two minutes
_WITHOUT = 120.0  # seconds without any worker, after which a run ends
_LOOK = 0.1  # seconds between two looks at what is done
_STORE_BYTES = 256 * 2**20  # for values of a cluster on this machine alone; pixels never pass
_MOST = 10  # workers in a row that one task may lose, or that cannot begin


@dataclass(eq=False)
class _Task:
    """A call that is to be made, and the future that takes its result."""

    function: Callable[..., object]
    values: tuple[Any, ...]
    future: "Future[Any]"
    lost: int = 0


@dataclass(eq=False)
class _Worker:
    """An actor, its first answer (``ready``: the name of its node), and the task that it does, with its answer."""

    actor: Any
    ready: Any
    node: str = ""
    task: _Task | None = None
    answer: Any = None


@dataclass(eq=False)
class RayPool:
    """Workers on the cluster at ``address`` ("": that of RAY_ADDRESS, or one of this machine alone for this run).

    ``accelerator``: each needs a GPU. ``say`` takes a line about each node that is lost.
    """

    address: str
    accelerator: bool
    needs: Callable[[Path], NodeNeeds]
    say: Say = log
    _ray: Any = field(default=None, init=False, repr=False)
    _own: bool = field(default=False, init=False, repr=False)
    _checked: set[str] = field(default_factory=set, init=False, repr=False)
    _failed_starts: int = field(default=0, init=False, repr=False)
    _workers: list[_Worker] = field(default_factory=list, init=False, repr=False)
    _waiting: "deque[_Task]" = field(default_factory=deque, init=False, repr=False)
    _kept: dict[int, tuple[Any, Any]] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _folder: str = field(default="", init=False, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close(at_once=error is not None)

    @property
    def room(self) -> int:
        """How many workers the cluster has room for; it is joined, or started, if it was not. Raises ``MissingExtra``
        and ``MachineError``."""
        resource = self._resource
        room = sum(int(node["Resources"].get(resource, 0)) for node in self._nodes())
        if room == 0:
            raise MachineError(
                f"the Ray cluster has no {resource}",
                remedy="Give its nodes some: ray start --num-cpus=N"
                if resource == "CPU"
                else "Add nodes with a GPU, or use another engine",
            )
        return room

    @contextmanager
    def tasks(self, most: int, remedy: str = "", file: Path | None = None) -> Iterator[Submit]:
        """A function that gives tasks to at most ``most`` workers. If the block fails, all workers are ended before the
        error goes on. Raises ``MachineError`` about ``file`` if no worker is left, or a node cannot work."""
        del remedy
        assert file is not None, "the nodes are asked whether they see it"
        self._begin(min(most, self.room), file)
        try:
            yield self._submit
        except BaseException:
            self._end_workers()
            raise

    def close(self, *, at_once: bool = False) -> None:
        """End the workers and leave the cluster."""
        del at_once
        self._end_workers()
        if self._own and self._ray is not None:
            self._ray.shutdown()
        self._ray, self._own = None, False

    @property
    def _resource(self) -> str:
        return "GPU" if self.accelerator else "CPU"

    def _nodes(self) -> list[dict[str, Any]]:
        """The living nodes that have what a worker needs."""
        if self._ray is None:
            self._ray, self._own = _joined(self.address)
        return [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get(self._resource)]

    def _begin(self, most: int, file: Path) -> None:
        """Ask nodes that were not asked before, and start workers until there are ``most``."""
        new = [node for node in self._nodes() if node["NodeID"] not in self._checked]
        needs = self.needs(file)
        if new:
            check_nodes(self._ray, new, needs)
            self._checked.update(node["NodeID"] for node in new)
        self._folder = "" if needs.store is not None else str(needs.folder)
        with self._lock:
            while len(self._workers) < most:
                self._workers.append(self._started())
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._work, name="lipdub-ray", daemon=True)
            self._thread.start()

    def _started(self) -> _Worker:
        room = {"num_gpus": 1, "num_cpus": 0} if self.accelerator else {"num_cpus": 1}
        actor = self._ray.remote(max_restarts=0, max_task_retries=0, **room)(_actor()).remote(self._folder)
        return _Worker(actor, actor.node.remote())

    def _submit(self, function: Callable[..., object], *values: Any) -> "Future[Any]":
        task = _Task(function, values, Future())
        task.future.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.append(task)
        return task.future

    def _work(self) -> None:
        """Give tasks to idle workers and take their results, until the pool is closed."""
        alone_since = time.monotonic()
        while not self._ended.is_set():
            try:
                with self._lock:
                    workers = list(self._workers)
                answers = [worker.answer if worker.node else worker.ready for worker in workers]
                done = self._done([answer for answer in answers if answer is not None])
                for worker, answer in zip(workers, answers, strict=True):
                    self._look_at(worker, answer in done)
                if any(worker.node for worker in workers):
                    alone_since = time.monotonic()
                elif time.monotonic() - alone_since > _WITHOUT:
                    self._fail(MachineError("the Ray cluster gave no room for a worker", remedy=_NO_ROOM))
            except Exception as error:
                self._fail(error)
                return
            self._ended.wait(_LOOK)

    def _done(self, answers: Sequence[Any]) -> set[Any]:
        """Those of ``answers`` that are there, found by one question: there may be a thousand workers."""
        return set(self._ray.wait(list(answers), num_returns=len(answers), timeout=0)[0]) if answers else set()

    def _look_at(self, worker: _Worker, done: bool) -> None:
        """Take the answer of a worker if it is ``done``, and give it something to do if it is idle."""
        from ray.exceptions import RayError, RayTaskError

        try:
            if done and not worker.node:
                worker.node = self._ray.get(worker.ready)
            elif done and worker.task is not None:
                made, result = self._ray.get(worker.answer)
                task, worker.task, worker.answer = worker.task, None, None
                if made:
                    task.future.set_result(result)
                else:
                    task.future.set_exception(told_of(pickle.loads(result), f"node {worker.node}"))
        except RayTaskError as failed:
            told = " ".join(str(failed.cause).split())[:300].rstrip(".")
            what = f"a worker on node {worker.node or '(none yet)'} cannot do its part: {told}"
            raise MachineError(what, remedy="Check that lipdub is installed on all nodes") from failed
        except RayError as lost:
            self._replace(worker, lost)
            return
        if worker.node and worker.task is None:
            self._give(worker)

    def _give(self, worker: _Worker) -> None:
        with self._lock:
            task = self._waiting.popleft() if self._waiting else None
        if task is not None:
            worker.task = task
            values = [self._sent(value) for value in task.values]
            worker.answer = worker.actor.do.remote(task.function, *values)

    def _sent(self, value: Any) -> Any:
        """A large value, which many tasks have, is put into Ray's store once."""
        if not hasattr(value, "__dataclass_fields__"):
            return value
        known = self._kept.get(id(value))
        if known is None or known[0] is not value:
            known = self._kept[id(value)] = (value, self._ray.put(value))
        return known[1]

    def _replace(self, worker: _Worker, lost: BaseException) -> None:
        """Give the task of a worker that is gone to another one, and start one in its place."""
        task = worker.task
        self._failed_starts = 0 if worker.node else self._failed_starts + 1
        if task is not None:
            task.lost += 1
        if self._failed_starts > _MOST or (task is not None and task.lost > _MOST):
            what = f"workers end again and again, {_MOST} of them with the same part of the work"
            raise MachineError(what, remedy="See the logs of Ray; most likely memory ran out") from lost
        if worker.node:
            what = "what it was making is made by another one" if task is not None else "it had nothing to do"
            self.say(f"a worker on node {worker.node} was lost ({type(lost).__name__}); {what}")
        with suppress(Exception):
            self._ray.kill(worker.actor)
        with self._lock:
            self._workers.remove(worker)
            if task is not None:
                self._waiting.appendleft(task)
            if not self._ended.is_set():
                self._workers.append(self._started())

    def _fail(self, error: BaseException) -> None:
        """Nothing that was given will be done: raise ``error`` where it is waited for."""
        with self._lock:
            tasks = [*self._waiting, *(worker.task for worker in self._workers if worker.task is not None)]
            self._waiting.clear()
        for task in tasks:
            if not task.future.done():
                task.future.set_exception(error)

    def _end_workers(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        workers, self._workers = self._workers, []
        self._waiting.clear()
        self._kept.clear()
        for worker in workers:
            with suppress(Exception):
                self._ray.kill(worker.actor)


_NO_ROOM = "See which nodes live: ray status. Other programs may have taken all cores"


def _joined(address: str) -> tuple[Any, bool]:
    """Ray, connected to a cluster, and whether this is to be undone. Raises ``MissingExtra`` and ``MachineError``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with MissingExtra.guard("ray", "--workers ray"):
        import ray
    if ray.is_initialized():
        return ray, False
    address = address or os.environ.get("RAY_ADDRESS", "")
    _check_address(address)
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False, "configure_logging": False}
    if not address:
        os.environ.setdefault("RAY_worker_niceness", "0")  # as other workers here; Ray's own is 15
        own = {"num_cpus": available_cores(), "include_dashboard": False, "object_store_memory": _STORE_BYTES}
        quiet = {**quiet, **own}
    try:
        ray.init(address or "local", **quiet)
        _silence(ray)
    except (ConnectionError, RuntimeError, ValueError, OSError, SystemExit) as refused:
        told = " ".join(str(refused).split())[:300].rstrip(".")
        what = f"the Ray cluster at {address} cannot be joined" if address else "Ray cannot be started"
        raise MachineError(
            f"{what}: {told}", remedy="ray status tells whether it runs, and which versions"
        ) from refused
    return ray, True


def _silence(ray: Any) -> None:
    """Ray prints pages of its own log on stdout when a node is lost, whatever is asked of it, and the report may be
    written there (--json). What matters of it is told by ``_replace``."""
    with suppress(AttributeError):
        ray._private.worker.print_to_stdstream = lambda *_, **__: None


def _check_address(address: str) -> None:
    """Raise ``MachineError`` unless something answers at ``address`` (HOST:PORT); names as "auto" are left to Ray."""
    if address.startswith(("ray://", "//")):
        raise MachineError(
            "lipdub works on a machine of the cluster, not through the Ray Client (ray://)",
            remedy="Run it on one of its nodes, or submit it there: --workers ray:HOST:6379",
        )
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        with socket.create_connection((host, int(port)), timeout=_ANSWERS):
            return
    except (OSError, OverflowError) as refused:
        raise MachineError(
            f"no Ray cluster answers at {address}",
            remedy="Start one there (ray start --head), or leave the address out to start one on this machine",
        ) from refused


def _actor() -> type:
    """The class of a worker, which Ray sends by value."""

    def begin(self: object, folder: str) -> None:
        if folder:  # else this machine does not see it
            os.chdir(folder)

    def node(self: object) -> str:
        """The address of the node on which it runs."""
        import ray

        return ray.util.get_node_ip_address()

    def do(self: object, function: Callable[..., object], *values: Any) -> tuple[bool, Any]:
        """Whether ``function`` succeeded, and its result or its error."""
        try:
            return True, function(*values)
        except Exception as error:
            try:
                return False, pickle.dumps(error)
            except Exception:  # an error may hold anything
                return False, pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))

    methods = {"__init__": begin, "node": node, "do": do}
    return type("LipdubWorker", (), {name: inspect.unwrap(method) for name, method in methods.items()})
