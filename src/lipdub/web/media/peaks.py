"""The peaks of a film's sound, for its waveform: the least and the greatest sample of every 10 ms."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int8

from lipdub.errors import NoSound
from lipdub.media.sound_blocks import sound_blocks, sound_format
from lipdub.studio.progress import Listener, silent
from lipdub.web.media.frames import clip_of
from lipdub.web.media.kept import kept_folder, kept_name, make_folder

PER_SECOND = 100
"""Pairs in a second."""

VERSION = 1
"""Raise when other peaks are made of the same sound."""

_FILE, _STAGE = "peaks.i8", "waveform"


def peaks(file: Path, listener: Listener = silent) -> bytes:
    """int8 pairs (least, greatest; full scale is 127) of every 10 ms of the sound of ``file``, from where players
    begin, over all channels. Empty if it has no sound. The file is read once, in bounded memory, and they are kept.

    ``listener`` is told of the seconds that were read; an exception that it raises ends the work. Raises ``InputError``
    or ``NotMedia`` for a file that cannot be read, ``OutputError`` if they cannot be kept.
    """
    return make_peaks(file, listener).read_bytes()


def make_peaks(file: Path, listener: Listener = silent) -> Path:
    """The file with the ``peaks`` of ``file``. Raises as ``peaks`` does."""
    found = kept_peaks(file)
    if found is not None:
        return found
    return make_folder(kept_name("peaks", file, VERSION), file, lambda part: _write(file, part, listener)) / _FILE


def kept_peaks(file: Path) -> Path | None:
    """The file with the peaks of ``file``, if they were made before. Raises ``InputError`` if the film is not there."""
    folder = kept_folder(kept_name("peaks", file, VERSION))
    return folder / _FILE if folder is not None and (folder / _FILE).is_file() else None


def _write(file: Path, folder: Path, listener: Listener) -> None:
    clip = clip_of(file)
    whole = int(clip.times.whole.end - clip.start)
    with (folder / _FILE).open("wb") as out:
        if not clip.has_sound:
            return
        try:
            rate = sound_format(file, clip.sound).rate
            for number, pairs in enumerate(pairs_of(sound_blocks(file, start=clip.start, stream=clip.sound), rate), 1):
                out.write(pairs.tobytes())
                if number % 8 == 0:
                    listener(_STAGE, min(out.tell() // (2 * PER_SECOND), whole), whole)
        except NoSound:
            return


def pairs_of(blocks: Iterable[np.ndarray], rate: int) -> Iterator[Int8[np.ndarray, "_n 2"]]:
    """The peaks of a sound that comes in ``blocks`` (channels, samples) at ``rate``: pair k is the least and the
    greatest sample, over all channels, from k / 100 s until (k + 1) / 100 s; NaN counts as 0."""
    held, first, pair = np.zeros((1, 0), np.float32), 0, 0
    for block in blocks:
        ends = np.stack([np.nan_to_num(block.min(0)), np.nan_to_num(block.max(0))]) if block.size else held[:0]
        if not ends.size:
            continue
        held = ends if not held.size else np.concatenate([held, ends], axis=1)
        if held.shape[1] < rate // 4:
            continue
        stop = (first + held.shape[1]) * PER_SECOND // rate
        yield _pairs(held, first, (pair, stop), rate)
        cut = stop * rate // PER_SECOND
        held, first, pair = held[:, cut - first :], cut, stop
    if held.size:
        stop = -(-(first + held.shape[1]) * PER_SECOND // rate)
        yield _pairs(held, first, (pair, stop), rate)


def _pairs(held: np.ndarray, first: int, wanted: tuple[int, int], rate: int) -> Int8[np.ndarray, "_n 2"]:
    """Pairs [wanted) of ``held`` (least and greatest of each instant), whose first column is sample ``first``."""
    starts = np.arange(*wanted) * rate // PER_SECOND - first
    stop = min(wanted[1] * rate // PER_SECOND - first, held.shape[1])
    held = held[:, :stop]
    if not len(starts):
        return np.zeros((0, 2), np.int8)
    least, greatest = np.minimum.reduceat(held[0], starts), np.maximum.reduceat(held[1], starts)
    return np.rint(np.clip(np.stack([least, greatest], axis=1), -1, 1) * 127).astype(np.int8)
