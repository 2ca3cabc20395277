"""Every line in another language, short enough for its span, with nothing asked for twice."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from lipdub.disk.json_text import parse_json
from lipdub.errors import ServiceError
from lipdub.plugins import fingerprint_of
from lipdub.timeline.language import primary
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.seam import TranslationRequest, Translator
from lipdub.words_to_sound.translate.glossary import missed, relevant
from lipdub.words_to_sound.translate.length_budget import budget, over
from lipdub.words_to_sound.voices.spoken import Keep
from lipdub.words_to_sound.voices.text import sayable

_VERSION = 2
_FILE = "text.json"


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """``glossary`` term -> rendering; ``neighbours`` before and after that a translator is told.

    A text may be ``slack`` longer than its span (0.1: a tenth) before a shorter one is asked for, ``shorter`` times at
    most; ``pace`` is the voice's (1: natural). ``batch`` lines are asked for at once.
    """

    glossary: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    neighbours: int = 2
    slack: float = 0.1
    shorter: int = 2
    pace: float = 1.0
    batch: int = 12


@dataclass(frozen=True, slots=True)
class TranslatedLine:
    """A ``line`` in the new language, with the span and speaker of the ``original``.

    ``tries`` is how often a shorter one was asked for, ``over_by`` by how much the shortest is still longer than its
    span (0: it fits), ``missed`` the terms of the glossary that are not rendered as it says.
    """

    line: Line
    original: Line
    tries: int = 0
    over_by: float = 0.0
    missed: tuple[str, ...] = ()


@runtime_checkable
class StreamingTranslator(Protocol):
    """What a translator can do besides: answer as it goes, so that nothing is lost when it fails."""

    def translated(self, requests: Sequence[TranslationRequest], language: str) -> Iterator[tuple[int, str]]:
        """(index of a request, its text), in any order."""
        ...


@runtime_checkable
class PairTranslator(Protocol):
    """What a translator can do besides: say at once whether it can put one language into another."""

    def ready(self, source: str, target: str) -> None:
        """Raises ``MissingExtra`` or ``WeightsError`` if it cannot."""
        ...


def translate_lines(
    lines: Sequence[Line],
    translator: Translator,
    language: str,
    options: TranslateOptions = TranslateOptions(),
    keep: Keep | None = None,
) -> Iterator[TranslatedLine]:
    """``lines`` in ``language``, in order. Lines without words are left out; those in ``language`` pass as they are.

    ``keep`` holds every answer as soon as it is there, so that a run that was stopped goes on where it was. Raises
    what the translator raises.
    """
    memory = _Memory(translator, language, keep)
    spoken = [line for line in lines if sayable(line.text, line.language)]
    for first in range(0, len(spoken), options.batch):
        batch = range(first, min(first + options.batch, len(spoken)))
        asked = {i: _request(spoken, i, language, options) for i in batch if not _passes(spoken[i], language)}
        done = _fitted(asked, memory, language, options)
        for index in batch:
            yield (
                done[index]
                if index in done
                else TranslatedLine(replace(spoken[index], language=language), spoken[index])
            )


def asked_once(request: TranslationRequest, translator: Translator, language: str, keep: Keep | None = None) -> str:
    """The answer to one ``request``, as ``translate_lines`` would have kept it: the same thing is never asked twice."""
    return _Memory(translator, language, keep).answers([request])[0]


def _passes(line: Line, language: str) -> bool:
    return bool(line.language) and primary(line.language) == primary(language)


def _request(lines: Sequence[Line], index: int, language: str, options: TranslateOptions) -> TranslationRequest:
    """What is asked for line ``index``."""
    near, line = options.neighbours, lines[index]
    return TranslationRequest(
        line,
        budget(line.span, language, options.pace).characters,
        tuple(other.text for other in lines[max(index - near, 0) : index]),
        tuple(other.text for other in lines[index + 1 : index + 1 + near]),
        MappingProxyType(relevant(options.glossary, line.text)),
    )


def _fitted(
    asked: Mapping[int, TranslationRequest], memory: "_Memory", language: str, options: TranslateOptions
) -> dict[int, TranslatedLine]:
    """Texts for all of ``asked``; shorter ones are asked for while some are too long and get shorter."""

    def excess(index: int, text: str) -> float:
        return over(text, asked[index].line.span, language, options.pace)

    best = dict(zip(asked, memory.answers(tuple(asked.values())), strict=True))
    tries = dict.fromkeys(asked, 0)
    long = [index for index in asked if excess(index, best[index]) > options.slack]
    for _ in range(options.shorter):
        answers = memory.answers([replace(asked[index], too_long=best[index]) for index in long])
        left = []
        for index, text in zip(long, answers, strict=True):
            tries[index] += 1
            if excess(index, text) < excess(index, best[index]):
                best[index] = text
                left += [index] if excess(index, text) > options.slack else []
        long = left
    return {
        index: TranslatedLine(
            replace(request.line, text=best[index], language=language, words=()),
            request.line,
            tries[index],
            round(excess(index, best[index]), 3),
            missed(request.glossary, request.line.text, best[index]),
        )
        for index, request in asked.items()
    }


class _Memory:
    """A translator that is never asked the same thing twice."""

    def __init__(self, translator: Translator, language: str, keep: Keep | None) -> None:
        self._translator, self._language = translator, language
        self._keep, self._known = keep, {}

    def answers(self, requests: Sequence[TranslationRequest]) -> list[str]:
        """A text for each of ``requests``: those that are known, and the others as the translator answers them."""
        keys = [self._key(request) for request in requests]
        new = {key: request for key, request in zip(keys, requests, strict=True) if self._recalled(key) is None}
        wanted = list(new)
        for index, text in self._asked(list(new.values())):
            self._store(wanted[index], text)
        return [self._known[key] for key in keys]

    def _asked(self, requests: list[TranslationRequest]) -> Iterable[tuple[int, str]]:
        if not requests:
            return
        count = 0
        if isinstance(self._translator, StreamingTranslator):
            answers = self._translator.translated(requests, self._language)
        else:
            answers = enumerate(self._translator.translate(requests, self._language))
        for index, text in answers:
            count += 1
            yield index, text
        if count != len(requests):
            name = self._translator.card.name
            raise ServiceError(f"the translator {name} answered {count} lines where {len(requests)} were asked for")

    def _key(self, request: TranslationRequest) -> str:
        """The name of an answer: changes with everything that is asked."""
        line = request.line
        parts = (
            *("adapted", _VERSION, self._translator.card.name, getattr(self._translator, "detail", "")),
            *(line.text, line.language, line.speaker, self._language, request.characters),
            *(request.before, request.after, sorted(request.glossary.items()), request.too_long),
            fingerprint_of(self._translator),
        )
        return "adapted-" + hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]

    def _recalled(self, key: str) -> str | None:
        if key not in self._known and self._keep is not None:
            try:
                folder = self._keep(key, _not_there)
            except _Absent:
                return None
            self._known[key] = parse_json((folder / _FILE).read_text("utf-8"))
        return self._known.get(key)

    def _store(self, key: str, text: str) -> None:
        self._known[key] = text
        if self._keep is not None:
            self._keep(key, lambda folder: _write(folder / _FILE, text))


class _Absent(Exception):
    """Nothing is kept under that name."""


def _not_there(folder: Path) -> None:
    raise _Absent


def _write(file: Path, text: str) -> None:
    file.write_text(json.dumps(text, ensure_ascii=False), "utf-8")
