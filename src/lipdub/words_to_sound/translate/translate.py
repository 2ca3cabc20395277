"""Lines translated so that they fit their spans; the same request is never sent twice."""

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
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.notes import Notes, short
from lipdub.words_to_sound.cache import FolderCache
from lipdub.words_to_sound.seam import TranslationRequest, Translator
from lipdub.words_to_sound.translate.glossary import missed_terms, relevant_terms
from lipdub.words_to_sound.translate.length_budget import excess_ratio, length_budget
from lipdub.words_to_sound.voices.speakable_text import speakable_text

_VERSION = 2  # raise when the same key stands for another answer
_FILE = "text.json"
_NOTED_EXCESS = 0.1  # of a line's span: the report notes a translation that takes longer


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """``glossary`` gives the rendering of terms; ``neighbours`` is how many lines before and after are sent with each.

    If a text takes longer than its span by more than ``slack`` (0.1: a tenth), a shorter one is asked for, at most
    ``shorter`` times. ``pace`` is that of the voice (1: natural). ``batch`` lines are translated at once.
    """

    glossary: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    neighbours: int = 2
    slack: float = 0.1
    shorter: int = 2
    pace: float = 1.0
    batch: int = 12


@dataclass(frozen=True, slots=True)
class TranslatedLine:
    """A ``line`` in the new language, with the id, span and speaker of the ``original``.

    ``tries`` is how often a shorter text was requested. ``over_by`` is by how much the shortest one takes longer than
    its span (0.2: a fifth; 0: it fits). ``missed_terms`` are those that are not rendered as the glossary says.
    """

    line: Line
    original: Line
    tries: int = 0
    over_by: float = 0.0
    missed_terms: tuple[str, ...] = ()


@runtime_checkable
class StreamingTranslator(Protocol):
    """A translator that answers line by line, so that the answers before an error are not lost."""

    def translated(self, requests: Sequence[TranslationRequest], language: str) -> Iterator[tuple[int, str]]:
        """(index of a request, its text), in any order."""
        ...


@runtime_checkable
class PairTranslator(Protocol):
    """A translator that can tell in advance whether it knows a pair of languages."""

    def check_pair(self, source: str, target: str) -> None:
        """Raises ``MissingExtra`` or ``WeightsError`` if it cannot translate ``source`` into ``target`` (BCP 47)."""
        ...


def translate_lines(
    lines: Sequence[Line],
    translator: Translator,
    language: str,
    options: TranslateOptions = TranslateOptions(),
    cache: FolderCache | None = None,
) -> Iterator[TranslatedLine]:
    """``lines`` in ``language``, in order. Lines without words are left out; those in ``language`` keep their text.

    Each answer is put into ``cache`` at once, so that a run that was stopped continues where it was. Raises what the
    translator raises.
    """
    answers = _AnswerCache(translator, language, cache)
    spoken = [line for line in lines if speakable_text(line.text, line.language)]
    for first in range(0, len(spoken), options.batch):
        batch = range(first, min(first + options.batch, len(spoken)))
        requests = {
            i: _request(spoken, i, language, options) for i in batch if not _is_in(language, spoken[i].language)
        }
        translated = _fitted(requests, answers, language, options)
        for index in batch:
            line = spoken[index]
            yield translated.get(index) or TranslatedLine(replace(line, language=language), line)


def translate_request(
    request: TranslationRequest, translator: Translator, language: str, cache: FolderCache | None = None
) -> str:
    """The translation for one ``request``, from ``cache`` if ``translate_lines`` or this function put it there."""
    return _AnswerCache(translator, language, cache).translate([request])[0]


def translation_notes(lines: Iterable[TranslatedLine]) -> Notes:
    """Notes for the report on translated lines that are too long, and on terms that the glossary renders otherwise."""
    notes = Notes()
    for translated in lines:
        text = f"'{short(translated.line.text)}'"
        if translated.over_by > _NOTED_EXCESS:
            many = "{} lines are too long for their time, and no shorter ones were found"
            long = f"{text} is {translated.over_by:.0%} too long for its time, and no shorter one was found"
            notes.add(many, long, f"{text} by {translated.over_by:.0%}")
        for term in map(short, translated.missed_terms):
            many = "terms in {} places are not rendered as the glossary says"
            notes.add(many, f"{text} does not render '{term}' as the glossary says", f"'{term}' in {text}")
    return notes


