"""Sound that waits while a picture stands still."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float32

Block = Float32[np.ndarray, "channels _samples"]

_FADE = 480
"""Samples over which the sound fades out before a pause and in after it (10 ms at 48 kHz)."""

_QUIET = 1 << 15


def with_pauses(blocks: Iterable[Block], pauses: Sequence[tuple[int, int]]) -> Iterator[Block]:
    """The sound of ``blocks`` with silence in ``pauses``: sorted ranges of samples of the result. Nothing is lost."""
    waiting, at, kept = list(pauses), 0, None
    for block in blocks if pauses else ():
        kept = block if kept is None else np.concatenate((kept, block), axis=1)
        while waiting and at + kept.shape[1] > waiting[0][0] + _FADE:
            first, stop = waiting.pop(0)
            before, kept = kept[:, : first - at].copy(), kept[:, first - at :].copy()
            size = min(_FADE, before.shape[1])
            before[:, before.shape[1] - size :] *= np.linspace(1, 0, size, dtype=np.float32)
            kept[:, :_FADE] *= np.linspace(0, 1, min(_FADE, kept.shape[1]), dtype=np.float32)
            yield before
            for quiet in range(first, stop, _QUIET):
                yield np.zeros((len(block), min(_QUIET, stop - quiet)), np.float32)
            at = stop
        ready = max(0, kept.shape[1] - 2 * _FADE)
        yield kept[:, :ready]
        at, kept = at + ready, kept[:, ready:]
    if kept is not None:
        yield kept
    if not pauses:
        yield from blocks
