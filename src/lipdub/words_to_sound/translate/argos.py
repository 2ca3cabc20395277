"""``argos``: a translator that uses Argos Translate's packages on this machine, without a network (extra ``argos``).

The packages (``.argosmodel``, MIT or CC0) are run by CTranslate2 (MIT) and SentencePiece (Apache-2.0) directly; the
Argos library itself would install spaCy, Stanza and torch. They are searched for in the given folder, or else in
``argos`` below ``LIPDUB_WEIGHTS`` and where Argos keeps them. Packages with the older ``bpe.model`` are not read.
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
from lipdub.words_to_sound.script.orthography import join_words, sentences
from lipdub.words_to_sound.seam import ModelCard, TranslationRequest
from lipdub.words_to_sound.translate.length_budget import duration_of
from lipdub.words_to_sound.voices.speakable_text import split_text

_PAGE = "https://www.argosopentech.com/argospm/index/"
_BEAM = 4
_HYPOTHESES = 8  # of which the shortest is taken if a text was too long
_VERSION = 2  # raise when the same text gives another translation
_LONGEST = 400  # characters that are translated at once; the models know single sentences only
_PIVOT = "en"
_TAGS = {"pb": "pt-BR", "zt": "zh-Hant"}
"""Codes of Argos that are no language tags."""
_TRADITIONAL = frozenset({"zh-hant", "zh-tw", "zh-hk", "zh-mo"})


def make(detail: str = "") -> "ArgosTranslator":
    """The translator with the packages in the folder ``detail`` ("": the usual folders).

    Raises ``OptionError`` if there is no such folder.
    """
    if detail and not Path(detail).expanduser().is_dir():
        raise OptionError("there is no such folder of Argos packages", file=detail)
    return ArgosTranslator((Path(detail).expanduser(),) if detail else usual_folders())


def usual_folders() -> tuple[Path, ...]:
    """The folders in which packages are searched for."""
    weights, own = os.environ.get("LIPDUB_WEIGHTS"), os.environ.get("ARGOS_PACKAGES_DIR")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (
        *((Path(weights) / "argos", Path(weights)) if weights else ()),
        *((Path(own),) if own else ()),
        data / "argos-translate" / "packages",
    )


@dataclass(frozen=True, slots=True)
class ArgosPackage:
    """An unpacked package that translates from ``source`` to ``target`` (BCP 47); each translation begins with the
    token ``prefix`` ("": none)."""

    folder: Path
    source: str
    target: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ArgosTranslator:
    """Translates with the packages in ``folders``, through English if there is none for a pair of languages. It uses no
    neighbouring lines and no glossary."""

    folders: tuple[Path, ...]

    @property
    def card(self) -> ModelCard:
        """What the report says about it; the languages are those of the packages."""
        return ModelCard("argos", "MIT", tuple(sorted({package.target for package in packages(self.folders)})))

    @property
    def detail(self) -> str:
        """The packages it uses."""
        return " ".join(sorted(f"{p.folder.name}" for p in packages(self.folders)))

    def fingerprint(self) -> tuple[object, ...]:
        """All that its answers depend on: versions, and the packages' model files by name, size and time."""
        files = [file for p in packages(self.folders) for file in (p.folder / "model").glob("*")]
        return (_VERSION, package_version("ctranslate2"), self.detail, file_stamps(files))

    def check_pair(self, source: str, target: str) -> None:
        """Raises ``WeightsError`` if no package translates the pair, ``MissingExtra`` if a library is not installed."""
        _libraries()
        self._route(source, target)

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """One text per request: the likeliest translation, or the shortest of eight if one was too long.

        Raises ``OptionError`` for a line without a language, ``WeightsError`` if no package translates the pair, and
        ``MissingExtra``.
        """
        return [text for _, text in self.translated(requests, language)]

    def translated(self, requests: Sequence[TranslationRequest], language: str) -> Iterator[tuple[int, str]]:
        """(index of a request, its text), one by one."""
        for index, request in enumerate(requests):
            line = request.line
            if not line.language:
                raise OptionError(f"the line '{line.text[:40]}' has no language", at=line.span.start)
            parts = [part for text in sentences(line.text, line.language) for part in split_text(text, _LONGEST)]
            for package in self._route(line.language, language):
                parts = [_translated(part, package, request) for part in parts]
            yield index, " ".join(join_words(parts, language).split())

    def _route(self, source: str, target: str) -> tuple[ArgosPackage, ...]:
        """The package from ``source`` to ``target``, or two, through English. Raises ``WeightsError`` if there is
        none."""
        every = packages(self.folders)[::-1]
        nearest_last = sorted(every, key=lambda p: (_nearness(p.source, source), _nearness(p.target, target)))
        pairs = {(primary(p.source), primary(p.target)): p for p in nearest_last}
        start, end = primary(source), primary(target)
        if (start, end) in pairs:
            return (pairs[start, end],)
        if (start, _PIVOT) in pairs and (_PIVOT, end) in pairs:
            return pairs[start, _PIVOT], pairs[_PIVOT, end]
        installed = ", ".join(f"{a} to {b}" for a, b in sorted(pairs)) or "none"
        raise WeightsError(
            f"there is no Argos package from '{source}' to '{target}' (installed: {installed})",
            remedy=f"Get it from {_PAGE} and put it into the folder argos below LIPDUB_WEIGHTS",
        )


