"""What a film shows that was made of a project: written down when it is made, so that it can be taken into an edit
without looking at the picture again."""

import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lipdub.disk.publish import write_text
from lipdub.timeline.packed import packed, unpacked
from lipdub.timeline.project import damaged, read_versioned
from lipdub.timeline.time import Span

VERSION = 1
"""The version this program writes."""

MOST_EARLIER = 20
"""So many earlier films are remembered."""


@dataclass(frozen=True, slots=True)
class ChangedMouth:
    """In ``spans`` (clip time), which are the ``frames`` [first, stop) of the film, a cue of the line ``line`` ("": of
    none) changed a mouth."""

    line: str
    spans: tuple[Span, ...]
    frames: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class EarlierFilm:
    """A film of the same language that was made before, of ``size`` bytes and so many ``frames``, which shows other
    ``takes`` (numbers by line id)."""

    film: Path
    size: int
    frames: int
    film_timecode: str = ""
    takes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilmRecord:
    """A film of one language: its file ``film`` and how many bytes that has (``size``).

    The picture: ``frames`` at ``rate`` frames per second, from the instant ``first`` on, for ``length`` seconds.
    ``constant``: frame k appears k / rate seconds after the first; ``rate`` is a usual one then (30000/1001 for 29.97).
    The source has ``source_frames`` in ``source_length`` seconds, and ``own_frames`` at the beginning of the film are
    the source's at their own times. ``timecode`` is that of the source's first frame and ``film_timecode`` that of the
    film's, as the files tell it. Players begin at ``start``. ``shape`` is width and height in pixels; ``has_sound``
    tells of the source.

    ``takes`` are the numbers of the takes that it shows, by line id, ``changed`` where mouths are changed, ``stems``
    the files of its sound in parts, by name. ``word_errors`` are the word error rates of lines that were heard again,
    by id, ``timings`` the seconds of each stage of the run that made the film. ``earlier`` are films that were made
    before, the newest first.
    """

    film: Path
    size: int
    rate: Fraction
    constant: bool
    frames: int
    source_frames: int
    source_length: Fraction
    own_frames: int
    first: Fraction
    length: Fraction
    start: Fraction = Fraction(0)
    timecode: str = ""
    film_timecode: str = ""
    shape: tuple[int, ...] = ()
    has_sound: bool = True
    takes: dict[str, int] = field(default_factory=dict)
    changed: tuple[ChangedMouth, ...] = ()
    stems: dict[str, Path] = field(default_factory=dict)
    word_errors: dict[str, float] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    earlier: tuple[EarlierFilm, ...] = ()

    def following(self, other: "FilmRecord") -> "FilmRecord":
        """This record, with the film of ``other``, which was made before it, and those before that one: at most
        ``MOST_EARLIER``. A file that was written over is not among them. Word errors of takes that both show stay."""
        last = EarlierFilm(other.film, other.size, other.frames, other.film_timecode, other.takes)
        earlier = [film for film in (last, *other.earlier) if film.film != self.film]
        known = {line: rate for line, rate in other.word_errors.items() if self._shows_too(other, line)}
        return replace(self, earlier=tuple(earlier[:MOST_EARLIER]), word_errors={**known, **self.word_errors})

    def _shows_too(self, other: "FilmRecord", line: str) -> bool:
        return self.takes.get(line) == other.takes.get(line)

    def save(self, path: Path) -> None:
        """Write the record at once and whole. Raises ``OutputError``."""
        told: dict[str, Any] = {"lipdub": "film", "version": VERSION, **packed(self)}
        write_text(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "FilmRecord":
        """Read a record. Raises ``InputError`` if it is absent, damaged, or newer than this program."""
        told = read_versioned(path, "film", VERSION, {})
        try:
            return unpacked(cls, told)
        except (ValueError, TypeError) as wrong:
            raise damaged(path, "film", str(wrong)) from wrong
