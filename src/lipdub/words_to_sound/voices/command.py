"""``command``: a voice that runs a program on this machine, which writes a WAV file.

Example: ``command:espeak-ng -v {language} -w {out} {text}``. The program is run without a shell, once for each line.
Without ``{text}`` in the command line, the text is written to its standard input.
"""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipdub.disk.identity import command_file_stamps
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import OptionError, ServiceError
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.command_line import check_placeholders, filled, has_placeholder, run_for_line, words_of
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.seam import ModelCard, VoiceReference
from lipdub.words_to_sound.voices.speakable_text import require_speakable
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level
from lipdub.words_to_sound.voices.wav import read_wav, write_wav

_VERSION = 1  # raise when the same line sounds otherwise
_PLACES = ("text", "language", "out", "pace", "reference", "reference_text")


def make(detail: str = "") -> "CommandVoice":
    """The voice that runs the command line ``detail``. Raises ``OptionError`` if it cannot be read.

    It must hold ``{out}`` (the file that the program writes), and may hold ``{text}``, ``{language}`` (BCP 47),
    ``{pace}`` (1: natural), ``{reference}`` (a WAV file of the person to imitate) and ``{reference_text}`` (what is
    said in it, empty if that is not known).
    """
    words = words_of(detail)
    if not has_placeholder(words, "out"):
        raise OptionError(
            f"the voice's command '{redacted(detail)}' has no {{out}}, the file that the program writes",
            remedy="Write one like: command:espeak-ng -v {language} -w {out} {text}",
        )
    check_placeholders(words, _PLACES, "voice")
    return CommandVoice(words)


@dataclass(frozen=True, slots=True)
class CommandVoice:
    """A voice that runs the command line ``words`` for each line, for at most ``timeout`` seconds."""

    words: tuple[str, ...]
    timeout: float = 300.0

    @property
    def card(self) -> ModelCard:
        """What the report says about it: the program's name; its licence and languages are not known."""
        return ModelCard(f"command {Path(self.words[0]).name}", "not stated")

    @property
    def detail(self) -> str:
        """The text from which ``make`` makes this voice."""
        return shlex.join(self.words)

    def fingerprint(self) -> tuple[object, ...]:
        """All that its sound depends on, as far as that is known: the command, and the size and time of the files that
        it names."""
        return (_VERSION, self.words, command_file_stamps(self.words))

    @property
    def needs_reference(self) -> bool:
        """True if the command line has ``{reference}`` or ``{reference_text}``."""
        return self._has("reference") or self._has("reference_text")

    @property
    def wants_reference_text(self) -> bool:
        """True if the command line has ``{reference_text}``."""
        return self._has("reference_text")

    def check_ready(self) -> None:
        """Raises ``OptionError`` if the program is not installed."""
        if shutil.which(self.words[0]) is None:
            raise OptionError(f"the voice's program '{self.words[0]}' is not installed or cannot be run")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at the sample rate that the program writes.

        Raises ``OptionError`` if the program is not installed, or needs a reference and there is none, and
        ``ServiceError`` if it fails, takes too long or writes no WAV file.
        """
        text = require_speakable(line.text, line.language)
        if not re.fullmatch(r"[A-Za-z0-9-]*", line.language):
            raise OptionError(f"'{line.language}' is not a language tag", at=line.span.start)
        with temporary_folder("voice") as folder:
            out = folder / "line.wav"
            values = {"text": text, "language": line.language, "out": str(out), "pace": f"{pace:.3f}"}
            if self.needs_reference:
                values["reference"] = str(self._reference_file(reference, folder))
                values["reference_text"] = reference.text if reference else ""
            self._run(filled(self.words, values), "" if self._has("text") else text, line)
            if not out.is_file() or out.stat().st_size == 0:
                raise ServiceError(f"{self.words[0]} wrote no sound for '{text[:40]}'", at=line.span.start)
            return trim_and_level(*read_wav(out.read_bytes(), self.words[0]))

    def _has(self, placeholder: str) -> bool:
        return has_placeholder(self.words, placeholder)

    def _reference_file(self, reference: VoiceReference | None, folder: Path) -> Path:
        if reference is None:
            raise OptionError("the voice's command has {reference}, but there is no sound of the speaker")
        path = folder / "reference.wav"
        path.write_bytes(write_wav(np.ascontiguousarray(reference.sound.samples[0]), reference.sound.rate))
        return path

    def _run(self, command: list[str], given: str, line: Line) -> None:
        """Run ``command`` with ``given`` on its standard input."""
        done = run_for_line(command, given, self.timeout, line.text, line.span.start)
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            reason = f": {redacted(lines[-1].strip())[:200]}" if lines else ""
            raise ServiceError(
                f"{command[0]} failed for '{line.text[:40]}' (exit {done.returncode}){reason}".rstrip("."),
                at=line.span.start,
            )
