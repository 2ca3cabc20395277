"""Plans and marks that were read stay in memory until their files change."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.studio.project.edits import Reviewed
from lipdub.studio.project.open_project import OpenProject

_MOST = 64
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(eq=False)
class KeptPlans:
    """The last 64 languages that were read. Safe from several threads; files that other processes replace are read
    anew."""

    _known: "OrderedDict[tuple[Path, str], tuple[_Stamp, Reviewed]]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reviewed(self, project: OpenProject, language: str) -> Reviewed:
        """As ``OpenProject.reviewed``."""
        folder = project.folder
        name = folder.path, language
        stamp = _stamps(folder.manifest, folder.plan(language), folder.marks(language))
        with self._lock:
            known = self._known.get(name)
            if known is not None and known[0] == stamp:
                self._known.move_to_end(name)
                return known[1]
        found = project.reviewed(language)
        with self._lock:
            self._known[name] = stamp, found
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found


def _stamps(*files: Path) -> _Stamp:
    """What changes when a file is replaced: time, size and number of each; zeros if it is not there. It is taken before
    the file is read: what is read may be newer, and then the next look finds another stamp."""
    out = []
    for file in files:
        try:
            state = file.stat()
            out.append((state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError:
            out.append((0, 0, 0))
    return tuple(out)
