"""A dubbed film, not yet published: a value that can be pickled."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lipdub.media.read import PictureDamage
from lipdub.media.sound_piece_file import PiecedSound
from lipdub.media.write import WriteResult
from lipdub.timeline.take import Segment

if TYPE_CHECKING:
    from lipdub.compose.mix.mixer import MixLevels


@dataclass(frozen=True, eq=False)
class Film:
    """The film in the file ``path``, with the dub track ``sound``, which lasts ``sound_length`` seconds. ``written``
    tells what became of every stream, ``damage`` which frames of the source could not be decoded, ``segments`` which
    frames were copied and which encoded. ``notes`` are sentences on that for the report.

    ``levels``, ``mix_notes`` and ``mix_levels`` tell about the mix, if its sound was ``mixed``; ``stems`` are its
    parts, one file for each of ``lipdub.studio.job.STEMS``, if they were asked for.
    """

    path: Path
    sound: Path | PiecedSound
    sound_length: Fraction
    written: WriteResult
    damage: PictureDamage
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    mixed: bool = False
    levels: dict[str, float] = field(default_factory=dict)
    mix_notes: tuple[str, ...] = ()
    mix_levels: "MixLevels | None" = None
    stems: tuple[Path, ...] = ()
