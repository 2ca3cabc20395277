"""What a browser plays of a film: the file itself, or a proxy that is made of it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lipdub.disk.json_text import parse_json
from lipdub.studio.progress import Listener, silent
from lipdub.timeline.clip import Clip
from lipdub.web.media.copied_view import copy_view
from lipdub.web.media.frames import clip_of, kept_table
from lipdub.web.media.kept import kept_folder, kept_name, make_folder
from lipdub.web.media.peaks import kept_peaks, make_peaks
from lipdub.web.media.playable import Playable, playable
from lipdub.web.media.proxy import write_proxy

VERSION = 1
"""Raise when another decision is made about the same film, or another proxy."""

_TOLD, _PROXY = "view.json", "proxy.mp4"


@dataclass(frozen=True, slots=True)
class ViewFile:
    """The ``file`` that a browser plays, whose frames appear when those of the film do. ``proxied``: it was made for
    that, because the film ``why`` (a clause; "": browsers play the film as well, but slowly); else it is the film."""

    file: Path
    proxied: bool
    why: str = ""


def view_of(file: Path) -> ViewFile | None:
    """What a browser plays of the film ``file``; None if that was not found out or made yet (``make_view``). The film
    itself is not opened. Raises ``InputError`` if the file is not there."""
    told = _kept_decision(file)
    if told is None:
        return None
    proxy = kept_folder(kept_name("proxy", file, VERSION)) if told.why or told.slow else None
    if proxy is not None and (proxy / _PROXY).is_file():
        return ViewFile(proxy / _PROXY, True, told.why)
    return None if told.why else ViewFile(file, False)


def is_complete(file: Path) -> bool:
    """True if ``make_view`` has nothing left to do for ``file``. Raises ``InputError`` if the file is not there."""
    told, view = _kept_decision(file), view_of(file)
    made = told is not None and view is not None and (view.proxied or not told.slow)
    return made and kept_peaks(file) is not None and kept_table(file) is not None


def why_not_played(file: Path) -> str:
    """Why browsers do not play the film ``file`` itself, as a clause ("is a matroska file"); "" if they do, or if that
    was not found out yet. Raises ``InputError`` if the file is not there."""
    told = _kept_decision(file)
    return "" if told is None else told.why


def prepare_view(file: Path, listener: Listener = silent) -> Playable:
    """Make what takes seconds: the table of frames of the film ``file``, the peaks of its sound, and the decision
    whether browsers play it. Raises as ``make_view`` does."""
    listener("frames", 0, 0)
    clip = clip_of(file)
    told = _kept_decision(file)
    if told is None:
        told = playable(clip)
        found = json.dumps(asdict(told))
        name = kept_name("view", file, VERSION)
        make_folder(name, file, lambda part: _write(part / _TOLD, found))
    make_peaks(file, listener)
    return told


def make_view(file: Path, listener: Listener = silent) -> ViewFile:
    """Make what the page needs of the film ``file`` and what is not there yet: its table of frames, the peaks of its
    sound, and a proxy if browsers would not play the file well. Each of them appears when it is complete.

    ``listener`` is told of the progress; an exception that it raises ends the work, and what is finished stays. Raises
    ``InputError``, ``NotMedia`` or ``NoPicture`` for a file that cannot be shown, ``OutputError`` if the disk refuses.
    """
    told = prepare_view(file, listener)
    if not told.why and not told.slow:
        return ViewFile(file, False)
    name = kept_name("proxy", file, VERSION)
    folder = kept_folder(name)
    if folder is None or not (folder / _PROXY).is_file():
        folder = make_folder(name, file, lambda part: _write_proxy(clip_of(file), part / _PROXY, told, listener))
    return ViewFile(folder / _PROXY, True, told.why)


def _write_proxy(clip: Clip, target: Path, told: Playable, listener: Listener) -> None:
    if told.copied and copy_view(clip, target, listener):
        return
    write_proxy(clip, target, listener)


def _write(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")


def _kept_decision(file: Path) -> Playable | None:
    folder = kept_folder(kept_name("view", file, VERSION))
    try:
        told = {} if folder is None else parse_json((folder / _TOLD).read_text("utf-8"))
        return Playable(str(told["why"]), bool(told["slow"]), bool(told["copied"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
