"""``argos``: Argos Translate's packages on this machine, without a network (extra ``argos``).

The packages (``.argosmodel``, MIT or CC0) are read straight with CTranslate2 (MIT) and SentencePiece (Apache-2.0); the
Argos library itself would bring spaCy, Stanza and torch. Looked for in the folder that is given, in ``argos`` below
``LIPDUB_WEIGHTS``, and where Argos keeps its own. Packages with the older ``bpe.model`` are not read.
"""

import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lipdub.disk.identity import file_stamps
from lipdub.disk.json_text import parse_json
from lipdub.disk.temporary_folder import temporary_folder_in
from lipdub.errors import MissingExtra, OptionError, ServiceError, WeightsError
from lipdub.plugins import package_version
from lipdub.timeline.language import primary
from lipdub.words_to_sound.seam import Card, TranslationRequest
from lipdub.words_to_sound.translate.length_budget import duration_of
from lipdub.words_to_sound.voices.text import sentences

_PAGE = "https://www.argosopentech.com/argospm/index/"
_BEAM = 4
_WAYS = 8  # that are looked at where a text was too long
_VERSION = 1  # raise when the same text gives another
_LONGEST = 400  # characters translated at one go
_PIVOT = "en"


def make(detail: str = "") -> "ArgosTranslator":
    """The translator of the packages in the folder ``detail`` ("": the usual ones).

    Raises ``OptionError`` if there is no such folder.
    """
    if detail and not Path(detail).expanduser().is_dir():
        raise OptionError("there is no such folder of Argos packages", file=detail)
    return ArgosTranslator((Path(detail).expanduser(),) if detail else usual_folders())


def usual_folders() -> tuple[Path, ...]:
    """Where packages are looked for."""
    weights, own = os.environ.get("LIPDUB_WEIGHTS"), os.environ.get("ARGOS_PACKAGES_DIR")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (
        *((Path(weights) / "argos", Path(weights)) if weights else ()),
        *((Path(own),) if own else ()),
        data / "argos-translate" / "packages",
    )


@dataclass(frozen=True, slots=True)
class Package:
    """An unpacked package: ``source`` and ``target`` as its codes name them; ``prefix`` begins each target."""

    folder: Path
    source: str
    target: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ArgosTranslator:
    """The packages in ``folders``; without one for a pair, English is gone through. Knows no neighbours or glossary."""

    folders: tuple[Path, ...]

    @property
    def card(self) -> Card:
        """Who it is; languages are those of the packages that are there."""
        return Card("argos", "MIT", tuple(sorted({package.target for package in packages(self.folders)})))

    @property
    def detail(self) -> str:
        """The packages it uses."""
        return " ".join(sorted(f"{p.folder.name}" for p in packages(self.folders)))

    def fingerprint(self) -> tuple[object, ...]:
        """What its answers depend on: versions, and the packages' model files by name, size and time."""
        files = [file for p in packages(self.folders) for file in (p.folder / "model").glob("*")]
        return (_VERSION, package_version("ctranslate2"), self.detail, file_stamps(files))

    def ready(self, source: str, target: str) -> None:
        """Raises ``WeightsError`` if no package serves, ``MissingExtra`` without what runs it."""
        _programs()
        self._way(source, target)

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """One text per request; the shortest of eight where one was too long.

        Raises ``OptionError`` if a line does not say its language, ``WeightsError`` if no package serves, and
        ``MissingExtra``.
        """
        return [text for _, text in self.translated(requests, language)]

    def translated(self, requests: Sequence[TranslationRequest], language: str) -> Iterator[tuple[int, str]]:
        """(index, text) one by one."""
        for index, request in enumerate(requests):
            line = request.line
            if not line.language:
                raise OptionError(f"the line '{line.text[:40]}' does not say its language", at=line.span.start)
            parts = list(sentences(line.text, _LONGEST))
            for package in self._way(line.language, language):
                parts = [_put(part, package, request) for part in parts]
            yield index, " ".join(" ".join(parts).split())

    def _way(self, source: str, target: str) -> tuple[Package, ...]:
        """One package, or two that meet in English."""
        pairs = {(primary(p.source), primary(p.target)): p for p in reversed(packages(self.folders))}
        start, end = primary(source), primary(target)
        if (start, end) in pairs:
            return (pairs[start, end],)
        if (start, _PIVOT) in pairs and (_PIVOT, end) in pairs:
            return pairs[start, _PIVOT], pairs[_PIVOT, end]
        there = ", ".join(f"{a} to {b}" for a, b in sorted(pairs)) or "none"
        raise WeightsError(
            f"there is no Argos package from '{source}' to '{target}' (there are: {there})",
            remedy=f"Get it from {_PAGE} and put it into the folder argos below LIPDUB_WEIGHTS",
        )


