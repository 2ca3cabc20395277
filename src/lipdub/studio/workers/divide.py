"""A film divided into segments: what each holds, and the name under which it is kept."""

from lipdub.media.segments import SegmentPlan, plan_segments, segment_recipe
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.film_work import FilmFolders, FilmWork
from lipdub.studio.job import Job
from lipdub.studio.store import key
from lipdub.studio.write_options import write_options

VERSION = 1
"""Raise when the same segment gets other packets."""


def divide(job: Job, plan: DubPlan, folders: FilmFolders, *, copy: bool = True) -> FilmWork:
    """The segments of the film of ``plan``. ``copy`` False encodes all of them.

    Raises what ``plan_segments`` raises.
    """
    how = write_options(job.options, job.speech)
    segments = plan_segments(job.clip, changed_ranges(job, plan), job.names.film, how, copy=copy)
    names = tuple(_name(job, plan, segments, number, folders) for number in range(len(segments.segments)))
    return FilmWork(job, plan, segments, folders.cues, folders.segments, names, folders.sound)


def changed_ranges(job: Job, plan: DubPlan) -> list[range]:
    """The frames that change, in order: cues that overlap in time are one range, others stay apart."""
    out: list[range] = []
    for frames in sorted((p.frames for p in plan.cues(job.clip)), key=lambda r: (r.start, r.stop)):
        if out and frames.start < out[-1].stop:
            out[-1] = range(out[-1].start, max(out[-1].stop, frames.stop))
        else:
            out.append(frames)
    return out


def _name(job: Job, plan: DubPlan, segments: SegmentPlan, number: int, folders: FilmFolders) -> str:
    """The file name of a segment: it changes with everything that its packets are made from."""
    segment = segments.segments[number]
    cues = [p.cue.id for p in plan.cues(job.clip) if p.frames.start < segment.stop and p.frames.stop > segment.first]
    takes = [(cue, folders.takes.get(cue, "")) for cue in sorted(cues)]
    made_from = key(VERSION, job.digest, job.clip.stream, segment_recipe(job.clip, segments, number), takes)
    return f"{segment.first:08d}-{made_from}.segment"
