"""Music and effects without the speech, by a separation program that is installed on this machine.

Separators of music are large and change often, so none comes with lipdub. Any program that reads a sound file and
writes stems can be used, e.g. ``demucs --two-stems vocals -o {folder} {input}``. It is run without a shell.
"""

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.os_errors import cause_of
from lipdub.errors import OptionError, ServiceError
from lipdub.process.child import run_child
from lipdub.words_to_sound.command_line import filled
from lipdub.words_to_sound.http_service import redacted

_PLACES = ("input", "output", "folder")
_SOUNDS = frozenset({".wav", ".flac", ".mp3", ".ogg", ".m4a"})
_WHOLE = re.compile(r"no[_ -]?vocals|instrumental|accompaniment|background", re.IGNORECASE)
"""Names that separators give to all that is not the voice."""

_PART = re.compile(r"other|music|effects|sfx|drums|bass|guitar|piano", re.IGNORECASE)
"""Names of stems without the voice, which are all that is not the voice only if there is one of them."""


NO_SEPARATOR = "none"
"""What a user names to have no separator, not even the one that is tried by default."""


def is_command(text: str) -> bool:
    """True if ``text`` is the command line of a program, not the name of a separator that is installed."""
    return "{" in text or len(text.split()) > 1


@dataclass(frozen=True, slots=True)
class SeparationProgram:
    """A program that takes the speech out of a sound.

    ``words`` are those of its command line, with the placeholders ``{input}`` and ``{output}`` (the file it writes) or
    ``{folder}`` (the folder into which it writes stems). ``timeout`` is in seconds.
    """

    words: tuple[str, ...]
    timeout: float = 6 * 3600.0

    @classmethod
    def parse(cls, text: str) -> "SeparationProgram":
        """The separator that the command line ``text`` runs. Raises ``OptionError`` if it cannot be read or run."""
        try:
            words = tuple(shlex.split(text))
        except ValueError as broken:
            raise OptionError(f"the separator's command '{redacted(text)}' cannot be read ({broken})") from broken
        places = [name for word in words for name in re.findall(r"\{(\w+)\}", word)]
        if "input" not in places or not {"output", "folder"} & set(places) or set(places) - set(_PLACES):
            raise OptionError(
                f"the separator's command '{redacted(text)}' needs {{input}}, and {{output}} or {{folder}}",
                remedy="Write one like: demucs --two-stems vocals -o {folder} {input}",
            )
        if shutil.which(words[0]) is None:
            raise OptionError(f"the separator '{words[0]}' is not installed or cannot be run")
        return cls(words)

    def separate(self, source: Path, folder: Path) -> Path:
        """Run the program on the sound file ``source``; the path of the music and effects, a file in ``folder``.

        Raises ``ServiceError`` if the program fails, takes longer than ``timeout``, or writes no file that looks like
        music and effects by its name, or several that are parts of them.
        """
        output = folder / "effects.wav"
        values = {"input": str(source), "output": str(output), "folder": str(folder)}
        command = filled(self.words, values)
        try:
            done = run_child(command, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"the separator {command[0]} did not finish within {self.timeout:g} s") from None
        except OSError as refused:
            raise OptionError(f"{command[0]} cannot be run: {cause_of(refused).what}") from refused
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            reason = f": {redacted(lines[-1].strip())[:200]}" if lines else ""
            raise ServiceError(f"the separator {command[0]} failed (exit {done.returncode}){reason}".rstrip("."))
        if any("{output}" in word for word in self.words) and output.is_file() and output.stat().st_size:
            return output
        stems = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SOUNDS and path != source]
        named = [path for path in stems if _WHOLE.search(_label(path))]
        named = named or [path for path in stems if _PART.search(_label(path))]
        written = ", ".join(path.name for path in stems) or "no sound"
        if not named:
            raise ServiceError(f"the separator {command[0]} wrote {written}; no file is named like music or effects")
        if len(named) > 1 and not _WHOLE.search(_label(named[0])):
            raise ServiceError(
                f"the separator {command[0]} wrote {written}; none of them is all that is not speech",
                remedy="Let it write two stems, e.g. demucs --two-stems vocals",
            )
        return named[0]


def _label(stem: Path) -> str:
    """What the name of a stem's file says about it: what is in brackets, as in ``talk_(Vocals)_model.wav``, or all."""
    bracketed = re.search(r"\(([^()]+)\)", stem.stem)
    return bracketed[1] if bracketed else stem.stem
