"""Writing the dubbed clip: the new picture, the dub track, and copies of everything else. Every frame keeps its
time."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from lipdub.disk.publish import Outputs, PendingFile, same_file
from lipdub.errors import OutputError
from lipdub.media.container import open_input
from lipdub.media.encoder import encoder_opens
from lipdub.media.film_writer import FilmWriter
from lipdub.media.frame_encoder import FrameEncoder
from lipdub.media.output_options import WriteOptions, WriteResult, check_output, chosen_encoding, container_for
from lipdub.media.probe import picture_facts
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Frame

__all__ = [
    "WriteOptions",
    "WriteResult",
    "check_output",
    "container_for",
    "encoder_opens",
    "write_clip",
    "write_pending",
]


def write_clip(
    clip: Clip, frames: Iterable[Frame], dub: Path | None, output: Path, options: WriteOptions
) -> WriteResult:
    """Write ``frames`` with the track ``dub`` to ``output``, as ``write_pending`` does, and publish it.

    ``output`` appears when it is complete, or not at all; an existing file is replaced only if the options allow it.
    Raises ``OutputError``, ``OptionError``, or what reading the inputs raises.
    """
    check_output(clip.path, output, options)
    with Outputs(options.overwrite) as outputs:
        written = write_pending(clip, frames, dub, outputs.part(output), options)
        outputs.publish()
    return written


def write_pending(
    clip: Clip, frames: Iterable[Frame], dub: Path | None, part: PendingFile, options: WriteOptions
) -> WriteResult:
    """Write ``frames`` (every frame of ``clip``, in order) with the track ``dub`` at ``part.path``.

    Every frame keeps its time. The dub begins where players start the clip, is copied if the container takes its codec,
    and is cut where the picture ends. The source's other streams, chapters and metadata are copied; its sound only if
    asked for, or if there is no dub. Nothing is published: the caller does that, perhaps together with other files. The
    container is that of ``part.target``'s name; errors and ``WriteResult.path`` name ``part.target``. Raises
    ``OutputError``, ``OptionError``, or what reading the inputs raises.
    """
    if any(given is not None and same_file(part.target, given) for given in (clip.path, dub)):
        raise OutputError("is one of the inputs", file=part.target, remedy="Choose another name for the output")
    with ExitStack() as stack:
        source = stack.enter_context(open_input(clip.path))
        facts = picture_facts(clip)
        encoding = chosen_encoding(facts, container_for(part.target), options)
        film = FilmWriter(clip, source, part.target, options, encoding)
        with film.output_errors():
            film.open(part.path, stack)
        film.add_streams(dub, stack)
        _write_picture(film, FrameEncoder(film.picture.codec_context, clip, facts, encoding), frames)
        return film.finish()


def _write_picture(film: FilmWriter, encoder: FrameEncoder, frames: Iterable[Frame]) -> None:
    """Encode every frame at its own time; the other packets are muxed in step."""
    count = 0
    clip = film.clip
    for frame in frames:
        assert count < len(clip), "more frames than the clip has"
        assert frame.pts == clip.times.pts[count], f"frame {count} came with the time of another"
        with film.output_errors():
            for packet in encoder.encode(frame):
                film.mux(packet)
        count += 1
    assert count == len(clip), f"{count} frames of {len(clip)} were given"
    with film.output_errors():
        rest = encoder.flush()
        for number, packet in enumerate(rest, 1):
            film.mux(packet, last=number == len(rest))
