"""Films made of segments, for tests: planned, encoded and muxed, and decoded again by another process."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.publish import Outputs
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.segments import SegmentPlan, encode_segment, plan_segments, write_segments
from lipdub.media.write import WriteOptions, WriteResult
from lipdub.timeline.clip import Clip

CHANGED = (range(60, 75), range(110, 120))
"""Frames that are painted over. With a GOP of 25 frames, [0, 50), [75, 100) and what follows 125 can be copied."""


@dataclass(frozen=True)
class FilmOfSegments:
    """A film at ``path``, and how it was made of ``clip``."""

    clip: Clip
    plan: SegmentPlan
    files: dict[int, Path]
    written: WriteResult
    path: Path


def painted(frames, changed):
    """The frames, with a grey block in those that are ``changed``."""
    for frame in frames:
        if any(frame.index in part for part in changed):
            rows, columns = frame.planes[0].shape
            frame.planes[0][rows // 2 : rows // 2 + 16, columns // 4 : columns // 4 + 16] //= 2
        yield frame


def make_film(source, output, changed=CHANGED, options=None, copy=True, dub=None) -> FilmOfSegments:
    """The film of ``source`` at ``output``, its ``changed`` frames painted over."""
    options = options or WriteOptions()
    clip = open_clip(source)
    plan = plan_segments(clip, changed, output, options, copy=copy)
    files = {number: output.with_name(f"{output.stem}-{number}.segment") for number in plan.encoded}
    for number, file in files.items():
        encode(clip, plan, number, changed, file)
    return FilmOfSegments(clip, plan, files, mux(clip, plan, files, output, options, dub), output)


def encode(clip, plan, number, changed, file):
    """Encode a segment, whose ``changed`` frames are painted over."""
    segment = plan.segments[number]
    encode_segment(clip, plan, number, painted(read_frames(clip, segment.first, segment.stop), changed), file)


def mux(clip, plan, files, output, options, dub=None) -> WriteResult:
    """Mux the segments and publish the film."""
    with Outputs(options.overwrite) as outputs:
        written = write_segments(clip, plan, files, dub, outputs.part(output), options)
        outputs.publish()
    return written


_DECODE = """
import av, hashlib, json, sys
with av.open(sys.argv[1]) as file:
    video = file.streams.video[0]
    video.thread_type = "NONE"
    video.codec_context.options = {"err_detect": "explode"}
    shown = []
    for frame in file.decode(video):
        rows = [bytes(p)[r * p.line_size:][:p.width * (1 if p.line_size < 2 * p.width else 2)]
                for p in frame.planes for r in range(p.height)]
        shown.append([str(frame.pts * frame.time_base), hashlib.md5(b"".join(rows)).hexdigest()])
print(json.dumps(shown))
"""


def decoded(path) -> list[tuple[str, str]]:
    """(Time, digest of the samples) of every frame, decoded by a process that has nothing of lipdub."""
    told = subprocess.run([sys.executable, "-c", _DECODE, str(path)], capture_output=True, text=True, check=True)
    assert told.stderr == ""
    return [(at, digest) for at, digest in json.loads(told.stdout)]
