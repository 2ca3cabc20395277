"""How loud the sound under speech is, and whether it is worth keeping."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from lipdub.media.sound_blocks import Block
from lipdub.timeline.time import Span

_STEP = 50  # frames per second

_LOWEST, _HIGHEST = -160, 20  # dB of full scale of a frame, in the counts of levels

_WORTH, _WORTH_MEDIAN = -22.0, -35.0
"""dB of the bed below the speech, and of the median of its frames, from which on it is kept. Enhancement leaves speech
in the bed that is about 25 dB lower than the speech was: a softer bed would be hidden by it."""


Separate = Callable[[Iterable[Block]], Iterator[Block]]
"""Takes the speech out of a sound; as many samples, each at its time."""


class BedLevel:
    """Compares a sound with the same sound without its speech, in frames of 20 ms that lie within speech."""

    def __init__(self, rate: int, speech: Sequence[Span]) -> None:
        """``speech`` in seconds from the first sample, sorted and disjoint."""
        self._size = max(1, rate // _STEP)
        frames = [(-(-round(s.start * rate) // self._size), round(s.end * rate) // self._size) for s in speech]
        self._ranges = np.array([pair for pair in frames if pair[0] < pair[1]], np.int64).reshape(-1, 2)
        self._frame = 0
        self._held: np.ndarray | None = None
        self._bed = self._speech = 0.0
        self._counts = np.zeros(_HIGHEST - _LOWEST + 1, np.int64)

    def watched(self, sound: Iterable[Block], separate: Separate) -> Iterator[Block]:
        """What ``separate`` makes of ``sound``; it is measured on its way."""
        given: deque[np.ndarray] = deque()

        def read() -> Iterator[Block]:
            for block in sound:
                given.append(block)
                yield block

        for rest in separate(read()):
            parts, missing = [], rest.shape[1]
            while missing:
                block = given.popleft()
                parts.append(block[:, :missing])
                if block.shape[1] > missing:
                    given.appendleft(block[:, missing:])
                missing -= parts[-1].shape[1]
            if parts:
                self._add(np.concatenate(parts, 1), rest)
            yield rest

    def _add(self, sound: Block, rest: Block) -> None:
        """The next samples, before and after."""
        both = np.stack([(sound - rest).astype(np.float64), rest.astype(np.float64)])
        held = both if self._held is None else np.concatenate([self._held, both], 2)
        count = held.shape[2] // self._size
        whole = count * self._size
        powers = (held[:, :, :whole].reshape(2, held.shape[1], count, self._size) ** 2).mean((1, 3))
        at = self._frame + np.arange(count)
        inside = np.zeros(count, bool)
        near = (self._ranges[:, 0] < self._frame + count) & (self._ranges[:, 1] > self._frame)
        for first, stop in self._ranges[near]:
            inside |= (at >= first) & (at < stop)
        self._speech += float(powers[0, inside].sum())
        self._bed += float(powers[1, inside].sum())
        levels = np.round(10 * np.log10(np.maximum(powers[1, inside], 1e-16))).astype(int)
        self._counts += np.bincount(np.clip(levels, _LOWEST, _HIGHEST) - _LOWEST, minlength=len(self._counts))
        self._held, self._frame = held[:, :, whole:], self._frame + count

    @property
    def below_speech(self) -> float:
        """Level of the bed in dB of that of the speech (-120 at least; 0 dB: equally loud)."""
        return self._ratio(self._bed)

    @property
    def worth_keeping(self) -> bool:
        """True if the bed is loud enough, and not only in a few moments, which may be speech that was missed."""
        measured = int(self._counts.sum())
        if not measured or not self._speech:
            return False
        median = int(np.searchsorted(np.cumsum(self._counts), measured / 2)) + _LOWEST
        return self.below_speech >= _WORTH and self._ratio(10 ** (median / 10) * measured) >= _WORTH_MEDIAN

    def _ratio(self, bed: float) -> float:
        return 10 * float(np.log10(max(bed, 1e-12 * self._speech, 1e-30) / max(self._speech, 1e-30)))
