"""The stage ``assemble``: every frame of the source, patched, and the sound of the dub, in one file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from lipdub.compose.patch_reel import PatchReel
from lipdub.media.read import PictureDamage, prefetch, read_frames
from lipdub.media.write import write_pending
from lipdub.studio.assemble.soundtrack import make_soundtrack
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.film import Film
from lipdub.studio.final_subtitles import captions
from lipdub.studio.job import Job
from lipdub.studio.session import Session
from lipdub.studio.write_options import write_options
from lipdub.timeline.picture import Frame
from lipdub.timeline.take import Segment, Take

FramePatcher = Callable[[Iterable[Frame]], Iterator[Frame]]
"""Takes every frame of a clip in order and gives each back in order, patched or as it is."""


def assemble(job: Job, plan: DubPlan, patcher: FramePatcher, session: Session) -> Film:
    """The film: every frame of the clip, at its own instant, as ``patcher`` gives it back, with the sound of the dub.

    ``patcher`` is a rendering, or ``PatchReels`` of takes that were rendered before. The film lies beside its place,
    under a name of its own, until it is delivered. Raises ``OutputError``, ``OptionError``, what ``patcher`` raises,
    and what reading the inputs raises.
    """
    sound = make_soundtrack(job, plan, session)
    damage, clip = PictureDamage(), job.clip
    part = session.pending_film(job.names.film)
    with session.clock.stage("assemble"):
        patched = patcher(prefetch(read_frames(clip, damage=damage)))
        counted = session.clock.counted("assemble", prefetch(patched), len(clip))
        how = write_options(job.options, job.speech)
        language = job.options.language or plan.speech.language or None
        how = replace(how, captions=captions(plan.speech, job.speech), language=language)
        written = write_pending(clip, counted, sound.track, part, how)
    whole = (Segment(0, len(clip)),)
    return Film(part.path, sound.track, written, damage, whole, sound.mixed, sound.levels, sound.notes)


class PatchReels:
    """Patches frames from the reels of ``takes``. Raises ``OSError`` or ``zipfile.BadZipFile`` for a damaged reel."""

    def __init__(self, takes: Sequence[Take]) -> None:
        """Reels are applied in the order of ``takes``."""
        self._reels = [PatchReel(take.reel) for take in takes if take.reel is not None]

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Every frame, patched where a reel has something for it."""
        for frame in frames:
            for reel in self._reels:
                reel.apply(frame)
            yield frame
