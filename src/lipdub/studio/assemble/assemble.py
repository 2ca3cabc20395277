"""The stage ``assemble``: all segments of the film, copied or encoded, and the sound of the dub, in one file."""

from dataclasses import replace

from lipdub.media.segments import write_segments
from lipdub.studio.assemble.soundtrack import Soundtrack, SoundWork, make_soundtrack
from lipdub.studio.film import Film
from lipdub.studio.film_work import FilmWork
from lipdub.studio.final_subtitles import captions
from lipdub.studio.session import Session
from lipdub.studio.write_options import write_options


def assemble(work: FilmWork, session: Session, sound: Soundtrack | None = None) -> Film:
    """The film of ``work``, whose segments are all made: every frame of the clip at its own instant, with the ``sound``
    of the dub (None: it is made now). The file is verified.

    The film lies beside its place, under a name of its own, until it is delivered. Raises ``SegmentMismatch`` if copied
    and encoded segments do not fit together, ``OutputError``, ``OptionError``, and what reading the inputs raises.
    """
    job, plan, clip = work.job, work.plan, work.job.clip
    sound = sound or make_soundtrack(job, plan, session, SoundWork(work.sound))
    part = session.pending_film(job.names.film)
    with session.clock.stage("assemble"):
        language = job.options.language or plan.speech.language or None
        how = replace(
            write_options(job.options, job.speech), captions=captions(plan.speech, job.speech), language=language
        )
        written = write_segments(clip, work.segments, work.files, sound.track, part, how)
    return Film(
        path=part.path,
        sound=sound.track,
        sound_length=sound.length,
        written=written,
        damage=work.damage,
        segments=work.segments.segments,
        notes=(work.segments.reason,) if work.segments.reason else (),
        mixed=sound.mixed,
        levels=sound.levels,
        mix_notes=sound.notes,
        mix_levels=sound.mix_levels,
        stems=sound.stems,
    )
