"""A shard: one of several equal shares of the work, for schedulers that start the same command many times.

A share is found by hashing what names a piece of work, so that machines need not speak to each other: which shard
holds a key depends on the key and on the number of shards alone.
"""

import hashlib
import re
from dataclasses import dataclass

from lipdub.errors import OptionError

_FORM = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """Share ``number`` of ``of``; both count from 1."""

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        """Raises ``OptionError`` unless 1 <= ``number`` <= ``of``."""
        if not 1 <= self.number <= self.of:
            remedy = "Write I/N, the first shard is 1 and the last one is N, e.g. 3/8"
            raise OptionError(f"there is no shard {self.number} of {self.of}", remedy=remedy)

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that ``text`` names, e.g. "3/8". Raises ``OptionError``."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise OptionError(f"'{text}' is no shard", remedy="Write I/N, e.g. 3/8 for the third of eight")
        return cls(int(found[1]), int(found[2]))

    def holds(self, key: str) -> bool:
        """Whether the work that is named ``key`` belongs to this shard.

        The first 8 bytes of the key's SHA-256 (UTF-8; halves of surrogate pairs, which stand for bytes of a name that
        is not UTF-8, as they are) as a big-endian number, modulo ``of``: each key belongs to one shard exactly.
        """
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    @property
    def file_name(self) -> str:
        """How the shard is called in names of files, e.g. "3-of-8"."""
        return f"{self.number}-of-{self.of}"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
