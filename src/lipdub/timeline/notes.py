"""Notes for the report that stay few, however many lines gave cause for one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MOST = 3
"""Notes of one kind that are told one by one; of more, as many are told as examples."""

_LONGEST = 100


def short(text: str, most: int = _LONGEST) -> str:
    """``text`` in one row of at most ``most`` characters."""
    row = " ".join(text[: 4 * most].split())
    return row if len(row) <= most and len(text) <= 4 * most else f"{row[: most - 1].rstrip()}…"


def listed(names: Iterable[str], most: int = 10) -> str:
    """``names`` with commas; beyond ``most`` only how many more there are."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(short(name, 40) for name in every[:most]) + more


@dataclass(eq=False)
class Notes:
    """Sentences, grouped by kind. Iterating gives what is to be told, in the order in which the kinds first came.

    Memory and length do not grow with what is added.
    """

    _kinds: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, text: str, example: str) -> None:
        """Note ``text``. ``kind`` says it of many, with ``{}`` for how many; ``example`` is which one this is.

        ``add("{} cues are empty; left out", "cue 7: it is empty; left out", "cue 7")``
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
