"""The mark in a file's metadata that says that it is synthetic."""

from pathlib import Path

from lipdub.media.container import open_input

TAG = "synthetic_media"
"""Name of the tag. Containers write names of tags in capitals or not."""


def synthetic_mark(file: Path) -> str:
    """What the mark in the metadata of ``file`` says; "" if there is none. Raises ``InputError`` if the file cannot be
    read or is not media."""
    with open_input(file) as source:
        found = {name.lower(): value for name, value in source.metadata.items()}
    return found.get(TAG, "")
