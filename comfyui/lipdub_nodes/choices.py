"""The values of the lists in nodes. They are found without importing lipdub: ComfyUI starts as fast as before."""

import os
import sys
from importlib.metadata import distributions
from pathlib import Path

from .problems import LipdubError

UNKNOWN = "unknown"
"""The language of a dub track of which the language is not said."""

AUTO = "auto"
"""The voice that lipdub takes for the language and the person."""

AS_IT_IS = "as it is"
"""The voice of a line that is made again with the voice it has."""

_LANGUAGES = (
    "af Afrikaans|am Amharic|ar Arabic|az Azerbaijani|be Belarusian|bg Bulgarian|bn Bengali|bs Bosnian|"
    "ca Catalan|cs Czech|cy Welsh|da Danish|de German|el Greek|en English|es Spanish|et Estonian|eu Basque|"
    "fa Persian|fi Finnish|fil Filipino|fr French|ga Irish|gl Galician|gu Gujarati|ha Hausa|he Hebrew|hi Hindi|"
    "hr Croatian|hu Hungarian|hy Armenian|id Indonesian|ig Igbo|is Icelandic|it Italian|ja Japanese|"
    "jv Javanese|ka Georgian|kk Kazakh|km Khmer|kn Kannada|ko Korean|ky Kyrgyz|lb Luxembourgish|lo Lao|"
    "lt Lithuanian|lv Latvian|mi Maori|mk Macedonian|ml Malayalam|mn Mongolian|mr Marathi|ms Malay|mt Maltese|"
    "my Burmese|nb Norwegian|ne Nepali|nl Dutch|pa Punjabi|pl Polish|ps Pashto|pt-BR Portuguese (Brazil)|"
    "pt-PT Portuguese (Portugal)|ro Romanian|ru Russian|sd Sindhi|si Sinhala|sk Slovak|sl Slovenian|so Somali|"
    "sq Albanian|sr Serbian|su Sundanese|sv Swedish|sw Swahili|ta Tamil|te Telugu|tg Tajik|th Thai|tr Turkish|"
    "uk Ukrainian|ur Urdu|uz Uzbek|vi Vietnamese|xh Xhosa|yo Yoruba|yue Cantonese|zh Chinese|zu Zulu"
)

_VOICES = (
    *("kokoro", "nanotts", "nanotts:de-DE", "nanotts:en-GB", "nanotts:en-US", "nanotts:es-ES", "nanotts:fr-FR"),
    "nanotts:it-IT",
)
"""Voices that come with lipdub and need no address or program after their name."""

_NEED_DETAIL = frozenset({"server", "command", "vllm-omni", "chatterbox", "gpt-sovits"})
"""Voices that need an address or a program: they are written into ``more_voices``."""

COMMANDS_ALLOWED = "LIPDUB_COMFYUI_COMMANDS"
"""Environment variable that lets workflows name programs to run."""


def languages() -> list[str]:
    """The languages of the list, as ``es Spanish``; the tag is the part before the first space."""
    return [UNKNOWN, *_LANGUAGES.split("|")]


def language_tag(choice: str | None) -> str:
    """The tag of a choice, or of a tag itself: ``es Spanish`` and ``es`` are ``es``; "" if it is not known."""
    tag = (choice or "").split(" ")[0].strip()
    return "" if tag == UNKNOWN else tag


def voices() -> list[str]:
    """The voices of the list: those of lipdub, and those of other packages in its environment."""
    others = set(_installed("lipdub.voices")) - _NEED_DETAIL
    return [AUTO, *sorted({*_VOICES, *others})]


def engines() -> list[str]:
    """The engines of the list, exemplar first."""
    return ["exemplar", *sorted({"ltx", *_installed("lipdub.engines")} - {"exemplar"})]


def lipdub_python() -> str:
    """The Python that has lipdub: that of ``LIPDUB_PYTHON``, else ComfyUI's own."""
    return os.environ.get("LIPDUB_PYTHON", "").strip() or sys.executable


def refuse_programs(*texts: str) -> None:
    """Raise ``LipdubError`` if a voice or a translator of ``texts`` would run a program.

    Workflows come from anywhere; whoever runs ComfyUI has to allow that one starts programs.
    """
    if os.environ.get(COMMANDS_ALLOWED) == "1":
        return
    for text in texts:
        for entry in text.splitlines():
            if entry.partition("=")[2].strip().startswith("command") or entry.strip().startswith("command"):
                raise LipdubError(
                    f"This workflow asks to run a program ('{entry.strip()[:60]}'), which is not allowed here. "
                    f"If you trust it, start ComfyUI with the environment variable {COMMANDS_ALLOWED}=1."
                )


def _installed(group: str) -> list[str]:
    """Names of the entry points of ``group`` in lipdub's environment; only metadata are read."""
    chosen = os.environ.get("LIPDUB_PYTHON", "").strip()
    found = distributions(path=_site_packages(Path(chosen))) if chosen else distributions()
    return sorted({point.name for each in found for point in each.entry_points if point.group == group})


def _site_packages(python: Path) -> list[str]:
    """Where the packages of an environment lie, seen from its Python."""
    home = python.parent.parent
    return [str(path) for path in (*home.glob("lib/python3.*/site-packages"), *home.glob("Lib/site-packages"))]
