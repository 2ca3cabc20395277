"""The table of a film's frames: measured once by reading the file, then kept in two small files."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from lipdub.disk.json_text import parse_json
from lipdub.edit.frame_table import frame_table as table_of
from lipdub.media.embedded_timecode import embedded_timecode
from lipdub.media.probe import open_clip
from lipdub.timeline.clip import Clip, FrameTimes
from lipdub.timeline.frame_table import FrameTable
from lipdub.timeline.packed import packed, unpacked
from lipdub.web.media.kept import kept_folder, kept_name, make_folder

VERSION = 1
"""Raise when something else is measured or written."""

_PTS, _TOLD = "pts.npy", "clip.json"


def frame_table(file: Path) -> FrameTable:
    """When players show every frame of ``file``, and its timecode.

    The first time the whole file is read (its packets; only the first frames are decoded), later two small files.
    Raises ``InputError``, ``NotMedia`` or ``NoPicture`` for a file that has no such table, ``OutputError`` if it cannot
    be kept.
    """
    return _table(clip_of(file), _timecode(_made(file)))


def kept_table(file: Path) -> FrameTable | None:
    """The table of ``file``, if it was made before; the film itself is not opened. Raises ``InputError`` if the file is
    not there."""
    folder = kept_folder(kept_name("frames", file, VERSION))
    clip = None if folder is None else _read(file, folder)
    return None if clip is None or folder is None else _table(clip, _timecode(folder))


def clip_of(file: Path) -> Clip:
    """What ``media.probe.open_clip`` measures of ``file``, from kept files if it was done before. Raises as
    ``frame_table`` does."""
    folder = _made(file)
    clip = _read(file, folder)
    assert clip is not None, "it was made just now, or found to be intact"
    return clip


def kept_clip(file: Path) -> Clip | None:
    """The clip of ``file``, if it was measured before. Raises ``InputError`` if the file is not there."""
    folder = kept_folder(kept_name("frames", file, VERSION))
    return None if folder is None else _read(file, folder)


def _table(clip: Clip, timecode: str) -> FrameTable:
    return table_of(clip.times, clip.start, clip.rate, timecode)


def _made(file: Path) -> Path:
    """The folder of the table of ``file``."""
    name = kept_name("frames", file, VERSION)
    folder = kept_folder(name)
    if folder is not None and _read(file, folder) is not None:
        return folder
    return make_folder(name, file, lambda part: _measure(file, part))


def _measure(file: Path, folder: Path) -> None:
    clip = open_clip(file)
    told = {
        "time_base": packed(clip.times.time_base),
        "last": clip.times.last,
        "size": list(clip.size),
        "rate": packed(clip.rate),
        "has_sound": clip.has_sound,
        "start": packed(clip.start),
        "stream": clip.stream,
        "sound": clip.sound,
        "matched_by_order": clip.matched_by_order,
        "warnings": list(clip.warnings),
        "timecode": embedded_timecode(file),
    }
    np.save(folder / _PTS, clip.times.pts)
    (folder / _TOLD).write_text(json.dumps(told), "utf-8")


def _read(file: Path, folder: Path) -> Clip | None:
    """The clip that is kept in ``folder``; None if that is damaged or gone."""
    try:
        told = parse_json((folder / _TOLD).read_text("utf-8"))
        times = FrameTimes(np.load(folder / _PTS), unpacked(Fraction, told["time_base"]), told["last"])
        return Clip(
            path=file,
            times=times,
            size=(told["size"][0], told["size"][1]),
            rate=unpacked(Fraction, told["rate"]),
            has_sound=told["has_sound"],
            start=unpacked(Fraction, told["start"]),
            stream=told["stream"],
            sound=told["sound"],
            matched_by_order=told["matched_by_order"],
            warnings=tuple(told["warnings"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _timecode(folder: Path) -> str:
    try:
        return parse_json((folder / _TOLD).read_text("utf-8"))["timecode"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
