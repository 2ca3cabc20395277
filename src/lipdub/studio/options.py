"""What a user may choose about a dub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class DubOptions:
    """Choices for one dub; every one has a default that suits most clips."""

    engine: str = "exemplar"
    """Who makes the mouths; ``lipdub engines`` lists them."""

    face: str = "auto"
    """Whose mouth: auto (who speaks), left, right, largest, or X,Y@TIME (a point in the picture at a time)."""

    hearing: Literal["auto", "best", "light"] = "auto"
    """best: with the whisper encoder (145 MB, fetched if allowed); light: without; auto: with it if it is there."""

    seed: int = 0
    """Same seed, same bytes."""

    prior: Path | None = None
    """Speech-to-mouth prior trained on your own footage (python -m lipdub.train.prior)."""

    codec: str | None = None
    """Encoder of the picture; by default the source's own kind, visually lossless."""

    crf: int | None = None
    """Quality of the picture; lower is better and larger."""

    preset: str | None = None
    """Speed of the encoder, in its own words."""

    hardware: bool = False
    """Use a hardware encoder if there is one."""

    keep_original_audio: bool = False
    """Keep the old sound as a second track."""

    language: str | None = None
    """Language tag of the dub track, e.g. es."""

    overwrite: bool = False
    """Replace an output that exists."""

    page: bool = True
    """Write a review page (HTML) beside the output."""

    reuse: bool = True
    """Keep the study of the clip, so that the next dub of it starts at once."""

    consent: bool = False
    """You have the consent of the people in the footage; asked once per clip otherwise."""
