"""Decoded frames of a clip, and prefetching in a thread."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain, repeat
from queue import Empty, Queue
from typing import TypeVar

import av
import numpy as np

from lipdub.errors import NotMedia
from lipdub.media.container import open_input
from lipdub.media.formats import PlaneReader, pixel_layout
from lipdub.media.frame_timestamps import decode
from lipdub.media.packets import clock_joins
from lipdub.media.probe import PictureFacts, picture_facts
from lipdub.media.shown_order import DecodedPicture, pictures_backwards, shown_runs
from lipdub.media.window_rgb import window_rgb
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame, PixelLayout

__all__ = ["PictureDamage", "can_begin_anywhere", "listed_key_frames", "prefetch", "read_frames"]

T = TypeVar("T")

_LEADS = (Fraction(0), Fraction(2), Fraction(12))
"""Seconds before the wanted frame at which a key frame is sought, one after the other."""


_ALL_LISTED = 0.9
"""Part of a clip's frames that an index must have to count as complete: frames before an edit may be left out."""


@dataclass(slots=True)
class PictureDamage:
    """Damage of a picture: indices of frames that ``repeated`` the one before because they could not be decoded, and of
    frames that the decoder shows but marks as ``corrupt``."""

    repeated: list[int] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)


def read_frames(
    clip: Clip, first: int = 0, stop: int | None = None, damage: PictureDamage | None = None, *, shared: bool = False
) -> Iterator[Frame]:
    """Frames ``[first, stop)`` of ``clip`` in order; frame i has the time stamp ``clip.times.pts[i]``.

    Each picture is decoded once, except where the clip shows frames of its file backwards: see ``pictures_backwards``.
    The planes are copies: writable, not shared with the decoder. With ``shared`` they are views of the decoder's memory
    and may only be read. A frame that cannot be decoded repeats the picture before it (the first one: the picture after
    it) and is noted in ``damage``. Raises ``NotMedia`` if no frame can be decoded.
    """
    stop = len(clip) if stop is None else stop
    assert 0 <= first <= stop <= len(clip)
    if first == stop:
        return
    damage = PictureDamage() if damage is None else damage
    maker, size = _FrameMaker(picture_facts(clip), shared), picture_facts(clip).size
    decoded, found = partial(_decoded, clip), None
    for run in shown_runs(clip, first, stop):
        match run.step:
            case 1:
                pictures = decoded(run.wanted)
            case -1:
                pictures = pictures_backwards(decoded, run.wanted, size)
            case _:
                at_hand = found is not None and clip.file_frame(run.first - 1) == run.wanted.start
                held = found if found is not None and at_hand else next(decoded(run.wanted))
                pictures = repeat(held, run.count)
        for index, found in zip(range(run.first, run.first + run.count), pictures, strict=True):
            if found.fault:
                (damage.repeated if found.fault == "repeated" else damage.corrupt).append(index)
            yield maker.frame(index, int(clip.times.pts[index]), found.picture)


class _FrameMaker:
    """Makes frames of one stream, all in the layout of the first one, also if the stream changes later."""

    def __init__(self, facts: PictureFacts, shared: bool) -> None:
        self._facts, self._shared = facts, shared
        self._reader = PlaneReader()
        self._layout: PixelLayout | None = None

    def frame(self, index: int, pts: int, picture: av.VideoFrame) -> Frame:
        """Frame ``index`` with the planes of ``picture``."""
        facts = self._facts
        if self._layout is None:
            self._layout = pixel_layout(picture, facts.rotation, facts.pixel_aspect)
        memory, name = None, self._layout.name
        if self._shared:
            planes = self._reader.planes(picture, name, *facts.size)
        else:
            memory, planes = self._reader.copied(picture, name, *facts.size)
        return Frame(index, pts, planes, self._layout, partial(window_rgb, planes, self._layout), memory)


def _decoded(clip: Clip, wanted: range) -> Iterator[DecodedPicture]:
    """The pictures of the file's frames in ``wanted``, in order."""
    pictures = _numbered(clip) if clip.matched_by_order else _pictures(clip, wanted.start)
    return _matched_to_times(pictures, clip, wanted)


