"""A plan in, a film out: its segments are made by workers and assembled."""

from collections.abc import Callable

from lipdub.media.segments import SegmentMismatch
from lipdub.studio.assemble.assemble import assemble
from lipdub.studio.assemble.soundtrack import Soundtrack, SoundWork, make_soundtrack
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.film import Film
from lipdub.studio.film_work import FilmFolders, FilmWork
from lipdub.studio.job import Job
from lipdub.studio.processes import available_cores
from lipdub.studio.session import Session
from lipdub.studio.workers.beside import made_beside
from lipdub.studio.workers.divide import divide
from lipdub.studio.workers.pool import make_segments


def make_film(
    job: Job, plan: DubPlan, folders: FilmFolders, session: Session, rendered: Callable[[], object] = lambda: None
) -> tuple[Film, FilmWork]:
    """The film of ``plan``, and how it was divided. What ``folders`` hold already is not made again. ``rendered`` is
    called once all segments are made, before they are assembled.

    Segments of the source are copied where that is safe. If the finished file is not as it must be, the whole picture
    is encoded instead. The sound is made beside the picture, unless there is only one worker or one core. Raises what
    rendering, encoding and ``assemble`` raise.
    """
    work = divide(job, plan, folders)
    _ = session.scratch, session.store  # made here: two threads would make two
    alone = session.options.workers == 1 or available_cores() == 1

    def soundtrack(go_on: Callable[[], None]) -> Soundtrack:
        return make_soundtrack(job, plan, session, SoundWork(folders.sound, go_on))

    with made_beside(soundtrack, alone=alone) as sound:
        make_segments(work, session)
        rendered()
        session.clock.tell("mix", 0, 0)
        track = sound()
    try:
        return assemble(work, session, track), work
    except SegmentMismatch as mismatch:
        plan = plan.noted(f"the whole picture was encoded: {mismatch}")
    work = divide(job, plan, folders, copy=False)
    make_segments(work, session)
    return assemble(work, session, track), work


def own_folders(session: Session) -> FilmFolders:
    """Folders for a film of which nothing is kept: they are removed with the session."""
    scratch = session.scratch
    return FilmFolders(CueFolders(scratch / "cues"), scratch / "segments", scratch / "sound")
