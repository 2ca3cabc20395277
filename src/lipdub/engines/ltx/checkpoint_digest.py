"""A digest by which a checkpoint is known: of its latents, of LoRAs trained on it, of runs. Made without torch."""

import hashlib
from pathlib import Path

from lipdub.errors import WeightsError

DIGEST_KEY = "lipdub_base_digest"
"""Key of a LoRA's metadata: digest of the checkpoint that it was trained on."""

_SAMPLES, _SAMPLE_BYTES = 16, 1 << 16


def checkpoint_digest(path: Path) -> str:
    """SHA-256, in hexadecimal, of the file's size and of 16 samples of 64 KiB from its start to its end.

    The first sample holds the settings, so that 46 GB are known in a moment. Raises ``WeightsError`` if the file cannot
    be read.
    """
    digest = hashlib.sha256()
    try:
        add_samples(digest, path)
    except OSError as refused:
        raise WeightsError(f"the checkpoint cannot be read ({refused.strerror})", file=path) from refused
    return digest.hexdigest()


def add_samples(digest: "hashlib._Hash", path: Path) -> None:
    """Add the file's size and 16 samples of 64 KiB, from its start to its end, to ``digest``. Raises ``OSError``."""
    size = path.stat().st_size
    digest.update(f"{size}|".encode())
    with path.open("rb") as file:
        for i in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * i // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
