"""``kokoro``: natural voices in eight languages by Kokoro-82M through kokoro-onnx (extra ``kokoro``).

The model is Apache-2.0 and kokoro-onnx MIT; the phonemiser that they use (espeak-ng) is GPL-3.0, so this voice is an
extra of its own and never the default. The model's two files are not downloaded: put ``kokoro-v1.0.onnx`` and
``voices-v1.0.bin`` into the folder ``LIPDUB_WEIGHTS`` (or its folder ``kokoro``). Tested with a fake of the package,
not yet with the real files.
"""

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lipdub.disk.identity import file_stamps
from lipdub.errors import MissingExtra, OptionError, ServiceError, WeightsError
from lipdub.plugins import package_version
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.seam import ModelCard, VoiceReference
from lipdub.words_to_sound.voices.languages import unsupported_language
from lipdub.words_to_sound.voices.speakable_text import require_speakable
from lipdub.words_to_sound.voices.trim_and_level import trim_and_level

MODEL, STYLES = "kokoro-v1.0.onnx", "voices-v1.0.bin"
_PAGE = "https://github.com/thewh1teagle/kokoro-onnx/releases/tag/model-files-v1.0"

# From the published list of Kokoro v1.0's voices: by language, the phonemiser's name for it, and some voices.
# Japanese and Chinese need a phonemiser that does not come with kokoro-onnx.
_VOICES = {
    "en-US": ("en-us", ("af_heart", "am_michael", "af_bella", "am_fenrir", "af_nicole", "am_puck")),
    "en-GB": ("en-gb", ("bf_emma", "bm_george", "bf_isabella", "bm_fable")),
    "es-ES": ("es", ("ef_dora", "em_alex", "em_santa")),
    "fr-FR": ("fr-fr", ("ff_siwis",)),
    "hi-IN": ("hi", ("hf_alpha", "hm_omega", "hf_beta", "hm_psi")),
    "it-IT": ("it", ("if_sara", "im_nicola")),
    "pt-BR": ("pt-br", ("pf_dora", "pm_alex", "pm_santa")),
}
_SLOWEST, _FASTEST = 0.5, 2.0
_VERSION = 1  # raise when the same line sounds otherwise


def make(detail: str = "") -> "KokoroVoice":
    """The voice that Kokoro calls ``detail`` (e.g. ``am_michael``), or "" for one in each line's language.

    Raises ``OptionError`` for an unknown name.
    """
    name = detail.strip()
    if name and _tag_of(name) is None:
        known = ", ".join(n for _, names in _VOICES.values() for n in names)
        raise OptionError(f"kokoro has no voice '{name}' that can be used here", remedy=f"It has {known} and others")
    return KokoroVoice(name)


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """The voice that Kokoro calls ``name``; "": voice number ``index`` of the line's language."""

    name: str = ""
    index: int = 0

    @property
    def card(self) -> ModelCard:
        """What the report says about it."""
        tag = _tag_of(self.name)
        return ModelCard("kokoro", "Apache-2.0", (tag,) if tag else tuple(_VOICES))

    @property
    def detail(self) -> str:
        """Which of Kokoro's voices it is."""
        return self.name or f"person {self.index}"

    def fingerprint(self) -> tuple[object, ...]:
        """All that its sound depends on: versions, its name, and the size and time of the model's files. Raises
        ``WeightsError``."""
        return (_VERSION, package_version("kokoro-onnx"), self.detail, file_stamps(_files()))

    def member(self, index: int) -> "KokoroVoice":
        """Another of Kokoro's voices; the same one if a language has only one, or a ``name`` was given."""
        return self if self.name else replace(self, index=index)

    def check_ready(self) -> None:
        """Load the model. Raises ``WeightsError`` and ``MissingExtra``."""
        _model(*_files())

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        """``line`` at 24 kHz; ``reference`` is not used.

        Raises ``OptionError`` for a language it does not speak, ``MissingExtra`` and ``WeightsError``.
        """
        name, language = self._who(line)
        text = require_speakable(line.text, line.language)
        speed = min(max(pace, _SLOWEST), _FASTEST)
        try:
            samples, rate = _model(*_files()).create(text, voice=name, speed=speed, lang=language)
        except (ValueError, RuntimeError, AssertionError) as failed:
            raise ServiceError(f"kokoro failed on '{line.text[:40]}' ({failed})", at=line.span.start) from failed
        return trim_and_level(np.asarray(samples, np.float32).reshape(-1), int(rate))

    def _who(self, line: Line) -> tuple[str, str]:
        tags = self.card.languages
        exact = [t for t in tags if t.lower() == line.language.lower()]
        near = exact or [t for t in tags if same_language(t, line.language)]
        if not near:
            raise unsupported_language("kokoro", tags, line)
        language, names = _VOICES[near[0]]
        return self.name or names[self.index % len(names)], language


def _tag_of(name: str) -> str | None:
    """The language of the voice called ``name``, which its first letter tells; None if it is not a voice."""
    if len(name) < 4 or name[1] not in "fm" or name[2] != "_":
        return None
    return next((tag for tag, (_, names) in _VOICES.items() if names[0][0] == name[0]), None)


def _files() -> tuple[Path, Path]:
    """The paths of the model's files. Raises ``WeightsError``, which says where to get them."""
    folder = os.environ.get("LIPDUB_WEIGHTS", "")
    for root in (Path(folder) / "kokoro", Path(folder)) if folder else ():
        if (root / MODEL).is_file() and (root / STYLES).is_file():
            return root / MODEL, root / STYLES
    raise WeightsError(
        f"kokoro's files {MODEL} and {STYLES} are not in the folder that LIPDUB_WEIGHTS names"
        + (f" ({folder})" if folder else " (it is not set)"),
        remedy=f"Put them there; they are published at {_PAGE} (Apache-2.0, about 350 MB)",
    )


@cache
def _model(model: Path, styles: Path) -> Any:
    with MissingExtra.guard("kokoro", "The voice kokoro"):
        from kokoro_onnx import Kokoro  # pyright: ignore[reportMissingImports]
    return Kokoro(str(model), str(styles))
