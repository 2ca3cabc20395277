"""How terms are rendered: names that stay as they are, words that are always put the same way."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from lipdub.disk.json_text import parse_json
from lipdub.disk.regular_file import check_regular_file
from lipdub.errors import InputError

_HEADS = {"term", "source", "from", "original", "word"}


def read_glossary(path: Path) -> dict[str, str]:
    """``term -> rendering`` from a JSON object, or a table of two columns (.csv or .tsv, commas, semicolons or tabs).

    A term without a rendering stays as it is. A heading row ("term, rendering") and lines that start with # are
    skipped. Raises ``InputError`` if the file cannot be read or a term has two renderings.
    """
    check_regular_file(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as refused:
        raise InputError(f"the glossary cannot be read ({refused.strerror})", file=path) from refused
    except UnicodeDecodeError as wrong:
        raise InputError("the glossary is not UTF-8 text", file=path) from wrong
    pairs = _from_json(text, path) if path.suffix.lower() == ".json" else _from_table(text, path)
    glossary: dict[str, str] = {}
    for term, rendering in pairs:
        rendering = rendering or term
        if glossary.setdefault(term, rendering) != rendering:
            raise InputError(f"the glossary renders '{term}' as '{glossary[term]}' and '{rendering}'", file=path)
    return glossary


def relevant(glossary: Mapping[str, str], text: str) -> dict[str, str]:
    """The terms of ``glossary`` that stand in ``text`` as words, whatever their capitals."""
    return {term: rendering for term, rendering in glossary.items() if _stands(term, text)}


def missed(glossary: Mapping[str, str], source: str, translated: str) -> tuple[str, ...]:
    """The terms of ``source`` whose rendering does not begin a word of ``translated`` (endings may follow)."""
    asked = relevant(glossary, source)
    return tuple(term for term, rendering in asked.items() if not _stands(rendering, translated, ending=True))


def _stands(term: str, text: str, ending: bool = False) -> bool:
    """Whether ``term`` is in ``text`` from a word's start on; scripts without spaces have no such starts."""
    spaced = bool(re.match(r"\w", term)) and not re.match(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]", term)
    pattern = (r"(?<!\w)" if spaced else "") + re.escape(term) + (r"(?!\w)" if spaced and not ending else "")
    return re.search(pattern, text, re.IGNORECASE) is not None


def _from_json(text: str, path: Path) -> list[tuple[str, str]]:
    try:
        read = parse_json(text)
    except ValueError as wrong:
        raise InputError(f"the glossary is not JSON ({wrong})", file=path) from wrong
    if not isinstance(read, dict) or not all(isinstance(v, str | None) for v in read.values()):
        raise InputError('the glossary is not an object of texts, like {"dog": "perro", "Anna": ""}', file=path)
    return [(term.strip(), (rendering or "").strip()) for term, rendering in read.items() if term.strip()]


def _from_table(text: str, path: Path) -> list[tuple[str, str]]:
    rows = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    first = rows[0] if rows else ""
    mark = next((m for m in "\t;," if m in first), "\t" if path.suffix.lower() == ".tsv" else ",")
    pairs = []
    for number, row in enumerate(csv.reader(io.StringIO("\n".join(rows)), delimiter=mark), 1):
        cells = [cell.strip() for cell in row]
        if len(cells) > 2 and any(cells[2:]):
            raise InputError(f"row {number} of the glossary has more than a term and a rendering", file=path)
        if cells[0] and not (number == 1 and cells[0].lower() in _HEADS):
            pairs.append((cells[0], cells[1] if len(cells) > 1 else ""))
    return pairs
