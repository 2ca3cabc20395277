"""Notes for the report, grouped by kind, so that their number stays small however long the programme is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MOST = 3
"""Up to so many notes of one kind are given in full; if there are more, one note counts them and gives examples."""

_LONGEST = 100


def short(text: str, most: int = _LONGEST) -> str:
    """``text`` in one row of at most ``most`` characters, with "…" at the end if it was cut."""
    row = " ".join(text[: 4 * most].split())
    return row if len(row) <= most and len(text) <= 4 * most else f"{row[: most - 1].rstrip()}…"


def listed(names: Iterable[str], most: int = 10) -> str:
    """``names`` joined by commas: the first ``most`` of them, then how many more there are."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(short(name, 40) for name in every[:most]) + more


@dataclass(eq=False)
class Notes:
    """Sentences for the report, grouped by kind. Iterating gives them, kinds in the order in which they first came.

    At most ``MOST`` sentences of a kind are kept, so memory does not grow with the number of notes.
    """

    _kinds: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, text: str, example: str) -> None:
        """Add ``text``.

        ``kind`` is the sentence to use if there are many notes of this kind, with ``{}`` in place of their number;
        ``example`` is what identifies this one there.

        Example: ``add("{} cues are empty; left out", "cue 7 is empty; left out", "cue 7")``
        """
        texts, examples = self._kinds.setdefault(kind, ([], []))
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if len(texts) < MOST:
            texts.append(text)
            examples.append(example)

    def __iter__(self) -> Iterator[str]:
        for kind, (texts, examples) in self._kinds.items():
            count = self._counts[kind]
            if count <= MOST:
                yield from texts
            else:
                yield f"{kind.replace('{}', f'{count:,}', 1)}, e.g. {', '.join(examples)}"

    def __len__(self) -> int:
        return sum(count if count <= MOST else 1 for count in self._counts.values())
