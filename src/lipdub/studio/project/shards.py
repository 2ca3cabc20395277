"""One film made by the same command on several machines, each a share of it, for plain schedulers.

The folder ``shards/es`` of a project holds what they know of each other: the plan of the film (``prepared_film``),
leases of those that run, and a file of every shard that is done. Shares are divided by the plan alone, so that shards
need not speak to each other; segments have names that change with what they are made from, so that nothing is made
twice and nothing wrong is used.
"""

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lipdub.disk.atomic import remove_at_once, written_beside
from lipdub.disk.json_text import parse_json
from lipdub.disk.shared_lease import SharedLease, holder, lease_names
from lipdub.errors import OutputError
from lipdub.studio.project.prepared_film import PreparedFiles, PreparedFilm
from lipdub.studio.project.project_folder import ProjectFolder, plan_name, told_as_output
from lipdub.studio.shard import Shard
from lipdub.studio.store import key
from lipdub.weights import Say

VERSION = 1
"""Raise when shards of another version cannot be put together with those of this one."""

_ASSEMBLE, _PREPARE, _SHARD = "assemble", "prepare", "shard-"
_LOOK_AGAIN = 1.0  # seconds between two looks at what another machine prepares
_DONE = ".done.json"


@dataclass(frozen=True)
class ShardDone:
    """What a shard made: ``segments`` of the film with ``frames`` in ``seconds``, on which ``machine``; those that were
    there already count. ``preparation`` is the random name of the plan that it was made from."""

    shard: str
    preparation: str
    machine: str
    segments: int
    frames: int
    seconds: float


@dataclass(frozen=True)
class ShardFolder:
    """What the shards of one language of a ``project`` know of each other. ``recipe`` is a digest of all that the film
    is made from; ``source`` is where the source is on this machine."""

    project: ProjectFolder
    language: str
    source: Path
    recipe: str

    @property
    def path(self) -> Path:
        """The folder."""
        return self.project.shards / plan_name(self.language)

    @property
    def files(self) -> PreparedFiles:
        """Where the plan of the film is."""
        return PreparedFiles(self.path, self.project.path, self.source)

    @contextmanager
    def working(self, shard: Shard) -> Iterator[SharedLease]:
        """Be ``shard`` while the block runs. Raises ``OutputError`` if it is being made already, or if something else
        is done with the project."""
        name = f"{_SHARD}{shard.file_name}"
        with told_as_output(self.path):
            lease = SharedLease.take(self.path, name)
        if lease is None:
            other = holder(self.path, name)
            where = f" {other}" if other is not None else ""
            raise OutputError(
                f"shard {shard} is being made already{where}",
                file=self.path,
                remedy="Wait until it has ended; if its machine is gone, it counts as ended three minutes after that",
            )
        with lease:
            self._check_nothing_else(shard)
            yield lease

    def _check_nothing_else(self, shard: Shard) -> None:
        if holder(self.path, _ASSEMBLE) is not None or self.project.is_worked_in:
            raise OutputError("another run of lipdub works in this project", file=self.project.path, remedy=_WAIT)
        other = self._works(lambda each: each.of != shard.of)
        if other is not None:
            raise OutputError(
                f"it is being made in {other.of} shards, and this is one of {shard.of}",
                file=self.path,
                remedy="Wait until they have ended: what they finish is used, whatever the number of shards",
            )
        told = self.files.told
        mine = told is None or told.get("recipe") == self.recipe
        if not mine and self._works(lambda each: each != shard) is not None:
            raise OutputError(
                "other shards make this film from another plan, or with other options",
                file=self.path,
                remedy="Give the same options to all of them, and change the plan when they have ended",
            )

    def _works(self, wanted: Callable[[Shard], bool]) -> Shard | None:
        """One of the ``wanted`` shards that is being made now. Leases of others are not read: there may be a thousand
        shards, which all look here when they begin."""
        for name in lease_names(self.path):
            if name.startswith(_SHARD):
                shard = Shard.parse(name.removeprefix(_SHARD).replace("-of-", "/"))
                if wanted(shard) and holder(self.path, name) is not None:
                    return shard
        return None

    @contextmanager
    def assembling(self) -> Iterator[None]:
        """Keep shards out while the film is put together. Raises ``OutputError`` if some are being made."""
        with told_as_output(self.path):
            lease = SharedLease.take(self.path, _ASSEMBLE)
        if lease is None:
            raise OutputError("another run puts this film together", file=self.path, remedy=_WAIT)
        with lease:
            self.project.check_no_shard_works()
            yield

    def prepared(
        self, read: Callable[[], PreparedFilm | None], make: Callable[[], PreparedFilm], tell: Say
    ) -> PreparedFilm:
        """What ``read`` finds; if there is nothing, what ``make`` makes, on one machine while all others wait for it.
        Waiting is told to ``tell``, once. Raises what both raise, and ``OutputError`` if the disk refuses."""
        told = False
        while True:
            found = read()
            if found is not None:
                return found
            with told_as_output(self.path):
                lease = SharedLease.take(self.path, _PREPARE)
            if lease is not None:
                with lease:
                    made = read() or make()
                    lease.check()
                    return made
            other = holder(self.path, _PREPARE)
            if other is not None and not told:
                told = True
                tell(f"{self.path}: the film is being prepared {other}; waiting for it")
            time.sleep(_LOOK_AGAIN)

    def finish(self, shard: Shard, prepared: PreparedFilm, numbers: Sequence[int], seconds: float) -> ShardDone:
        """Write down that the segments ``numbers`` of a shard are made. Raises ``OutputError``."""
        frames = sum(len(prepared.parts.film.segments.segments[number]) for number in numbers)
        done = ShardDone(str(shard), prepared.token, platform.node(), len(numbers), frames, round(seconds, 3))
        told = {field.name: getattr(done, field.name) for field in fields(done)}
        with told_as_output(self.path), written_beside(self.path / f"{shard.file_name}{_DONE}") as partial:
            partial.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        return done

    def done(self, token: str) -> tuple[ShardDone, ...]:
        """The shards that are done of the preparation ``token``."""
        found = []
        for file in sorted(self.path.glob(f"*{_DONE}")):
            try:
                told: dict[str, Any] = parse_json(file.read_text("utf-8"))
                found.append(ShardDone(**told))
            except (OSError, ValueError, TypeError):
                continue
        return tuple(each for each in found if each.preparation == token)

    def undone(self, token: str) -> tuple[str, ...]:
        """Shards that left no file, though others of as many did; all shards count from the largest number."""
        done = {Shard.parse(each.shard) for each in self.done(token)}
        most = max((shard.of for shard in done), default=0)
        return tuple(f"{number}/{most}" for number in range(1, most + 1) if Shard(number, most) not in done)

    def remove(self) -> None:
        """Remove the folder once the film is put together. Raises ``OutputError``."""
        with told_as_output(self.path):
            remove_at_once(self.path, ".gone-")
        with suppress(OSError):  # another language has shards
            self.path.parent.rmdir()


_WAIT = "Wait until it has ended, or stop it; nothing is lost"


def recipe_of(plan_file: Path, *made_from: object) -> str:
    """A digest of all that a film is made from: the plan in ``plan_file``, and ``made_from``. Raises ``OSError``."""
    return key(VERSION, plan_file.read_text("utf-8"), *made_from)
