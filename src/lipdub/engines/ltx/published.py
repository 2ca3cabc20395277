"""The published files of LTX-2.3 and Dub-It: their names, sizes and licences, as they were on ``READ_ON``.

They were never downloaded in the development of lipdub, and the hub was not reached: names, sizes and what is gated are
from the publisher's list of models for LTX-2.3 (github.com/Lightricks/LTX-2, MODELS-LTX-2.3.md) and from public lists
of these files with sizes and SHA-256, which agree with each other. The Dub-It LoRA was published as LipDub until August
2026; the repository's old name is forwarded to the new one, the old file is gone. Before a download the hub is asked
for sizes and digests, and what it says is shown (``hub.fetch``).
"""

from dataclasses import dataclass

READ_ON = "28 November 2026"
"""The day on which the names and sizes were read."""

LICENCE = "LTX-2.x Community License"
"""The licence of the weights: paid above 10 million USD of yearly revenue; AI content must be disclosed; nobody may be
impersonated without consent; no competing product."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file or folder to download: ``what`` it is, its published ``name``, and other names for it (``also``).

    ``bytes``: its approximate size. ``repo``: its repository (owner/name) on the Hugging Face hub. None: not known.
    ``folder``: True for a folder of files. ``gated``: the licence must be accepted on its page before the download.
    """

    name: str
    what: str
    licence: str
    bytes: int | None = None
    repo: str | None = None
    gated: bool = True
    folder: bool = False
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it may have, the preferred one first."""
        return (self.name, *self.also)

    @property
    def summary(self) -> str:
        """Description, name, size and licence, for the user to read before a download."""
        size = "size not known" if self.bytes is None else f"about {self.bytes / 1e9:.3g} GB"
        gate = ", to be accepted on its page" if self.gated else ""
        return f"{self.what} ({self.name}, {size}, {self.licence}{gate})"


_MODEL = "Lightricks/LTX-2.3"

CHECKPOINT = PublishedFile(
    "ltx-2.3-22b-distilled-1.1.safetensors",
    "the distilled checkpoint",
    LICENCE,
    bytes=46_149_345_334,
    repo=_MODEL,
    gated=False,
    also=("ltx-2.3-22b-distilled.safetensors",),
)
UPSAMPLER = PublishedFile(
    "ltx-2.3-spatial-upscaler-x2-1.1.safetensors",
    "the x2 upsampler",
    LICENCE,
    bytes=995_743_560,
    repo=_MODEL,
    gated=False,
    also=("ltx-2.3-spatial-upscaler-x2-1.0.safetensors", "ltx-2.3-spatial-upscaler-x2.safetensors"),
)
TEXT_ENCODER = PublishedFile(
    "Gemma-3-12B",
    "the text encoder's folder",
    "Google's Gemma terms",
    bytes=24_414_000_000,
    repo="google/gemma-3-12b-it-qat-q4_0-unquantized",
    folder=True,
)
DUBIT = PublishedFile(
    "ltx-2.3-22b-ic-lora-dubit-0.9.safetensors",
    "the Dub-It LoRA",
    LICENCE,
    bytes=2_466_665_072,
    repo="Lightricks/LTX-2.3-22b-IC-LoRA-DubIt",
    also=("ltx-2.3-22b-ic-lora-lipdub-0.9.safetensors",),
)

LTX = (CHECKPOINT, UPSAMPLER, TEXT_ENCODER, DUBIT)
"""Everything that the engine needs, in the order of download."""

TOTAL_GB = round(sum(file.bytes or 0 for file in LTX) / 1e9)
"""The size of all files together, in GB of 10^9 bytes."""
