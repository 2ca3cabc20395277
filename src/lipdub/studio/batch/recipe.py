"""The recipe of a job: the digests of its inputs and the options that it names. Equal recipes give the same film."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lipdub.disk.identity import Identity, content_digest
from lipdub.studio.inputs import unreadable
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions

Recipe = dict[str, Any]
"""``inputs``: column -> SHA-256 of that file; ``options``: option -> its value, if it is not the default."""

NOT_IN_RECIPE = frozenset({"overwrite", "consent", "workers", "shared_store", "reuse", "sign_key", "sign_cert"})
"""Options that change nothing in the picture and the sound of the film."""


def input_files(request: DubRequest) -> dict[str, Path]:
    """Column -> the file that it names, of every file that a job reads."""
    speech, options = request.speech, request.options
    files = {
        "source": request.source,
        "audio": request.audio,
        "script": speech.script,
        "glossary": speech.glossary,
        "music_effects": speech.music_effects,
        "prior": options.prior,
    }
    return {column: path for column, path in files.items() if path is not None}


def recipe_of(request: DubRequest, digest: Callable[[Path], str]) -> Recipe:
    """The recipe of a request as JSON values. ``digest`` computes that of a file; what it raises is raised."""
    files = input_files(request)
    return {
        "inputs": {column: digest(path) for column, path in files.items()},
        "options": {**dict(_options(request, files.keys() | NOT_IN_RECIPE)), **_project(request)},
    }


def _options(request: DubRequest, left_out: frozenset[str] | set[str]) -> Iterator[tuple[str, Any]]:
    """The options that are not at their defaults, by name."""
    for options, usual in ((request.options, DubOptions()), (request.speech, SpeechOptions())):
        for one in fields(options):
            value = getattr(options, one.name)
            if one.name not in left_out and value != getattr(usual, one.name):
                yield one.name.rstrip("_"), _json(value)


def _project(request: DubRequest) -> dict[str, Any]:
    return {} if request.project is None else {"project": str(request.project.folder)}


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def changes(before: Mapping[str, Any], now: Recipe) -> tuple[str, ...]:
    """What differs between two recipes: names of columns, sorted."""
    names: set[str] = set()
    for part in ("inputs", "options"):
        old, new = before.get(part), now[part]
        old = old if isinstance(old, dict) else {}
        names |= {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return tuple(sorted(names))


@dataclass
class Digests:
    """Digests of files, each computed once for all jobs that read it."""

    known: dict[Path, tuple[Identity, str]] = field(default_factory=dict)

    def __call__(self, path: Path) -> str:
        """SHA-256 of the file's bytes. Raises ``InputError``."""
        try:
            identity = Identity.of(path)
            if path in self.known and self.known[path][0] == identity:
                return self.known[path][1]
            digest = content_digest(path)
        except OSError as refused:
            raise unreadable(path, refused) from refused
        self.known[path] = (identity, digest)
        return digest
