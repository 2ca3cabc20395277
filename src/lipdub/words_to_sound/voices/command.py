"""``command``: any program on this machine that writes a WAV file.

``command:espeak-ng -v {language} -w {out} {text}``. It is run without a shell, once a line. Without ``{text}`` the
text is written to its standard input.
"""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipdub.disk.identity import command_file_stamps
from lipdub.disk.os_errors import cause_of
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import OptionError, ServiceError
from lipdub.process.child import run_child
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import Card, VoiceReference
from lipdub.words_to_sound.service import shown
from lipdub.words_to_sound.voices.finish import finished
from lipdub.words_to_sound.voices.text import words_for
from lipdub.words_to_sound.voices.wav import read_wav, write_wav

_VERSION = 1  # raise when the same line sounds otherwise
_PLACES = ("text", "language", "out", "pace", "reference")


def make(detail: str = "") -> "CommandVoice":
    """The program that the command line ``detail`` runs. Raises ``OptionError`` if it cannot be read.

    It holds ``{out}``, where the program writes, and may hold ``{text}``, ``{language}`` (BCP 47), ``{pace}`` (1 is
    natural) and ``{reference}`` (a WAV file of the speaker).
    """
    try:
        words = tuple(shlex.split(detail))
    except ValueError as broken:
        raise OptionError(f"the command '{shown(detail)}' cannot be read ({broken})") from broken
    if not words or not any("{out}" in word for word in words):
        raise OptionError(
            f"the voice's command '{shown(detail)}' does not say where it writes",
            remedy="Write one like: command:espeak-ng -v {language} -w {out} {text}",
        )
    unknown = {name for word in words for name in re.findall(r"\{(\w+)\}", word)} - set(_PLACES)
    if unknown:
        raise OptionError(
            f"the voice's command holds {{{sorted(unknown)[0]}}}, which nothing is known for",
            remedy=f"Known are {', '.join('{' + p + '}' for p in _PLACES)}",
        )
    return CommandVoice(words)


@dataclass(frozen=True, slots=True)
class CommandVoice:
    """``words`` of the command line; ``timeout`` in seconds for a line."""

    words: tuple[str, ...]
    timeout: float = 300.0

    @property
    def card(self) -> Card:
        """Who it is: the program's own name; what it does with words is not known."""
        return Card(f"command {Path(self.words[0]).name}", "not stated")

    @property
    def detail(self) -> str:
        """What ``make`` makes it from."""
        return shlex.join(self.words)

    def fingerprint(self) -> tuple[object, ...]:
        """What its sound depends on, as far as it can be known: the command, and the files it names by size and
        time."""
        return (_VERSION, self.words, command_file_stamps(self.words))

    @property
    def mimics(self) -> bool:
        """True if the command has a place for ``{reference}``."""
        return self._asks("reference")

    def ready(self) -> None:
        """Raises ``OptionError`` if there is no such program."""
        if shutil.which(self.words[0]) is None:
            raise OptionError(f"the voice's program '{self.words[0]}' is not there or cannot be run")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at the rate the program writes.

        Raises ``OptionError`` if it asks for a reference and there is none or there is no such program, and
        ``ServiceError`` if it fails, takes too long or writes no WAV file.
        """
        text = words_for(line.text, line.language)
        if not re.fullmatch(r"[A-Za-z0-9-]*", line.language):
            raise OptionError(f"'{line.language}' is no language", at=line.span.start)
        with temporary_folder("voice") as folder:
            out = folder / "line.wav"
            values = {"text": text, "language": line.language, "out": str(out), "pace": f"{pace:.3f}"}
            if self._asks("reference"):
                values["reference"] = str(self._written(reference, folder))
            self._run([_filled(word, values) for word in self.words], None if self._asks("text") else text, line)
            if not out.is_file() or out.stat().st_size == 0:
                raise ServiceError(f"{self.words[0]} wrote no sound for '{text[:40]}'", at=line.span.start)
            return finished(*read_wav(out.read_bytes(), self.words[0]))

    def _asks(self, place: str) -> bool:
        return any("{" + place + "}" in word for word in self.words)

    def _written(self, reference: VoiceReference | None, folder: Path) -> Path:
        if reference is None:
            raise OptionError("the voice's command asks for {reference}, and there is no sound of the speaker")
        path = folder / "reference.wav"
        path.write_bytes(write_wav(np.ascontiguousarray(reference.sound.samples[0]), reference.sound.rate))
        return path

    def _run(self, command: list[str], given: str | None, line: Line) -> None:
        """Run ``command`` with ``given`` on its standard input."""
        try:
            environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
            done = run_child(command, (given or "").encode(), self.timeout, environment)
        except subprocess.TimeoutExpired:
            raise ServiceError(
                f"{command[0]} did not finish within {self.timeout:g} s for '{line.text[:40]}'", at=line.span.start
            ) from None
        except OSError as refused:
            raise OptionError(f"{command[0]} cannot be run: {cause_of(refused).what}") from refused
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            said = f": {shown(lines[-1])[:200]}" if lines else ""
            raise ServiceError(
                f"{command[0]} failed for '{line.text[:40]}' (exit {done.returncode}){said}".rstrip("."),
                at=line.span.start,
            )


def _filled(word: str, values: dict[str, str]) -> str:
    """``word`` with its places filled; what is filled in is not looked at again."""
    return re.sub(r"\{(\w+)\}", lambda place: values.get(place[1], place[0]), word)
