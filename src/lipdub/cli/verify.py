"""The command verify: the content credentials of a file, and the mark in its metadata."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lipdub.cli.screen import stdout
from lipdub.credentials.read import Action, Credential, CredentialsRead, State, read_credentials
from lipdub.errors import InputError, NotMedia
from lipdub.media.mark import synthetic_mark

_STATES: dict[State, str] = {
    "trusted": "valid and trusted: nothing was changed since it was signed, and a trusted certificate vouches for the "
    "signer",
    "untrusted": "valid, not trusted: nothing was changed since it was signed, but nobody that is trusted here vouches "
    "for the signer",
    "expired": "not valid: the signer's certificate is not valid any more, or was not valid yet",
    "tampered": "tampered: the file or its credentials were changed after they were signed",
    "invalid": "not valid",
}


def run_verify(file: Path, trust: Path | None, *, as_json: bool) -> int:
    """Print what the credentials of ``file`` say; returns exit code 0 if they are valid, and trusted where ``trust``
    names certificates.

    Raises ``InputError`` if they are not, or if there are none; ``MissingExtra``.
    """
    try:
        mark = synthetic_mark(file)
    except NotMedia:
        if not file.is_file():
            raise
        mark = ""  # sound or pictures of a kind that is not played here may bear credentials all the same
    if mark and not as_json:
        stdout.print(f"mark in the metadata (anybody can write or remove one): {mark}", soft_wrap=True)
    found = read_credentials(file, trust)
    if as_json:
        stdout.out(json.dumps(as_values(file, found, mark), indent=1, ensure_ascii=False))
    elif found is not None:
        for row in rows(file, found):
            stdout.print(row, soft_wrap=True)
    check(file, found, trust)
    return 0


def check(file: Path, found: CredentialsRead | None, trust: Path | None) -> None:
    """Raise ``InputError`` unless the credentials of ``file`` are there and valid, and trusted where that is asked."""
    if found is None:
        raise InputError("bears no content credentials", file=file, remedy="They may have been removed by a program")
    if found.state == "untrusted" and trust is not None:
        raise InputError(
            "its content credentials are valid, but the given certificates do not vouch for them", file=file
        )
    if found.state not in ("trusted", "untrusted"):
        raise InputError(f"its content credentials are {_STATES[found.state]}", file=file)


def rows(file: Path, found: CredentialsRead) -> Iterator[str]:
    """The credentials as text, the newest first."""
    where = "" if found.beside is None else f" (in {found.beside.name})"
    yield f"{file}{where}: {_STATES[found.state]}"
    if found.state not in ("trusted", "untrusted"):
        yield f"  reasons: {', '.join(found.problems) or 'not told'}"
    for number, one in enumerate(found.credentials):
        if number:
            yield ""
            yield f"before that, the credentials of {_used_as(one, found.credentials)}:"
        yield from _credential_rows(one)
    if found.earlier:
        yield f"  when it was used, these were not in order: {', '.join(found.earlier)}"


def _used_as(one: Credential, every: tuple[Credential, ...]) -> str:
    used = (title for each in every for title, _, id_ in each.ingredients if id_ == one.id)
    return next(used, one.title or "an ingredient")


def _credential_rows(one: Credential) -> Iterator[str]:
    by = f"'{one.signer or 'somebody without a name'}'"
    yield f"  signed by {by}{f' ({one.issuer})' if one.issuer else ''}, with {one.generator or 'an unknown program'}"
    for title, relation, _ in one.ingredients:
        yield f"  made from: {title} ({'the source' if relation == 'parentOf' else 'added to it'})"
    for action in one.actions:
        yield f"  {_action_row(action)}"


def _action_row(action: Action) -> str:
    told = [action.when, action.name]
    if action.spans:
        first, last = action.spans[0][0], action.spans[-1][1]
        times = ", ".join(f"{start}-{end} s" for start, end in action.spans[:5])
        more = f" and {len(action.spans) - 5} more until {last} s" if len(action.spans) > 5 else ""
        told.append(f"({times}{more})" if first else "")
    text = " ".join(filter(None, told))
    text = f"{text}: {action.description}" if action.description else text
    return f"{text} [{action.source_type}]" if action.source_type else text


def as_values(file: Path, found: CredentialsRead | None, mark: str) -> dict[str, Any]:
    """The same for JSON."""
    out: dict[str, Any] = {"file": str(file), "mark": mark, "state": "none" if found is None else found.state}
    if found is None:
        return out
    beside = None if found.beside is None else str(found.beside)
    credentials = [
        {
            "title": one.title,
            "signer": one.signer,
            "issuer": one.issuer,
            "generator": one.generator,
            "ingredients": [
                {"title": title, "relation": relation, "credentials": bool(id_)}
                for title, relation, id_ in one.ingredients
            ],
            "actions": [
                {
                    "action": action.name,
                    "when": action.when,
                    "description": action.description,
                    "digital_source_type": action.source_type,
                    "spans": [list(span) for span in action.spans],
                }
                for action in one.actions
            ],
        }
        for one in found.credentials
    ]
    problems = {"problems": list(found.problems), "problems_of_sources": list(found.earlier)}
    return out | problems | {"beside": beside, "credentials": credentials}
