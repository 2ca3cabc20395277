"""``command``: a translator that runs a program on this machine, e.g. ``command:apertium -u eng-spa``.

The program is run without a shell, once for each line: it reads the line from its standard input (or gets it as
``{text}``) and writes the translation to its standard output.
"""

import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.identity import command_file_stamps
from lipdub.errors import OptionError, ServiceError
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.command_line import check_placeholders, filled, has_placeholder, run_for_line, words_of
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.seam import ModelCard, TranslationRequest

_VERSION = 1  # raise when the same text gives another translation
_PLACES = ("text", "source", "target")


def make(detail: str = "") -> "CommandTranslator":
    """The translator that runs the command line ``detail``, which may hold ``{text}``, ``{source}`` and ``{target}``
    (languages, as ``es``). Raises ``OptionError`` if it cannot be read or its program is not installed."""
    words = words_of(detail)
    if not words:
        raise OptionError("the translator has no command", remedy="Write one like: command:apertium -u eng-spa")
    check_placeholders(words, _PLACES, "translator")
    if shutil.which(words[0]) is None:
        raise OptionError(f"the translator's program '{words[0]}' is not installed or cannot be run")
    return CommandTranslator(words)


@dataclass(frozen=True, slots=True)
class CommandTranslator:
    """A translator that runs the command line ``words`` for each line, for at most ``timeout`` seconds. It uses no
    neighbouring lines, no glossary and no lengths."""

    words: tuple[str, ...]
    timeout: float = 300.0

    @property
    def card(self) -> ModelCard:
        """What the report says about it: the program's name; its licence and languages are not known."""
        return ModelCard(f"command {Path(self.words[0]).name}", "not stated")

    @property
    def detail(self) -> str:
        """The text from which ``make`` makes this translator."""
        return shlex.join(self.words)

    def fingerprint(self) -> tuple[object, ...]:
        """All that its answers depend on, as far as that is known: the command, and the size and time of the files that
        it names."""
        return (_VERSION, self.words, command_file_stamps(self.words))

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """One text per request. Raises ``ServiceError``, with the line's time, if the program fails, takes too long or
        writes nothing."""
        return [text for _, text in self.translated(requests, language)]

    def translated(self, requests: Sequence[TranslationRequest], language: str) -> Iterator[tuple[int, str]]:
        """(index of a request, its text), one by one."""
        for index, request in enumerate(requests):
            yield index, self._answer(request.line, language)

    def _answer(self, line: Line, language: str) -> str:
        text = " ".join(line.text.split())
        values = {"text": text, "source": primary(line.language), "target": primary(language)}
        command = filled(self.words, values)
        given = "" if has_placeholder(self.words, "text") else f"{text}\n"
        done = run_for_line(command, given, self.timeout, text, line.span.start)
        answer = " ".join(done.stdout.decode("utf-8", "replace").split())
        if done.returncode != 0 or not answer:
            lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            told = next((row for row in lines if "error" in row.lower()), lines[-1] if lines else "")
            reason = f": {redacted(told.strip())[:200]}" if told else ""
            raise ServiceError(
                f"{command[0]} did not translate '{text[:40]}' (exit {done.returncode}){reason}".rstrip("."),
                at=line.span.start,
            )
        return answer
