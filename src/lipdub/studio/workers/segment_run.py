"""What one worker does: a run of segments, decoded once, rendered, patched and encoded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from lipdub.media.read import PictureDamage, prefetch, read_frames
from lipdub.media.segments import encode_segment
from lipdub.studio.film_work import FilmWork
from lipdub.studio.render.render import CueRenderer
from lipdub.studio.session import Session
from lipdub.timeline.picture import Frame


def make_run(work: FilmWork, numbers: Sequence[int], session: Session) -> Iterator[int]:
    """Make the segments ``numbers``, which follow each other without a gap; yields each number when it is finished.

    Raises what rendering and encoding raise.
    """
    clip, segments = work.job.clip, [work.segments.segments[number] for number in numbers]
    first, stop = segments[0].first, segments[-1].stop
    renderer = CueRenderer(work.job, work.plan, work.cues, session)
    needed, damage = renderer.needed(first, stop), PictureDamage()
    decoded = prefetch(read_frames(clip, needed.start, needed.stop, damage=damage))
    patched: Iterator[Frame] = prefetch(renderer.patched(first, stop, decoded))
    try:
        for number, segment in zip(numbers, segments, strict=True):
            work.file(number).parent.mkdir(parents=True, exist_ok=True)
            frames = _then(islice(patched, len(segment)), partial(work.note_damage, number, damage))
            encode_segment(clip, work.segments, number, frames, work.file(number))
            yield number
    finally:
        patched.close()  # type: ignore[attr-defined]


def _then(frames: Iterable[Frame], last: Callable[[], None]) -> Iterator[Frame]:
    """``frames``, and after them a call of ``last``: what it writes is there before the segment counts as finished."""
    yield from frames
    last()
