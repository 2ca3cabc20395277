"""The pictures of many mouths in one file, lossless.

Each picture is a record of its own, so that it can be read at random: the planes green, red minus green and blue minus
green; of each sample the difference to left + upper - upper left neighbour; packed by zlib with run lengths and Huffman
codes only (RFC 1951, strategy Z_RLE). A record takes about a fifth of the bytes of the pixels.
"""

import os
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from lipdub.errors import InputError
from lipdub.timeline.picture import Rgb


class CropPlace(NamedTuple):
    """Where a picture lies in its file: ``offset`` and ``size`` in bytes."""

    offset: int
    size: int


class CropFile:
    """A file of pictures that grows. It is open only while it is read or written."""

    def __init__(self, path: Path) -> None:
        """The file ``path``, which need not exist."""
        self.path = path
        self._end = path.stat().st_size if path.exists() else 0

    def __len__(self) -> int:
        """The size of the file in bytes."""
        return self._end

    def append(self, picture: Rgb) -> CropPlace:
        """Add a picture. Raises ``OSError``."""
        record = pack_picture(picture)
        with self.path.open("ab") as file:
            file.write(record)
        place = CropPlace(self._end, len(record))
        self._end += len(record)
        return place

    def keep_only(self, places: Iterable[CropPlace]) -> list[CropPlace]:
        """Remove all pictures but those at ``places``; returns where they lie now, in the same order.

        The new file replaces the old one at once. Raises ``OSError``.
        """
        partial = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        now, end = [], 0
        try:
            with self.path.open("rb") as old, partial.open("wb") as new:
                for offset, size in places:
                    old.seek(offset)
                    new.write(old.read(size))
                    now.append(CropPlace(end, size))
                    end += size
            os.replace(partial, self.path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        self._end = end
        return now


class CropReader:
    """Reads pictures of several files; the last ``memory`` of them stay in memory."""

    def __init__(self, memory: int = 24) -> None:
        """Without a picture yet."""
        self._memory = memory
        self._recent: OrderedDict[tuple[Path, int], Rgb] = OrderedDict()

    def read(self, path: Path, place: CropPlace, size: tuple[int, int]) -> Rgb:
        """The picture at ``place`` of the file ``path``; ``size`` is its (width, height).

        Raises ``InputError`` if the file is missing or damaged.
        """
        key = (path, place.offset)
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                picture = unpack_picture(file.read(place.size), size)
        except (OSError, ValueError, zlib.error) as broken:
            raise InputError(
                f"this study is damaged ({broken})", file=path, remedy="Remove its folder: it is made again"
            ) from broken
        self._recent[key] = picture
        if len(self._recent) > self._memory:
            self._recent.popitem(last=False)
        return picture


def pack_picture(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The record of a picture."""
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    green = picture[..., 1]
    planes[0] = green
    np.subtract(picture[..., 0], green, out=planes[1])
    np.subtract(picture[..., 2], green, out=planes[2])
    across = planes.copy()
    across[:, :, 1:] -= planes[:, :, :-1]
    down = across.copy()
    down[:, 1:] -= across[:, :-1]
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return packer.compress(down.tobytes()) + packer.flush()


def unpack_picture(record: bytes, size: tuple[int, int]) -> Rgb:
    """The picture (height, width, 3) of a record; ``size`` is its (width, height). Raises ``zlib.error`` or
    ``ValueError`` for a record that is damaged or of another size."""
    width, height = size
    down = np.frombuffer(zlib.decompress(record), np.uint8).reshape(3, height, width)
    planes = np.cumsum(np.cumsum(down, 1, dtype=np.uint8), 2, dtype=np.uint8)
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 1] = planes[0]
    np.add(planes[1], planes[0], out=picture[..., 0])
    np.add(planes[2], planes[0], out=picture[..., 2])
    return picture
