"""The finished studies that were opened last, and the pools of persons, so that calls for single cues cost little."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lipdub.engines.exemplar.person_pool import PersonPool, find_pool, pool_key, pool_library
from lipdub.engines.exemplar.stored_study import StoredStudy, load_study

_Value = TypeVar("_Value")


class OpenedStudies:
    """Studies, pools and pooled studies by folder; of each kind the last few stay in memory."""

    def __init__(self, studies: int = 4, pools: int = 2) -> None:
        """At most so many ``studies`` and ``pools``."""
        self._studies: OrderedDict[str, StoredStudy] = OrderedDict()
        self._pooled: OrderedDict[str, StoredStudy] = OrderedDict()
        self._pools: OrderedDict[str, PersonPool] = OrderedDict()
        self._most = studies, pools

    def open(self, folder: Path, same_person: Sequence[Path], most: int) -> StoredStudy:
        """The study in ``folder``. Its library holds about ``most`` mouths of ``same_person``, too.

        Raises ``InputError`` if a study is missing or damaged.
        """
        key = f"{folder} {pool_key([folder], most)}"
        own = _recent(self._studies, key, lambda: load_study(folder), self._most[0])
        folders = sorted({folder, *same_person})
        if len(folders) == 1:
            return own
        of_person = f"{folders[0].parent} {pool_key(folders, most)}"
        pool = _recent(self._pools, of_person, lambda: find_pool(folders, most), self._most[1])
        return _recent(self._pooled, f"{key} {of_person}", lambda: pool_library(own, folder, pool), self._most[1])


def _recent(kept: OrderedDict[str, _Value], key: str, make: Callable[[], _Value], most: int) -> _Value:
    """What is kept under ``key``, or what ``make`` returns; at most ``most`` values are kept."""
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
    return kept[key]
