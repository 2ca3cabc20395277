"""What a request may name: voices and engines that start no program of the caller's choice, ask no server and read no
file; texts without control characters.

What a project already names, because its owner chose it on the command line, may be named again.
"""

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from lipdub.engines import find
from lipdub.web.api.shapes import SpeechChoices, VoiceShown
from lipdub.web.problems import WrongField

if TYPE_CHECKING:
    from lipdub.web.segments import ReviewedLanguage

_NANOTTS = re.compile(r"[A-Za-z0-9,.=-]{1,80}")
_ROWS = frozenset("\n\t")
_STARTS = frozenset({"command", "openai", "server"})
"""Plugins that mean nothing without a program or a server."""


def check_text(text: str, field: str, *, rows: bool = False) -> None:
    """Raise ``WrongField`` for a text with control characters; ``rows``: it may have several rows."""
    wrong = next(
        (letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs") and not (rows and letter in _ROWS)),
        None,
    )
    if wrong is not None:
        raise WrongField(f"{field}: it holds the control character U+{ord(wrong):04X}", field)


def check_voice(work: "ReviewedLanguage", voice: str, field: str) -> None:
    """Raise ``WrongField`` for a voice that a request may not name."""
    check_text(voice, field)
    try:
        check_new_voice(voice, field)
    except WrongField:
        plan, options = work.reviewed.plan, work.project.project.options
        known = {*plan.voices, *(planned.voice for planned in plan.lines), str(options.get("voice", ""))}
        if voice not in known:
            raise


def check_new_voice(voice: str, field: str) -> None:
    """Raise ``WrongField`` for a voice that nobody named on the command line and that is none of those that ship."""
    name, _, detail = voice.partition(":")
    if name == "nanotts" and (not detail or _NANOTTS.fullmatch(detail)):
        return
    if name == "kokoro" and (not detail or detail in _kokoro()):
        return
    raise WrongField(
        f"{field}: the voice '{voice[:60]}' cannot be chosen here",
        field,
        remedy="GET /v1/status lists the voices. Others are named on the command line, when the project is begun",
    )


def check_engine(work: "ReviewedLanguage", engine: str, field: str) -> None:
    """Raise ``WrongField`` for an engine that is not installed, or is named with options."""
    if engine not in find.names() and all(planned.engine != engine for planned in work.reviewed.plan.lines):
        what = f"{field}: there is no engine '{engine[:60]}'"
        raise WrongField(what, field, remedy=f"Installed: {', '.join(find.names())}")


def check_plugins(choices: SpeechChoices) -> None:
    """Raise ``WrongField`` for a translator, recogniser or engine that is not installed, or is named with more than its
    name: what follows a colon may be a program, or a server."""
    from lipdub.words_to_sound.seam import RECOGNISERS, TRANSLATORS

    for field, given, names in (
        ("translator", choices.translator, set(TRANSLATORS.names()) - _STARTS),
        ("recogniser", choices.recogniser, set(RECOGNISERS.names()) - _STARTS),
        ("engine", choices.engine, set(find.names())),
    ):
        if given and given not in names:
            what = f"options.{field}: '{given[:60]}' cannot be chosen here"
            raise WrongField(what, f"options.{field}", remedy=f"Here are {', '.join(sorted(names)) or 'none'}")


@cache
def _kokoro() -> frozenset[str]:
    from lipdub.words_to_sound.voices.kokoro_voices import VOICES

    return frozenset(name for names in VOICES.values() for name in names)


@cache
def voices() -> tuple[VoiceShown, ...]:
    """The voices that can be chosen: those that ship, as far as their packages and models are here."""
    from lipdub import weights
    from lipdub.words_to_sound.voices.kokoro_voices import VOICES
    from lipdub.words_to_sound.voices.nanotts import LINGWARE

    out = [VoiceShown(name=f"nanotts:{tag}", label=f"nanotts {tag}", languages=[tag]) for tag in sorted(LINGWARE)]
    if weights.present("kokoro") is not None:
        out += [
            VoiceShown(name=f"kokoro:{name}", label=f"kokoro {name}", languages=[tag])
            for tag, names in sorted(VOICES.items())
            for name in names
        ]
    return tuple(out)
