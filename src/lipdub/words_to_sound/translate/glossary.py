"""The glossary: names that are not translated, and terms that have a fixed translation."""

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
    """Terms and their renderings from a JSON object, or from a table of two columns (commas, semicolons or tabs).

    A term without a rendering is rendered as itself. A heading row ("term, rendering") and rows that begin with # are
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


def relevant_terms(glossary: Mapping[str, str], text: str) -> dict[str, str]:
    """The entries of ``glossary`` whose terms occur in ``text`` as whole words, ignoring case."""
    return {term: rendering for term, rendering in glossary.items() if _occurs(term, text)}


def missed_terms(glossary: Mapping[str, str], source: str, translated: str) -> tuple[str, ...]:
    """The terms that occur in ``source`` though no word of ``translated`` begins with their rendering."""
    wanted = relevant_terms(glossary, source)
    return tuple(term for term, rendering in wanted.items() if not _occurs(rendering, translated, ending=True))


def _occurs(term: str, text: str, ending: bool = False) -> bool:
    """True if ``term`` occurs in ``text`` as a whole word, or, with ``ending``, as the beginning of one.

    In writing without spaces it may occur anywhere.
    """
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
