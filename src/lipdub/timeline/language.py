"""Language tags (BCP 47)."""

import re


def primary(tag: str) -> str:
    """The language of ``tag`` in lower case, without region and script: ``es`` for ``es-MX`` and ``ES_mx``."""
    return re.split(r"[-_]", tag.strip(), maxsplit=1)[0].lower()


def same_language(one: str, other: str) -> bool:
    """True if two tags name the same language, whatever the region."""
    return primary(one) == primary(other)
