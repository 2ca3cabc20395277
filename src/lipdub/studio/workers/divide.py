"""A film divided into segments: what each holds, and the name under which it is kept."""

import numpy as np

from lipdub.media.segments import SegmentPlan, plan_segments, segment_recipe
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.film_label import FilmLabel, film_label
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
    label = film_label(job.options, job.clip)
    changed = with_label(changed_ranges(job, plan), label)
    segments = plan_segments(job.clip, changed, job.names.film, how, copy=copy)
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


def with_label(changed: list[range], label: FilmLabel | None) -> list[range]:
    """The ranges of frames that change if the frames of ``label`` do, too. Frames that only have the label are ranges
    of their own, so that a film may be cut between any two of them."""
    if label is None:
        return changed
    cues = np.zeros(label.frames.stop, bool)
    for frames in changed:
        cues[frames.start : frames.stop] = True
    labelled = [range(frame, frame + 1) for frame in label.frames if not cues[frame]]
    return sorted((*changed, *labelled), key=lambda frames: frames.start)


def _name(job: Job, plan: DubPlan, segments: SegmentPlan, number: int, folders: FilmFolders) -> str:
    """The file name of a segment: it changes with everything that its packets are made from."""
    segment = segments.segments[number]
    cues = [p.cue.id for p in plan.cues(job.clip) if p.frames.start < segment.stop and p.frames.stop > segment.first]
    takes = [(cue, folders.takes.get(cue, "")) for cue in sorted(cues)]
    label = film_label(job.options, job.clip)
    drawn = [] if label is None or not label.in_frames(segment.first, segment.stop) else [label.identity]
    made_from = key(VERSION, job.digest, job.clip.stream, segment_recipe(job.clip, segments, number), takes, *drawn)
    return f"{segment.first:08d}-{made_from}.segment"
