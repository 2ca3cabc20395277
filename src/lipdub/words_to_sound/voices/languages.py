"""Which voices speak a language."""

import contextlib

from lipdub.errors import OptionError
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.seam import VOICES, Voice


def voices_for_language(language: str) -> tuple[str, ...]:
    """Names of the installed voices whose cards list ``language``."""
    names = []
    for name in VOICES.names():
        # A voice that cannot be made, for any reason, is not listed.
        with contextlib.suppress(Exception):
            voice = VOICES.create(name, "")
            if isinstance(voice, Voice) and any(same_language(tag, language) for tag in voice.card.languages):
                names.append(name)
    return tuple(names)


def unsupported_language(name: str, tags: tuple[str, ...], line: Line) -> OptionError:
    """The error for a line in a language that the voice ``name``, which speaks ``tags``, does not speak.

    It names other voices that speak the language.
    """
    if not line.language:
        return OptionError(f"the line '{line.text[:40]}' has no language", at=line.span.start)
    others = [f"--voice {other}" for other in voices_for_language(line.language) if other != name]
    return OptionError(
        f"the voice {name} speaks {', '.join(tags)}, not '{line.language}'",
        remedy=f"Try {', '.join([*others, '--voice server:URL'])} or --voice command:PROGRAM, or bring the dub track",
    )