def _pictures(clip: Clip, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decoded pictures from a key frame at or before the file's frame ``first`` to the end of the stream."""
    times = clip.file_times
    target = times.instant(first)
    if first > 0 and not _has_joins(clip):
        for lead in _LEADS:
            with open_input(clip.path) as container:
                video = container.streams.video[clip.stream]
                at = int(max(target - lead, times.instant(0)) / times.time_base)
                container.seek(at, stream=video, backward=True)
                pictures = _from_key_frame(decode(container, video))
                head = next(pictures, None)
                if head is not None and head[0] <= times.pts[first]:
                    yield from chain((head,), pictures)
                    return
    with open_input(clip.path) as container:
        yield from decode(container, container.streams.video[clip.stream])


def can_begin_anywhere(clip: Clip) -> bool:
    """True if ``read_frames`` can begin at any frame without decoding all that is before it."""
    return not clip.matched_by_order and not _has_joins(clip)


def listed_key_frames(clip: Clip) -> list[int] | None:
    """The frames of ``clip`` at which decoding can begin, as its container lists them: each is given as the frame
    itself, or as one a few frames earlier. None if the container does not list every frame, or if the clip does not
    show them as the file does."""
    if clip.filmed is not None:
        return None
    with open_input(clip.path) as container:
        video = container.streams.video[clip.stream]
        listed = video.index_entries
        if video.time_base != clip.times.time_base or len(listed) < _ALL_LISTED * len(clip):
            return None
        at = [entry.timestamp for entry in listed if entry.is_keyframe]
    return sorted({min(int(index), len(clip) - 1) for index in np.searchsorted(clip.times.pts, at)})


def _has_joins(clip: Clip) -> bool:
    """True if the file's clock begins again somewhere: then it cannot be seeked by time."""
    with open_input(clip.path) as container:
        return bool(clock_joins(container))


def _numbered(clip: Clip) -> Iterator[tuple[int, av.VideoFrame]]:
    """Every picture that the decoder returns, with the time stamp of the frame of the same number."""
    with open_input(clip.path) as container:
        pictures = decode(container, container.streams.video[clip.stream])
        for at, (_, picture) in zip(clip.file_times.pts.tolist(), pictures, strict=False):
            yield at, picture


def _from_key_frame(pictures: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
    """``pictures`` from the first complete key frame on: earlier ones may refer to pictures that were not read."""
    whole = False
    for at, picture in pictures:
        whole = whole or (picture.key_frame and not picture.is_corrupt)
        if whole and picture.pts is not None:
            yield at, picture


def _matched_to_times(
    pictures: Iterator[tuple[int, av.VideoFrame]], clip: Clip, wanted: range
) -> Iterator[DecodedPicture]:
    """One picture for every frame of the file in ``wanted``: the one with its time stamp, or else the one before."""
    pts, index, previous = clip.file_times.pts, wanted.start, None
    for at, picture in pictures:
        while index < wanted.stop and pts[index] < at:
            yield DecodedPicture(previous or picture, "repeated")
            index += 1
        if index == wanted.stop:
            return
        previous = picture
        if pts[index] == at:
            yield DecodedPicture(picture, "corrupt" if picture.is_corrupt else "")
            index += 1
            if index == wanted.stop:
                return
    if previous is None:
        what = "cannot be decoded from this time on"
        raise NotMedia(what, file=clip.path, at=clip.file_times.instant(index), remedy="Export it again.")
    for _ in range(index, wanted.stop):
        yield DecodedPicture(previous, "repeated")


def prefetch(iterator: Iterable[T], depth: int = 4) -> Iterator[T]:
    """The items of ``iterator``, made in a thread, at most ``depth`` ahead.

    An exception in it is raised here, at its place. Closing this generator stops the thread and closes ``iterator``
    before it returns.
    """
    queue: Queue[tuple[str, object]] = Queue(max(1, depth))
    stopped = threading.Event()
    worker = threading.Thread(target=_fill, args=(iterator, queue, stopped), name="lipdub-ahead", daemon=True)
    worker.start()
    try:
        while True:
            kind, value = queue.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stopped.set()
        while worker.is_alive():
            try:
                queue.get(timeout=0.02)
            except Empty:
                continue
        worker.join()


def _fill(iterator: Iterable[object], queue: "Queue[tuple[str, object]]", stopped: threading.Event) -> None:
    """Put every item into the queue, then the end or the error."""
    last: tuple[str, object] = ("end", None)
    items = iter(iterator)
    try:
        while not stopped.is_set():
            try:
                item = next(items)
            except StopIteration:
                break
            queue.put(("item", item))
            del item
        close = getattr(items, "close", None)
        if close is not None:
            close()
    except BaseException as error:
        last = ("error", error)
    queue.put(last)
