"""Looks at a file that came from outside, in a process of its own with little memory and time, before anything else
opens it.

    python -m lipdub.web.probe_apart video FILE

prints one JSON object: what is in the file, or why it cannot be used.
"""

import json
import os
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Literal

from lipdub.disk.json_text import parse_json
from lipdub.errors import InputError, LipdubError, NoPicture, NoSound, NotMedia
from lipdub.process.child import run_child

Kind = Literal["video", "audio", "script"]

SECONDS, MEMORY = 60.0, 4 * 2**30
"""What a look at a file may take: seconds of processor time, and bytes of address space."""

_KNOWN = frozenset(
    "aac aiff asf avi caf flac flv gxf ivf m4v matroska mov mp3 mpeg mpegts mxf nut ogg wav w64 webm wv".split()
)
"""The containers that are taken (first part of FFmpeg's names). Playlists, which name other files, are not among
them."""

_ERRORS = {each.__name__: each for each in (InputError, NotMedia, NoPicture, NoSound)}
_ANOTHER = "Give a video or sound file that plays in a media player."


@dataclass(frozen=True)
class SourceFacts:
    """What is in a file: how long it is (s), width and height as shown (0: no picture), the rate of its picture (None:
    no picture), and whether it has sound. Of a script nothing is told."""

    seconds: Fraction = Fraction(0)
    width: int = 0
    height: int = 0
    rate: Fraction | None = None
    has_sound: bool = False

    def told(self) -> dict[str, Any]:
        """As JSON."""
        rate = None if self.rate is None else str(self.rate)
        return {
            "seconds": str(self.seconds), "width": self.width, "height": self.height, "rate": rate,
            "has_sound": self.has_sound,
        }  # fmt: skip

    @classmethod
    def read(cls, told: dict[str, Any]) -> "SourceFacts":
        """The inverse of ``told``. Raises ``ValueError``, ``KeyError`` or ``TypeError``."""
        rate = None if told["rate"] is None else Fraction(told["rate"])
        seconds = Fraction(told["seconds"])
        return cls(seconds, int(told["width"]), int(told["height"]), rate, bool(told["has_sound"]))


def look_apart(file: Path, kind: Kind, seconds: float = SECONDS) -> SourceFacts:
    """What is in ``file``, as a process apart sees it. Raises ``InputError`` or ``NotMedia`` if it cannot be used as a
    ``kind``, takes too long, or ends the process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        command = [sys.executable, "-m", "lipdub.web.probe_apart", kind, str(file), str(int(seconds))]
        done = run_child(command, timeout=seconds + 30, environment=environment)
        told = parse_json(done.stdout)
    except (TimeoutExpired, ValueError):
        what = "it could not be looked at within the time and memory for that; it is damaged, or made to do harm"
        raise NotMedia(what, file=file, remedy=_ANOTHER) from None
    if "error" in told:
        raise _ERRORS.get(told["error"], InputError)(told["what"], file=file, remedy=told["remedy"])
    return SourceFacts.read(told)


def _look(file: Path, kind: str) -> SourceFacts:
    if kind == "script":
        from lipdub.words_to_sound.script.read import read_script

        read_script(file)
        return SourceFacts()
    from lipdub.media.probe import probe
    from lipdub.timeline.picture import display_size

    facts = probe(file)
    if facts.container.split(",")[0] not in _KNOWN:
        raise NotMedia(f"files of the type '{facts.container}' are not taken here", file=file, remedy=_ANOTHER)
    if kind == "audio" and not facts.has_sound:
        raise NoSound("has no sound", file=file, remedy="Give a file with an audio track.")
    picture = facts.picture
    if picture is None:
        if kind == "video":
            raise NoPicture("has no picture that can be decoded", file=file, remedy="Give a video file.")
        return SourceFacts(facts.duration, has_sound=facts.has_sound)
    width, height = display_size(*picture.size, picture.pixel_aspect, picture.rotation)
    rate = next((stream.rate for stream in facts.streams if stream.kind == "video" and stream.rate), None)
    return SourceFacts(facts.duration, width, height, rate, facts.has_sound)


def _limit(seconds: int) -> None:
    """Take away from this process what it does not need."""
    try:
        import resource
    except ImportError:  # Windows: the time limit of the parent holds
        return
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(arguments: list[str]) -> int:
    """Print what is in a file: ``[kind, file, seconds]``."""
    kind, file, seconds = arguments
    sys.dont_write_bytecode = True
    _limit(int(seconds))
    try:
        told = _look(Path(file), kind).told()
    except LipdubError as error:
        told = {"error": type(error).__name__, "what": error.what, "remedy": error.remedy}
    except MemoryError:
        told = {"error": "NotMedia", "what": "needs too much memory to be looked at", "remedy": _ANOTHER}
    print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
