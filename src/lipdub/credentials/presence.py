"""Whether a film bears content credentials, found out without the library that reads them."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from lipdub.credentials.sign import EMBEDDED, sidecar_name

_C2PA = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
"""The type of the box that holds them in mp4 and mov (C2PA specification, on ISO base media files)."""

_MOST = 4096
"""Boxes that are looked at: a file in fragments may have one for each second."""


def bears_credentials(film: Path) -> bool:
    """Whether ``film`` bears content credentials: in it (mp4, mov), or beside it. Whether they are in order is not
    looked at. False for a file that cannot be read."""
    try:
        if film.suffix.lower() not in EMBEDDED:
            return sidecar_name(film).is_file()
        return any(kind == b"uuid" and extended == _C2PA for kind, extended in _boxes(film))
    except OSError:
        return False


def _boxes(film: Path) -> Iterator[tuple[bytes, bytes]]:
    """Type and extended type of the outermost boxes (ISO/IEC 14496-12, 4.2). Raises ``OSError``."""
    at, end = 0, film.stat().st_size
    with film.open("rb") as file:
        for _ in range(_MOST):
            file.seek(at)
            head = file.read(32)
            if len(head) < 8:
                return
            size, kind, begins = int.from_bytes(head[:4], "big"), head[4:8], 8
            if size == 1:
                size, begins = int.from_bytes(head[8:16], "big"), 16
            yield kind, head[begins : begins + 16]
            if size < begins or at + size >= end:  # 0: until the end of the file; anything else is damage
                return
            at += size
