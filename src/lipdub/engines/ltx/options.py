"""The options of the LTX engine, and how they are read from text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from lipdub.errors import OptionError

DEVICES = ("auto", "cuda", "cuda:1", "mps", "cpu")
"""Examples of devices on which the model may run."""

SIZE_STEP = 64
"""Width and height of generated frames are multiples of this."""

MIN_FRAMES = 9
"""Smallest number of frames in a window: two latent frames."""


@dataclass(frozen=True, slots=True)
class LtxOptions:
    """The options of the LTX engine.

    ``device``: where the model runs (``cuda``, ``cuda:1``, ``mps``, ``cpu``); ``auto`` needs a GPU.
    ``size``: the crop that the model sees has about ``size`` x ``size`` pixels; a multiple of 64.
    ``frames``: how many frames are generated at once, 8 k + 1; more frames need more memory.
    ``overlap``: frames that two such windows share, at most a third of ``frames``.
    ``reference_strength``: 0..1, how strongly the filmed picture is kept.
    ``speech_noise``: 0..1, white noise that the model hears on the dub track, as a part of the speech's RMS; 0.03 is 30
    dB below the speech. The track in the film stays as it is. Users of LTX-2.3 report faces that stand still if the
    speech that they follow is very clean, and that slight noise on it helps.
    ``who``: the speaker as seen, for the prompt (``A woman``).
    ``prompt``: replaces the prompt; ``{who}``, ``{language}`` and ``{words}`` in it are filled in.
    ``attention``: diffusers' name of the attention that is used (``flash``, ``sage``, ``_native_cudnn`` ...).
    ``compile``: compile the transformer's blocks, which takes a minute once; not where they are streamed.

    Raises ``OptionError`` for values that are not possible.
    """

    device: str = "auto"
    size: int = 768
    frames: int = 121
    overlap: int = 24
    reference_strength: float = 1.0
    speech_noise: float = 0.0
    who: str = "A person"
    prompt: str = ""
    attention: str = "native"
    compile: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise OptionError(f"the LTX engine knows no device '{self.device}'", remedy=f"Choose {_listed(DEVICES)}")
        if self.size < SIZE_STEP or self.size % SIZE_STEP:
            raise OptionError(f"the LTX engine's size {self.size} is not a multiple of {SIZE_STEP}", remedy="Try 768")
        if self.frames < MIN_FRAMES or self.frames % 8 != 1:
            raise OptionError(
                f"the LTX engine makes 8 k + 1 frames at once, {MIN_FRAMES} at least, not {self.frames}",
                remedy="Try 121",
            )
        if not 0 <= self.overlap <= self.frames // 3:
            raise OptionError(
                f"windows of {self.frames} frames cannot overlap by {self.overlap}",
                remedy=f"Choose 0 to {self.frames // 3}",
            )
        if not 0 <= self.reference_strength <= 1:
            raise OptionError(f"the reference strength {self.reference_strength} is not between 0 and 1")
        if not 0 <= self.speech_noise <= 1:
            raise OptionError(
                f"the speech noise {self.speech_noise} is not between 0 and 1", remedy="Try 0.03, or 0 for none"
            )


def parse_options(texts: Mapping[str, str]) -> LtxOptions:
    """Options from text, e.g. ``{"device": "cuda", "reference-strength": "0.9"}``.

    Raises ``OptionError`` for a name that does not exist or a value that cannot be read.
    """
    kinds: dict[str, Callable[[str], object]] = {
        f.name: _truth if isinstance(f.default, bool) else type(f.default)
        for f in fields(LtxOptions)
        if isinstance(f.default, str | int | float)
    }
    values = {}
    for given, text in texts.items():
        name = given.strip().replace("-", "_")
        if name not in kinds:
            raise OptionError(f"the LTX engine has no option '{given}'", remedy=f"It has {_listed(kinds)}")
        try:
            values[name] = kinds[name](text)
        except ValueError as error:
            kind = "true or false" if kinds[name] is _truth else "a number"
            raise OptionError(f"the LTX engine's {name} is {kind}, not '{text}'") from error
    return LtxOptions(**values)


def _truth(text: str) -> bool:
    """True or False as written. Raises ``ValueError``."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    word = text.strip().lower()
    if word not in words:
        raise ValueError(text)
    return words[word]


def _listed(names: object) -> str:
    return ", ".join(names)  # type: ignore[arg-type]
