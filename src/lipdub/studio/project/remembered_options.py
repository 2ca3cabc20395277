"""Which options of a dub a project remembers, and how they go together with those of one run."""

from collections.abc import Set
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lipdub.errors import InputError
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.timeline.project import Project

_OF_ONE_RUN = frozenset(
    {
        *(
            "codec",
            "crf",
            "preset",
            "hardware",
            "overwrite",
            "page",
            "reuse",
            "workers",
            "shared_store",
            "consent",
            "language",
            "stems",
        ),
        *("sign_key", "sign_cert"),  # a project remembers that it is signed, never a key
    }
)
_OF_ONE_LANGUAGE = frozenset({"script", "line", "to", "voice", "source_language"})


@dataclass(frozen=True)
class ProjectOptions:
    """Options of one call on a project: those of the dub and of its speech. Where they are the defaults, what the
    project remembers holds, but for those that are ``named``: these hold as they are."""

    options: DubOptions = DubOptions()
    speech: SpeechOptions = SpeechOptions()
    named: Set[str] = frozenset()


def remembered(options: DubOptions, speech: SpeechOptions) -> dict[str, Any]:
    """The options that hold for all dubs of a project, by name, as far as they are not the defaults."""
    out: dict[str, Any] = {}
    for given, usual in ((options, DubOptions()), (speech, SpeechOptions())):
        for name in _remembered_names(given):
            value = getattr(given, name)
            if value != getattr(usual, name):
                out[name] = str(Path(value).absolute()) if isinstance(value, Path) else value
    return out


def combined(project: Project, now: ProjectOptions, manifest: Path) -> tuple[DubOptions, SpeechOptions]:
    """The options of one run on a project: those given ``now`` where they are named or not the defaults, else those
    remembered.

    Raises ``InputError`` if the ``manifest`` names an option that does not exist.
    """
    left = dict(project.options)
    both: list[Any] = []
    for given, usual in ((now.options, DubOptions()), (now.speech, SpeechOptions())):
        changes = {}
        for name in _remembered_names(given):
            if name in left:
                value = left.pop(name)
                if name not in now.named and getattr(given, name) == getattr(usual, name):
                    changes[name] = Path(str(value)) if isinstance(value, str) and _holds_path(given, name) else value
        both.append(replace(given, **changes))
    if left:
        raise InputError(f"options: there is no option '{min(left)}'", file=manifest, remedy="Remove it from the file")
    return both[0], both[1]


def for_spoken_lines(options: DubOptions, given: DubOptions) -> DubOptions:
    """The options of a run without a finished dub track. How a picture is made as long as one, which a project
    remembers for those, counts here only if it was ``given`` now."""
    if options.if_longer == "refuse":
        return replace(options, if_shorter=given.if_shorter)
    return replace(options, if_longer=given.if_longer, if_shorter=given.if_shorter)


def with_length_options(project: Project, options: DubOptions) -> Project:
    """The project that remembers how the picture is made as long as a finished dub track, whenever it was said: its
    takes are made for that picture."""
    usual, names = DubOptions(), ("if_longer", "if_shorter")
    changed = {name: value for name in names if (value := getattr(options, name)) != getattr(usual, name)}
    others = {name: value for name, value in project.options.items() if name not in names}
    return replace(project, options={**others, **changed})


def _remembered_names(options: DubOptions | SpeechOptions) -> list[str]:
    return [f.name for f in fields(options) if f.name not in _OF_ONE_RUN | _OF_ONE_LANGUAGE]


def _holds_path(options: DubOptions | SpeechOptions, name: str) -> bool:
    return next(f for f in fields(options) if f.name == name).type == (Path | None)
