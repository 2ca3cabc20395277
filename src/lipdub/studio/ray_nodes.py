"""Whether the nodes of a Ray cluster can work on a film: each is asked before work is given to it.

Ray's own classes are used by value here: on a node without lipdub, Ray could not find a function of this module, and
would say so in words that help nobody.
"""

import inspect
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipdub import __version__
from lipdub.disk.object_store import ObjectStore
from lipdub.errors import LipdubError, MachineError, OutputError, ServiceError, WeightsError

_SECONDS = 180.0  # for one node to answer: it may import everything from a slow disk


@dataclass(frozen=True)
class NodeNeeds:
    """What every node must see and have: the ``folder`` that relative paths begin in, the file ``source``, a folder
    ``shared`` for the files of a run, and what ``setup`` returns, which is called on each node (with a GPU at hand if
    an ``accelerator`` is needed); ``differ`` says how two of them differ ("": they do not). With a ``store``, nodes
    must reach that instead of the folders and the file."""

    folder: Path
    source: Path
    shared: Path
    setup: Callable[[], Mapping[str, str]]
    differ: Callable[[Mapping[str, str], Mapping[str, str]], str]
    accelerator: bool = False
    store: ObjectStore | None = None

    def mark(self) -> tuple[dict[str, Any], Callable[[], object]]:
        """Leave a mark where nodes must see it: what to ask them for, and what removes it."""
        name = f"seen-{secrets.token_hex(8)}"
        if self.store is not None:
            self.store.put_bytes(b"here", f"checks/{name}")
            asked = {"store": self.store.url, "mark": f"checks/{name}"}
            return asked, lambda: None if self.store is None else self.store.remove(f"checks/{name}")
        mark, source = self.shared / name, self.source.absolute()
        mark.write_text("here", "ascii")
        asked = {"store": "", "folder": str(self.folder), "source": str(source), "mark": str(mark)}
        return {**asked, "bytes": source.stat().st_size}, lambda: mark.unlink(missing_ok=True)


def check_nodes(ray: Any, nodes: Sequence[Mapping[str, Any]], needs: NodeNeeds) -> None:
    """Ask all ``nodes`` (as ``ray.nodes`` describes them) at once. Raises ``MachineError``, which names the node and
    what to do, for the first one that cannot work."""
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked_for, remove = needs.mark()
    expected = {"version": __version__, **asked_for}
    here = dict(needs.setup())
    setup = ray.cloudpickle.dumps(needs.setup)
    ask = ray.remote(num_cpus=0, num_gpus=0.001 if needs.accelerator else 0, max_retries=0)(_question())
    try:
        asked = []
        for node in nodes:
            there_only = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answer = ask.options(scheduling_strategy=there_only).remote(expected, setup)
            asked.append((str(node["NodeManagerAddress"]), answer))
        for address, answer in asked:
            try:
                wrong, remedy, there = ray.get(answer, timeout=_SECONDS)
            except GetTimeoutError as late:
                raise MachineError(f"the node {address} of the Ray cluster does not answer") from late
            except RayError as failed:
                what = f"the node {address} of the Ray cluster cannot run anything ({type(failed).__name__})"
                raise MachineError(what, remedy="See the logs of Ray on that node") from failed
            if wrong:
                raise MachineError(f"the node {address} of the Ray cluster cannot work on this: {wrong}", remedy=remedy)
            if differs := needs.differ(there, here):
                raise MachineError(
                    f"the node {address} of the Ray cluster is set up otherwise than this machine: {differs}",
                    remedy="Install the same versions and weights on all nodes",
                )
    finally:
        remove()


def _question() -> Callable[[dict[str, Any], bytes], tuple[str, str, dict[str, str]]]:
    """The function that is run on a node: what is wrong there, what to do about it, and how it is set up."""

    def ask(expected: dict[str, Any], setup: bytes) -> tuple[str, str, dict[str, str]]:
        import os
        import pickle

        share = "Put source, project and cache (LIPDUB_CACHE) on a disk that all nodes see under the same names, "
        share += "or name a store that all reach: --shared-store"
        try:
            import lipdub
        except ImportError as missing:
            what = "lipdub is not installed there" if missing.name == "lipdub" else f"{missing.name} is missing there"
            return what, f"Install lipdub {expected['version']} on all nodes", {}
        if lipdub.__version__ != expected["version"]:
            return (
                f"lipdub {lipdub.__version__} is installed there, and {expected['version']} here",
                "Install the same version on all nodes",
                {},
            )
        try:
            if expected["store"]:
                from lipdub.disk.object_store import see

                see(expected["store"], expected["mark"])
            else:
                for name in ("folder", "mark", "source"):
                    if not os.path.exists(expected[name]):
                        where = os.path.dirname(expected[name]) if name == "mark" else expected[name]
                        return f"it does not see {where}", share, {}
                size = os.path.getsize(expected["source"])
                if size != expected["bytes"]:
                    return f"it sees another file as {expected['source']} ({size} bytes)", share, {}
                os.chdir(expected["folder"])
            return "", "", dict(pickle.loads(setup)())
        except lipdub.errors.LipdubError as refused:
            refused_remedy = getattr(refused, "remedy", "")
            return getattr(refused, "what", str(refused)), refused_remedy, {}
        except Exception as failed:
            return f"{type(failed).__name__}: {failed}", "", {}

    return inspect.unwrap(ask)  # without what tests wrap around functions


def told_of(error: BaseException, node: str) -> BaseException:
    """``error``, which a worker raised, with the name of its ``node`` where that helps."""
    of_machine = MachineError, OutputError, ServiceError, WeightsError
    if isinstance(error, of_machine) and node not in error.what:
        error.what += f" (on {node})"
    elif not isinstance(error, LipdubError):
        error.add_note(f"It was raised by a worker on {node}.")
    return error


def folder_here() -> Path:
    """The folder that relative paths begin in."""
    return Path(os.getcwd())
