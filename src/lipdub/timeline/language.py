"""Languages by their tags (BCP 47)."""

import re


def primary(tag: str) -> str:
    """The language of a tag without region and script, in lower case: ``es`` of ``es-MX`` or ``ES_mx``."""
    return re.split(r"[-_]", tag.strip(), maxsplit=1)[0].lower()


def same_language(one: str, other: str) -> bool:
    """True if two tags name the same language, whatever the region."""
    return primary(one) == primary(other)
