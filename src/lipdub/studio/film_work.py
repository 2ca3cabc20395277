"""A film that is to be made, divided into segments that workers make one by one: a value that can be pickled."""

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.disk.atomic import partial_path, remove_partial, written_beside
from lipdub.disk.json_text import parse_json
from lipdub.errors import OutputError
from lipdub.media.read import PictureDamage
from lipdub.media.segment_file import check_segment_file
from lipdub.media.segments import SegmentPlan
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.job import Job
from lipdub.timeline.take import CuePatches


@dataclass(frozen=True, eq=False)
class FilmWork:
    """What a worker needs to know to make any segment of a film.

    ``names`` are the file names of the encoded segments in ``folder``, by number; a segment whose file is there is
    finished. Copied segments have no file. The pieces of the encoded sound are in the folder ``sound``.
    """

    job: Job
    plan: DubPlan
    segments: SegmentPlan
    cues: CueFolders
    folder: Path
    names: tuple[str, ...]
    sound: Path

    def file(self, number: int) -> Path:
        """The file of the packets of segment ``number``."""
        return self.folder / self.names[number]

    @property
    def files(self) -> dict[int, Path]:
        """The files of all encoded segments, by number."""
        return {number: self.file(number) for number in self.segments.encoded}

    @property
    def missing(self) -> list[int]:
        """The numbers of the segments that are still to be made, in order."""
        return [number for number, file in self.files.items() if not file.is_file()]

    def remove_damaged(self, numbers: Collection[int]) -> list[Path]:
        """Remove the files of those of the encoded segments ``numbers`` that are damaged; returns which. Every byte is
        read."""
        removed = []
        for file in filter(Path.is_file, map(self.file, numbers)):
            try:
                check_segment_file(file)
                _damage_told(file)
            except (OutputError, OSError, ValueError, TypeError, KeyError):
                file.unlink(missing_ok=True)
                removed.append(file)
        return removed

    def remove_unfinished(self, numbers: Collection[int] | None) -> None:
        """Remove what workers that were ended left of the segments ``numbers`` (None: of all, also of other films: no
        other process may be writing there)."""
        with suppress(OSError):
            if numbers is None:
                remove_partial(self.folder)
            for number in numbers or ():
                partial_path(self.file(number)).unlink(missing_ok=True)

    @property
    def patches(self) -> tuple[CuePatches, ...]:
        """What was made of every cue, once all segments are made."""
        made = (self.cues.finished(planned.cue.id) for planned in self.plan.cues(self.job.clip))
        return tuple(each for each in made if each is not None)

    def note_damage(self, number: int, damage: PictureDamage) -> None:
        """Keep beside a segment which of its frames could not be decoded. Call before its file is written. Raises
        ``OSError``."""
        segment = self.segments.segments[number]
        inside = {
            name: [frame for frame in frames if segment.first <= frame < segment.stop]
            for name, frames in (("repeated", damage.repeated), ("corrupt", damage.corrupt))
        }
        beside = self.file(number).with_suffix(".damage.json")
        beside.unlink(missing_ok=True)
        if any(inside.values()):
            with written_beside(beside) as partial:
                partial.write_text(json.dumps(inside), "utf-8")

    @property
    def damage(self) -> PictureDamage:
        """The frames of the source that could not be decoded, of all encoded segments."""
        every = PictureDamage()
        for file in self.files.values():
            told = _damage_told(file)
            every.repeated += told.repeated
            every.corrupt += told.corrupt
        return every


def _damage_told(file: Path) -> PictureDamage:
    """The frames of a segment that could not be decoded, as written beside its ``file``. Raises ``ValueError`` or
    ``KeyError`` if that is damaged."""
    beside = file.with_suffix(".damage.json")
    if not beside.is_file():
        return PictureDamage()
    told = parse_json(beside.read_text("utf-8"))
    return PictureDamage(list(told["repeated"]), list(told["corrupt"]))


@dataclass(frozen=True, eq=False)
class FilmFolders:
    """Where the parts of a film are kept: the ``cues`` that were rendered, the encoded ``segments``, and the pieces of
    the ``sound``.

    ``takes`` are names of what each cue's patches are, by cue id: they change whenever the patches do. A cue that is
    not in it has patches of this run only.
    """

    cues: CueFolders
    segments: Path
    sound: Path
    takes: dict[str, str] = field(default_factory=dict)
