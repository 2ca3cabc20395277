"""``lipdub cache``: what is kept of earlier runs, how it is removed, and how large it may become."""

import json as json_text
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from lipdub.cli.screen import note, stderr, stdout
from lipdub.errors import OptionError, OutputError

cache_app = App(name="cache", help="Finished work that is kept for later runs: show it, remove it, limit its size.")


@cache_app.default
def show(*, json: bool = False) -> int:
    """Show what is kept: kinds, sizes, last use, and how much of it running dubs use now.

    Parameters
    ----------
    json
        Print JSON instead of a table.
    """
    from rich.table import Table

    from lipdub.studio.cache_size import size_text

    found = examine()
    if json:
        stdout.out(json_text.dumps(found, indent=1))
        return 0
    table = Table("kept", "folders", "size", "last use", "in use")
    for row in found["kinds"]:
        size, used = size_text(row["bytes"]), row["last_use"].replace("T", " ").removesuffix("+00:00")
        table.add_row(row["kind"], str(row["folders"]), size, used, str(row["in_use"] or "-"))
    stdout.print(f"{found['folder']}:", soft_wrap=True)
    if found["kinds"]:
        stdout.print(table)
    whole = f"{size_text(found['bytes'])} of {size_text(found['limit'])}"
    stdout.print(f"{whole} (limit: {found['limit_from']})", soft_wrap=True)
    return 0


@cache_app.command
def clear(
    *,
    older_than: float = 0.0,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"])] = False,
    json: bool = False,
) -> int:
    """Remove what is kept, but nothing that a running dub uses. Models, projects and outputs stay.

    Parameters
    ----------
    older_than
        Only what was not used in this many days.
    yes
        Remove it without being asked.
    json
        Print JSON instead of text.
    """
    from lipdub.studio import kept_work
    from lipdub.studio.cache_size import size_text
    from lipdub.studio.store import default_root

    if not 0 <= older_than < 1e6:
        raise OptionError(f"--older-than {older_than:g} is no number of days", remedy="Give 0 or more")
    root, before = default_root(), time.time() - older_than * 24 * 3600 if older_than else float("inf")
    try:
        old = [entry for entry in kept_work.kept(root) if entry.used < before and not entry.in_use]
        if old and not yes:
            _ask(len(old), size_text(sum(entry.size for entry in old)))
        done = kept_work.clear(root, before)
    except OSError as refused:
        raise _cannot(refused) from refused
    held = sum(entry.size for entry in done.in_use)
    if json:
        told = {"removed": done.removed, "bytes": done.size, "in_use": len(done.in_use), "in_use_bytes": held}
        stdout.out(json_text.dumps(told, indent=1))
        return 0
    stdout.print(f"{done.removed} folders removed, {size_text(done.size)}", soft_wrap=True)
    if done.in_use:
        stdout.print(f"{len(done.in_use)} folders stay, {size_text(held)}: running dubs use them", soft_wrap=True)
    return 0


@cache_app.command
def limit(size: str = "", /, *, json: bool = False) -> int:
    """Show or set how large the kept work may become. LIPDUB_CACHE_SIZE overrides it.

    Parameters
    ----------
    size
        For example 20GB.
    json
        Print JSON instead of text.
    """
    from lipdub.studio.cache_size import VARIABLE, cache_size, parse_size, set_cache_size, size_text

    if size:
        set_cache_size(parse_size(size, "the limit of the cache"))
    now = cache_size()
    if json:
        stdout.out(json_text.dumps({"limit": now.bytes, "limit_from": now.source}, indent=1))
    else:
        stdout.print(f"{size_text(now.bytes)} (limit: {now.source})", soft_wrap=True)
    if size and now.source == VARIABLE:
        note(f"{VARIABLE} is set and overrides the limit that was written down.")
    return 0


def examine() -> dict[str, Any]:
    """What is kept: ``folder``, ``limit`` and where it is set, ``bytes``, and one entry for each of the ``kinds``."""
    from lipdub.studio import kept_work
    from lipdub.studio.cache_size import cache_size
    from lipdub.studio.store import default_root

    root, size = default_root(), cache_size()
    try:
        entries = kept_work.kept(root)
    except OSError as refused:
        raise _cannot(refused) from refused
    kinds = [
        {
            "kind": kind,
            "folders": len(of),
            "bytes": sum(entry.size for entry in of),
            "last_use": datetime.fromtimestamp(max(entry.used for entry in of), UTC).isoformat(timespec="seconds"),
            "in_use": sum(entry.in_use for entry in of),
        }
        for kind in sorted({entry.kind for entry in entries})
        if (of := [entry for entry in entries if entry.kind == kind])
    ]
    return {
        "folder": str(root),
        "limit": size.bytes,
        "limit_from": size.source,
        "bytes": sum(entry.size for entry in entries),
        "kinds": kinds,
    }


def _ask(folders: int, size: str) -> None:
    """Ask before anything is removed. Raises ``OptionError`` where nobody can be asked, or if the answer is no."""
    what = f"{folders} folders, {size}"
    if not sys.stdin.isatty():
        raise OptionError(f"nothing was removed ({what})", remedy="Add --yes")
    if stderr.input(f"Remove {what}? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise OptionError(f"nothing was removed ({what})")


def _cannot(refused: OSError) -> OutputError:
    from lipdub.disk.os_errors import cause_of
    from lipdub.studio.store import default_root

    cause = cause_of(refused)
    return OutputError(f"the cache cannot be used: {cause.what}", file=default_root(), remedy=cause.remedy)