def packages(folders: Sequence[Path]) -> tuple[Package, ...]:
    """The packages in ``folders`` that can be read, first found first; ``.argosmodel`` files are unpacked beside."""
    found = []
    for folder in folders:
        for archive in sorted(folder.glob("*.argosmodel")) if folder.is_dir() else ():
            _unpack(archive)
        for meta in sorted(folder.glob("*/metadata.json")):
            if (package := _package(meta)) is not None:
                found.append(package)
    return tuple(found)


def _package(meta: Path) -> Package | None:
    """The package that ``meta`` describes, if it is one that translates and can be read."""
    try:
        told = parse_json(meta.read_text("utf-8"))
        source, target = str(told["from_code"]), str(told["to_code"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not (meta.parent / "model").is_dir() or not (meta.parent / "sentencepiece.model").is_file():
        return None
    return Package(meta.parent, source, target, str(told.get("target_prefix") or ""))


def _unpack(archive: Path) -> None:
    """Unpack a package beside itself, unless that was done. Raises ``WeightsError`` if it is damaged."""
    try:
        with zipfile.ZipFile(archive) as file:
            tops = {name.split("/")[0] for name in file.namelist()}
            if len(tops) != 1 or any(".." in name or name.startswith(("/", "\\")) for name in file.namelist()):
                raise WeightsError("the Argos package is damaged: it does not hold one folder", file=archive)
            top = tops.pop()
            if (archive.parent / top).exists():
                return
            with temporary_folder_in(archive.parent, ".lipdub-argos-") as partial:
                file.extractall(partial)
                (partial / top).rename(archive.parent / top)
    except (OSError, zipfile.BadZipFile) as broken:
        raise WeightsError(f"the Argos package cannot be unpacked ({broken})", file=archive) from broken


def _put(text: str, package: Package, request: TranslationRequest) -> str:
    """``text`` through one package: the likeliest way, or, where that was too long, the shortest of some."""
    model, pieces = _loaded(package.folder)
    ways = _WAYS if request.too_long else 1
    prefix = [[package.prefix]] if package.prefix else None
    try:
        answers = model.translate_batch(
            [pieces.encode(text, out_type=str)],
            target_prefix=prefix,
            beam_size=max(_BEAM, ways),
            num_hypotheses=ways,
            length_penalty=0.0 if request.too_long else 1.0,
            replace_unknowns=True,
            max_decoding_length=4 * len(text) + 32,
        )
    except RuntimeError as failed:
        raise ServiceError(f"argos failed on '{text[:40]}' ({failed})", at=request.line.span.start) from failed
    texts = [_joined(pieces, tokens, package.prefix) for tokens in answers[0].hypotheses]
    return min((t for t in texts if t), key=lambda t: duration_of(t, package.target), default=text)


def _joined(pieces: Any, tokens: list[str], prefix: str) -> str:
    """Pieces as text; what marks a word's start becomes a space."""
    own = tokens[1:] if prefix and tokens[:1] == [prefix] else tokens
    return pieces.decode_pieces(own).replace("\u2581", " ").strip()


def _programs() -> tuple[Any, Any]:
    """The modules ``ctranslate2`` and ``sentencepiece``. Raises ``MissingExtra``."""
    with MissingExtra.guard("argos", "The translator argos"):
        import ctranslate2
        import sentencepiece
    return ctranslate2, sentencepiece


@cache
def _loaded(folder: Path) -> tuple[Any, Any]:
    """The model and the pieces of the package in ``folder``."""
    ctranslate2, sentencepiece = _programs()
    try:
        model = ctranslate2.Translator(str(folder / "model"), device="cpu", compute_type="auto")
        return model, sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.model"))
    except (RuntimeError, ValueError, OSError) as broken:
        raise WeightsError(f"the Argos package cannot be loaded ({broken})", file=folder) from broken
