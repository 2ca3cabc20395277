"""Which voice speaks which language."""

import contextlib

from lipdub.errors import OptionError
from lipdub.timeline.language import same_language
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.seam import VOICES, Voice


def speakers_of(language: str) -> tuple[str, ...]:
    """Names of the installed voices whose cards list ``language``."""
    names = []
    for name in VOICES.names():
        # One that cannot be made, for whatever reason, is no advice.
        with contextlib.suppress(Exception):
            voice = VOICES.create(name, "")
            if isinstance(voice, Voice) and any(same_language(tag, language) for tag in voice.card.languages):
                names.append(name)
    return tuple(names)


def refuse(name: str, tags: tuple[str, ...], line: Line) -> OptionError:
    """The error that the voice ``name``, which speaks ``tags``, does not speak a line's language; it says who does."""
    if not line.language:
        return OptionError(f"the line '{line.text[:40]}' does not say its language", at=line.span.start)
    able = [f"--voice {other}" for other in speakers_of(line.language) if other != name]
    return OptionError(
        f"the voice {name} speaks {', '.join(tags)}, not '{line.language}'",
        remedy=f"Try {', '.join([*able, '--voice server:URL'])} or --voice command:PROGRAM, or bring the dub track",
    )
