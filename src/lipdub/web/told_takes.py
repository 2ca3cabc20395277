"""Takes as their folders tell them, without a look at their other files: read once, and again when they change."""

import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.studio.project.takes import LineTakes, TakeFolder
from lipdub.timeline.take import Take

_FILE = "take.json"
_MOST = 20_000


@dataclass(eq=False)
class ToldTakes:
    """What was read of takes; the last 20,000 are remembered. Safe from several threads."""

    _known: "OrderedDict[str, tuple[tuple[int, int], Take | None]]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lines(self, folder: ProjectFolder, language: str) -> dict[str, tuple[int, ...]]:
        """The numbers of the complete takes, by the name of the line's folder."""
        out: dict[str, tuple[int, ...]] = {}
        with suppress(OSError), os.scandir(folder.takes(language)) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    out[entry.name] = _numbers(entry.path)
        return out

    def used(self, folder: ProjectFolder, language: str, line: str, number: int) -> Take | None:
        """Take ``number`` of a line as it was written down; None if it is not complete. Its files have paths below its
        folder."""
        found = TakeFolder(folder.line(language, line) / str(number), line, number)
        path = str(found.path / _FILE)
        try:
            state = os.stat(path)
        except OSError:
            return None
        stamp = state.st_mtime_ns, state.st_size
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        take = found.told
        with self._lock:
            self._known[path] = stamp, take
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return take

    def all(self, folder: ProjectFolder, language: str, line: str) -> tuple[Take, ...]:
        """All complete takes of a line, by number."""
        found = (self.used(folder, language, line, each.number) for each in LineTakes(folder, language).all(line))
        return tuple(take for take in found if take is not None)


def _numbers(path: str) -> tuple[int, ...]:
    with suppress(OSError), os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.name.isdecimal()]
        return tuple(sorted(int(name) for name in names if os.path.exists(os.path.join(path, name, _FILE))))
    return ()
