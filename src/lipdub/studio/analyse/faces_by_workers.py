"""The faces of a clip found by worker processes, each in parts of it."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from lipdub.media.read import can_begin_anywhere, listed_key_frames
from lipdub.studio.analyse.shot_faces import FIRST_LEAD, ShotFaces, find_shots, shot_folder
from lipdub.studio.processes import FEW_SECONDS, RUN_SECONDS, until_done
from lipdub.studio.sent_files import Reach
from lipdub.studio.session import Session
from lipdub.timeline.clip import Clip

PARTS = 4
"""Parts of a clip for each worker: if one has a long shot, the others do the rest."""

LEAST_SECONDS = 4
"""Seconds of film in a part at least."""

LITTLE_FOR_TWO = 30
"""Seconds of film below which one process analyses alone where there are only two workers: its threads fill most of two
cores, and the second worker decodes its parts in vain if no shot begins in them."""

AFTER_KEY = FIRST_LEAD + 8
"""Frames from a key frame to the part that begins after it: some may be shown before the key frame they follow."""


def parts_of(clip: Clip, session: Session) -> list[range]:
    """The frames of ``clip`` in parts for the workers of ``session``; one part if this process does it all."""
    workers, seconds = session.worker_count, len(clip) / float(clip.rate)
    little = LITTLE_FOR_TWO if workers == 2 else 2 * FEW_SECONDS
    alone = workers == 1 or session.tools.engine.limits.accelerator or seconds < little
    if alone or not can_begin_anywhere(clip):
        return [range(len(clip))]
    count = max(min(PARTS * workers, int(seconds / LEAST_SECONDS)), math.ceil(seconds / RUN_SECONDS))
    even, starts = [number * len(clip) // count for number in range(1, count)], _good_starts(clip)
    if starts is not None:
        even = [min(starts, key=lambda start: abs(start - border)) for border in even if starts]
    return [range(first, stop) for first, stop in pairwise(sorted({0, *even, len(clip)}))]


def _good_starts(clip: Clip) -> list[int] | None:
    """Frames at which a part may begin so that little is decoded in vain: what is read for its first frame begins just
    after a key frame. None if any frame is as good."""
    keys = listed_key_frames(clip)
    return None if keys is None else [key + AFTER_KEY for key in keys if 0 < key < len(clip) - AFTER_KEY]


def find_in_workers(clip: Clip, session: Session, folder: Path, parts: Sequence[range]) -> list[ShotFaces]:
    """The shots of ``clip`` in order; their files go to ``folder``, as with ``find_shots``.

    Raises what that raises, and ``MachineError`` if the system ended a worker.
    """
    progress = session.scratch / "analysed"
    progress.mkdir(exist_ok=True)
    frames, reach = session.clock.counter("analyse", len(clip)), Reach((clip.path,), (folder,))
    with session.workers(len(parts), "Run it again with --workers 1", clip.path) as submit:
        files = [progress / f"{part.start}.frames" for part in parts]
        given = zip(parts, files, strict=True)
        tasks = [submit(_find_in_worker, lambda: reach, clip, folder, part, file) for part, file in given]
        for _ in until_done(tasks):
            ended = sum(len(part) for part, task in zip(parts, tasks, strict=True) if task.done())
            seen = sum(file.stat().st_size for file in files if file.is_file())
            frames.add(max(ended if session.sent is not None else seen, frames.done) - frames.done)
            session.take()
        session.take([_handed(part) for part in parts])
    found = [shot for task in tasks for shot in task.result()]
    assert [shot.shot.first for shot in found] == [0, *(shot.shot.stop for shot in found[:-1])], "a shot is missing"
    return found


def _find_in_worker(session: Session, clip: Clip, folder: Path, part: range, progress: Path) -> list[ShotFaces]:
    """The shots of one part. One byte is added to the file ``progress`` for each frame."""
    progress.parent.mkdir(parents=True, exist_ok=True)
    with progress.open("wb", buffering=0) as file:
        found = list(find_shots(clip, session.tools, folder, part, lambda: file.write(b".")))
    folders = [shot_folder(folder, shot.shot.first) for shot in found]
    session.hand_over(_handed(part), [path for path in folders if path.is_dir()])
    return found


def _handed(part: range) -> str:
    return f"shots-{part.start}"