def _is_in(language: str, tag: str) -> bool:
    return bool(tag) and same_language(tag, language)


def _request(lines: Sequence[Line], index: int, language: str, options: TranslateOptions) -> TranslationRequest:
    """The request for line ``index``."""
    near, line = options.neighbours, lines[index]
    return TranslationRequest(
        line,
        length_budget(line.span, language, options.pace).characters,
        tuple(other.text for other in lines[max(index - near, 0) : index]),
        tuple(other.text for other in lines[index + 1 : index + 1 + near]),
        MappingProxyType(relevant_terms(options.glossary, line.text)),
    )


def _fitted(
    requests: Mapping[int, TranslationRequest], cache: "_AnswerCache", language: str, options: TranslateOptions
) -> dict[int, TranslatedLine]:
    """Translations for all of ``requests``. For texts that are too long, shorter ones are requested, as long as that
    makes them shorter."""

    def excess(index: int, text: str) -> float:
        return excess_ratio(text, requests[index].line.span, language, options.pace)

    best = dict(zip(requests, cache.translate(tuple(requests.values())), strict=True))
    tries = dict.fromkeys(requests, 0)
    long = [index for index in requests if excess(index, best[index]) > options.slack]
    for _ in range(options.shorter):
        answers = cache.translate([replace(requests[index], too_long=best[index]) for index in long])
        still_long = []
        for index, text in zip(long, answers, strict=True):
            tries[index] += 1
            if excess(index, text) < excess(index, best[index]):
                best[index] = text
                still_long += [index] if excess(index, text) > options.slack else []
        long = still_long
    return {
        index: TranslatedLine(
            replace(request.line, text=best[index], language=language, words=()),
            request.line,
            tries[index],
            round(excess(index, best[index]), 3),
            missed_terms(request.glossary, request.line.text, best[index]),
        )
        for index, request in requests.items()
    }


class _AnswerCache:
    """A translator with a cache, so that the same request is never sent twice."""

    def __init__(self, translator: Translator, language: str, cache: FolderCache | None) -> None:
        self._translator, self._language = translator, language
        self._cache, self._known = cache, {}

    def translate(self, requests: Sequence[TranslationRequest]) -> list[str]:
        """A text for each of ``requests``, from the cache or from the translator."""
        keys = [self._key(request) for request in requests]
        new = {key: request for key, request in zip(keys, requests, strict=True) if self._cached(key) is None}
        new_keys = list(new)
        for index, text in self._new_answers(list(new.values())):
            self._store(new_keys[index], text)
        return [self._known[key] for key in keys]

    def _new_answers(self, requests: list[TranslationRequest]) -> Iterable[tuple[int, str]]:
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
        """The name of an answer in the cache; it depends on all of the request and on the translator."""
        line = request.line
        parts = (
            *("adapted", _VERSION, self._translator.card.name, getattr(self._translator, "detail", "")),
            *(line.text, line.language, line.speaker, self._language, request.characters),
            *(request.before, request.after, sorted(request.glossary.items()), request.too_long),
            fingerprint_of(self._translator),
        )
        return "adapted-" + hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]

    def _cached(self, key: str) -> str | None:
        if key not in self._known and self._cache is not None:
            try:
                folder = self._cache(key, _not_cached)
            except _NotCached:
                return None
            self._known[key] = parse_json((folder / _FILE).read_text("utf-8"))
        return self._known.get(key)

    def _store(self, key: str, text: str) -> None:
        self._known[key] = text
        if self._cache is not None:
            self._cache(key, lambda folder: _write(folder / _FILE, text))


class _NotCached(Exception):
    """There is no answer of that name in the cache."""


def _not_cached(folder: Path) -> None:
    raise _NotCached


def _write(file: Path, text: str) -> None:
    file.write_text(json.dumps(text, ensure_ascii=False), "utf-8")
