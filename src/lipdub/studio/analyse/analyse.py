"""The stage ``analyse``: shots, faces, people, and what the clip's sound says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lipdub.studio.analyse.covered_mouths import judged_by_person
from lipdub.studio.analyse.faces import faces_name, find_faces, read_faces
from lipdub.studio.analyse.people import find_people
from lipdub.studio.analysis import Analysis
from lipdub.studio.job import Job
from lipdub.studio.session import Session
from lipdub.studio.track_features import TrackFeatures, clip_features, dub_features
from lipdub.timeline.clip import Clip


def analyse(
    job: Job, session: Session, heard: Callable[[TrackFeatures | None], object] = lambda sound: None
) -> Analysis:
    """The shots, faces and people of the job's clip, and the speech features of its sound.

    The picture is read in this thread and the sound in another. The features of a given dub track are made in that
    thread, too, and kept for the plan; and ``heard`` is called there with the features of the clip's sound (None: it
    has none). Raises what ``heard`` raises, ``InputError`` for a clip that cannot be read or was changed meanwhile,
    ``OutputError`` if the results cannot be kept, and what the engine's study raises.
    """
    clock, pictures = session.clock, _analysed(job.clip)
    _ = session.scratch, session.store, session.tools.engine  # made once, before two threads ask for them
    with ThreadPoolExecutor(1, "lipdub-sound") as beside:
        hearing = beside.submit(_hear, job, session, heard)
        try:
            with clock.stage("analyse"):
                name = faces_name(pictures, job.digest, session.tools)
                folder = session.store.folder(name, lambda part: find_faces(pictures, session, part), grows=True)
                shots, faces = read_faces(pictures, folder)
            with clock.stage("speech features"):
                sound = hearing.result()
        except BaseException:
            clock.give_up()
            raise
    found = find_people(faces, session.tools.identifier.why)
    faces = judged_by_person(faces, found.people, pictures, session.tools.engine.limits)
    return Analysis(shots, faces, found.people, sound, found.notes)


def _hear(job: Job, session: Session, heard: Callable[[TrackFeatures | None], object]) -> TrackFeatures | None:
    """The features of the clip's sound (None: it has none), told to ``heard``; those of a given dub track are kept."""
    sound = clip_features(job.clip, session) if job.clip.has_sound else None
    if job.audio is not None:
        dub_features(job.audio, job.clip, session)
    heard(sound)
    return sound


def _analysed(clip: Clip) -> Clip:
    """The clip whose pictures are analysed: a slowed one has the frames of its file, which may be analysed already."""
    return clip.as_filmed() if clip.filmed is not None and clip.filmed.all_in_order else clip
