"""The files of a cut: OpenTimelineIO's own, and those of other programs.

OpenTimelineIO and pyaaf2 are loaded when a file is written with them, and not before.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lipdub.edit.cut_list import CutList
from lipdub.edit.timecode import counted_rate
from lipdub.errors import MissingExtra, OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


EXTRA = "edit"
_MOST_EVENTS = 999
_SMPTE = frozenset({24, 25, 30, 48, 50, 60})
"""Frames in a second at which timecodes of edit lists count."""


@dataclass(frozen=True)
class TimelineType:
    """A type of file: what people call it, the package that writes it ("": none is needed), and the module and the
    function of ``lipdub.edit`` that do."""

    name: str
    package: str
    module: str
    function: str


def check_timeline_name(path: Path) -> TimelineType:
    """The type of the timeline file ``path``, by its ending.

    Raises ``OptionError`` for an ending that is not written, and ``MissingExtra`` if a package for it is not installed.
    """
    ending = path.suffix.lower()
    if ending in (".fcpxml", ".fcpxmld"):
        raise OptionError(
            "FCPXML is not written: both of OpenTimelineIO's adapters for it move cuts or fail at rates like 23.976",
            file=path,
            remedy="Write .otio, or .xml (Final Cut Pro 7), which other programs turn into FCPXML",
        )
    if ending not in TYPES:
        what = f"'{path.suffix}' is" if path.suffix else "a name without an ending is"
        raise OptionError(
            f"{what} not a kind of timeline that can be written", file=path, remedy=f"Choose {' or '.join(TYPES)}"
        )
    kind = TYPES[ending]
    if kind.package and find_spec(kind.package) is None:
        with MissingExtra.guard(EXTRA, f"writing {kind.name} ({ending})"):
            raise ImportError(name=kind.package)
    return kind


def check_rate(kind: TimelineType, rate: Fraction, path: Path) -> None:
    """Raise ``OptionError`` if files of this kind cannot count frames at ``rate``."""
    usual = counted_rate(rate) in _SMPTE and rate in (counted_rate(rate), Fraction(counted_rate(rate) * 1000, 1001))
    if kind.name != TYPES[".otio"].name and not usual:
        raise OptionError(
            f"{kind.name} has no timecode at {rate} frames per second", file=path, remedy="Write .otio instead"
        )


def write_timeline(cut: CutList, path: Path, target: Path) -> None:
    """Write ``cut`` to the file ``path`` as the kind of timeline that the ending of ``target`` says.

    Raises what ``check_timeline_name`` and ``check_rate`` raise, and ``OutputError`` if it cannot be written.
    """
    kind = check_timeline_name(target)
    check_rate(kind, cut.rate, target)
    with MissingExtra.guard(EXTRA, f"writing {kind.name}"), _told(kind, target):
        getattr(import_module(f"lipdub.edit.{kind.module}"), kind.function)(cut, path)


def timeline_notes(cut: CutList, path: Path) -> tuple[str, ...]:
    """What the kind of file of ``path`` does not hold of ``cut``, in sentences."""
    lost = _NOT_HELD.get(path.suffix.lower(), "")
    notes = (f"{path.name}: {lost}",) if lost else ()
    if path.suffix.lower() == ".edl" and len(cut.clips) > _MOST_EVENTS:
        notes = (*notes, f"{path.name}: {len(cut.clips):,} events; some programs read {_MOST_EVENTS} at most")
    return notes


@contextmanager
def _told(kind: TimelineType, target: Path) -> Iterator[None]:
    """What a package or a text refuses, as ``OutputError``."""
    try:
        yield
    except (ValueError, NotImplementedError, *_refusals()) as refused:
        why = " ".join(str(refused).split())[:200]
        raise OutputError(f"{kind.name} cannot hold this cut ({why})", file=target, remedy="Write .otio") from refused


def _refusals() -> Iterator[type[Exception]]:
    """The errors of the packages that were loaded."""
    for module, name in (("opentimelineio.exceptions", "OTIOError"), ("aaf2.exceptions", "AAFError")):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


TYPES = {
    ".otio": TimelineType("OpenTimelineIO", "opentimelineio", "otio_timeline", "write_otio"),
    ".edl": TimelineType("EDL (CMX 3600)", "", "edl", "write_edl"),
    ".xml": TimelineType("Final Cut Pro 7 XML", "", "fcp7_xml", "write_fcp7"),
    ".aaf": TimelineType("AAF", "aaf2", "aaf", "write_aaf"),
}
"""Ending -> type of file."""

_NOT_HELD = {
    ".edl": "an EDL holds the picture and the markers; sound, takes and the source under the dub are in .otio",
    ".xml": "Final Cut Pro 7 XML holds the cut and the markers; takes and the source under the dub are in .otio",
    ".aaf": "AAF holds the cut, the markers and both sounds; stems, takes and the source under the dub are in .otio",
}