def _nearness(tag: str, wanted: str) -> int:
    """How near the language ``tag`` is to the ``wanted`` one: 2 the same variety, 1 no variety, 0 another."""
    one, other = tag.lower().replace("_", "-"), wanted.lower().replace("_", "-")
    return 2 if one == other or {one, other} <= _TRADITIONAL else 1 if one == primary(one) else 0


def packages(folders: Sequence[Path]) -> tuple[ArgosPackage, ...]:
    """The packages in ``folders`` that can be read, in order. ``.argosmodel`` files are first unpacked beside
    themselves.

    Raises ``WeightsError`` for a damaged ``.argosmodel`` file.
    """
    found = []
    for folder in folders:
        for archive in sorted(folder.glob("*.argosmodel")) if folder.is_dir() else ():
            _unpack(archive)
        for meta in sorted(folder.glob("*/metadata.json")):
            if (package := _package(meta)) is not None:
                found.append(package)
    return tuple(found)


def _package(meta: Path) -> ArgosPackage | None:
    """The package that the file ``meta`` describes, or None if it is not one that can be read."""

    def tag(code: str) -> str:
        return _TAGS.get(code, code)

    try:
        metadata = parse_json(meta.read_text("utf-8"))
        source, target = str(metadata["from_code"]), str(metadata["to_code"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not (meta.parent / "model").is_dir() or not (meta.parent / "sentencepiece.model").is_file():
        return None
    return ArgosPackage(meta.parent, tag(source), tag(target), str(metadata.get("target_prefix") or ""))


def _unpack(archive: Path) -> None:
    """Unpack a package beside itself, if it is not unpacked yet. Raises ``WeightsError`` if it is damaged."""
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


def _translated(text: str, package: ArgosPackage, request: TranslationRequest) -> str:
    """``text`` translated by one package: the likeliest translation, or the shortest of some if it was too long."""
    model, tokenizer = _loaded(package.folder)
    hypotheses = _HYPOTHESES if request.too_long else 1
    prefix = [[package.prefix]] if package.prefix else None
    try:
        answers = model.translate_batch(
            [tokenizer.encode(text, out_type=str)],
            target_prefix=prefix,
            beam_size=max(_BEAM, hypotheses),
            num_hypotheses=hypotheses,
            length_penalty=0.0 if request.too_long else 1.0,
            replace_unknowns=True,
            max_decoding_length=4 * len(text) + 32,
        )
    except RuntimeError as failed:
        raise ServiceError(f"argos failed on '{text[:40]}' ({failed})", at=request.line.span.start) from failed
    texts = [_decoded(tokenizer, tokens, package.prefix) for tokens in answers[0].hypotheses]
    return min((t for t in texts if t), key=lambda t: duration_of(t, package.target), default=text)


def _decoded(tokenizer: Any, tokens: list[str], prefix: str) -> str:
    """``tokens`` as text; the mark of a word's start becomes a space."""
    own = tokens[1:] if prefix and tokens[:1] == [prefix] else tokens
    return tokenizer.decode_pieces(own).replace("\u2581", " ").strip()


def _libraries() -> tuple[Any, Any]:
    """The modules ``ctranslate2`` and ``sentencepiece``. Raises ``MissingExtra``."""
    with MissingExtra.guard("argos", "The translator argos"):
        import ctranslate2
        import sentencepiece
    return ctranslate2, sentencepiece


@cache
def _loaded(folder: Path) -> tuple[Any, Any]:
    """The model and the tokenizer of the package in ``folder``."""
    ctranslate2, sentencepiece = _libraries()
    try:
        model = ctranslate2.Translator(str(folder / "model"), device="cpu", compute_type="auto")
        return model, sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.model"))
    except (RuntimeError, ValueError, OSError) as broken:
        raise WeightsError(f"the Argos package cannot be loaded ({broken})", file=folder) from broken
