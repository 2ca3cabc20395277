"""Pronunciations that the user gives: one word or phrase a line, a tab, and its phones."""

import re
from collections.abc import Mapping
from pathlib import Path

from lipdub.errors import OptionError
from lipdub.words_to_sound.phones.english import possessive
from lipdub.words_to_sound.phones.front_ends import front_end
from lipdub.words_to_sound.phones.vocabulary import unknown_signs
from lipdub.words_to_sound.phones.written_numbers import written_out

Lexicon = Mapping[str, str]
"""Phones by word in lower case."""


def read_lexicon(path: Path) -> Lexicon:
    """The lexicon in the file ``path`` (UTF-8; empty lines and lines that start with # are left out).

    Raises ``OptionError`` if it cannot be read, for a line without a tab, and for phones that are not Kokoro's.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as broken:
        raise OptionError(
            f"the lexicon cannot be read ({broken})", file=path, remedy="Give a text file in UTF-8"
        ) from broken
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, phones = line.partition("\t")
        word, phones = word.strip().lower(), phones.strip().strip("/")
        if not tab or not word or not phones:
            raise OptionError(
                f"line {number} of the lexicon is not a word, a tab and phones: '{line[:40]}'",
                file=path,
                remedy="Write one word a line, e.g. Kokoro<TAB>kˈOkəɹO",
            )
        if unknown := unknown_signs(phones):
            raise OptionError(
                f"line {number} of the lexicon has signs that the voice does not know: {unknown}",
                file=path,
                remedy="docs/speech.md lists the signs; ˈ stands before the stressed vowel",
            )
        found[word] = phones
    return found


def phones_of(text: str, tag: str, lexicon: Lexicon) -> str:
    """The phones of ``text`` (as ``speakable_text`` gives it) in the language ``tag``; words of ``lexicon`` as it says.

    "" if nothing can be said. Raises what the front end raises.
    """
    end = front_end(tag)
    if not lexicon:
        return end.phones(written_out(text, tag))
    pattern = "|".join(re.escape(word) for word in sorted(lexicon, key=len, reverse=True))
    out = []
    for i, piece in enumerate(re.split(rf"(?<![^\W\d_])({pattern})(?![^\W\d_])", text, flags=re.IGNORECASE)):
        if i % 2:
            out.append(lexicon[piece.lower()])
        elif out and piece[:2] in ("'s", "’s") and tag.startswith("en"):
            out[-1] = possessive(out[-1], tag == "en-GB")
            out.append(end.phones(written_out(piece[2:], tag)))
        else:
            out.append(end.phones(written_out(piece, tag)))
    return re.sub(r"\s+([,.;:!?…)”])", r"\1", " ".join(filter(None, out))).strip()
