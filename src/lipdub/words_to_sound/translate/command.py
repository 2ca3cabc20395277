"""``command``: a translator that runs a program on this machine, e.g. ``command:apertium -u eng-spa``.

The program is run without a shell, once for each line: it reads the line from its standard input (or gets it as
``{text}``) and writes the translation to its standard output.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipdub.disk.identity import command_file_stamps
from lipdub.disk.os_errors import cause_of
from lipdub.errors import OptionError, ServiceError
from lipdub.process.child import run_child
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.http_service import redacted
from lipdub.words_to_sound.seam import ModelCard, TranslationRequest

_VERSION = 1  # raise when the same text gives another translation
_PLACES = ("text", "source", "target")


def make(detail: str = "") -> "CommandTranslator":
    """The translator that runs the command line ``detail``, which may hold ``{text}``, ``{source}`` and ``{target}``
    (languages, as ``es``). Raises ``OptionError`` if it cannot be read or its program is not installed."""
    try:
        words = tuple(shlex.split(detail))
    except ValueError as broken:
        raise OptionError(f"the command '{redacted(detail)}' cannot be read ({broken})") from broken
    if not words:
        raise OptionError("the translator has no command", remedy="Write one like: command:apertium -u eng-spa")
    unknown = {name for word in words for name in re.findall(r"\{(\w+)\}", word)} - set(_PLACES)
    if unknown:
        raise OptionError(
            f"the translator's command has the unknown placeholder {{{sorted(unknown)[0]}}}",
            remedy=f"Known are {', '.join('{' + p + '}' for p in _PLACES)}",
        )
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
        command = [re.sub(r"\{(\w+)\}", lambda place: values[place[1]], word) for word in self.words]
        given = "" if any("{text}" in word for word in self.words) else f"{text}\n"
        try:
            environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
            done = run_child(command, given.encode(), self.timeout, environment)
        except subprocess.TimeoutExpired:
            late = f"{command[0]} did not finish within {self.timeout:g} s for '{text[:40]}'"
            raise ServiceError(late, at=line.span.start) from None
        except OSError as refused:
            raise OptionError(f"{command[0]} cannot be run: {cause_of(refused).what}") from refused
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
