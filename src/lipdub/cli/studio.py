"""``lipdub studio``: a page on this machine to see, judge and mend dubs, and the same for programs."""

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from lipdub.cli.screen import note, stderr, stdout
from lipdub.errors import MissingExtra, OptionError

_LOCAL = ("127.0.0.1", "localhost", "::1")
KEY_VARIABLE = "LIPDUB_STUDIO_KEY"
"""Environment variable with a key of the user's own."""


@dataclass(frozen=True)
class StudioCommandOptions:
    """Where the studio is, and what it may do."""

    folder: Path = Path("~/lipdub")
    """Folder for new projects and for the studio's own files."""

    host: str = "127.0.0.1"
    """Address to listen at. Any other than this machine's own lets others in who have the key; they may do all that
    you may, and nothing is encrypted on the way."""

    port: int = 8765
    """Port to listen at; 0 for any that is free."""

    browser: bool = True
    """Open the page in a browser."""

    jobs: int = 1
    """Jobs that are done at a time."""

    webhook_host: tuple[str, ...] = ()
    """HOST or HOST:PORT in your network that webhooks may go to, besides public addresses by https; may be repeated."""


def register(app: App) -> None:
    """Add the command to ``app``."""
    app.command(studio)


def studio(
    *paths: Path,
    options: Annotated[StudioCommandOptions, Parameter(name="*")] = StudioCommandOptions(),
) -> int:
    """Open the studio: a page on this machine to see, judge and mend dubs, with an API for programs.

    Parameters
    ----------
    paths
        Projects (film.lipdub), or folders that hold some, to be shown besides those in --folder.
    """
    if not 1 <= options.jobs <= 64:
        raise OptionError(f"--jobs {options.jobs} is not possible", remedy="Give 1 to 64")
    with MissingExtra.guard("studio", "the studio"):
        import msgspec  # noqa: F401
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    from lipdub.web.keys import own_key
    from lipdub.web.places import Places
    from lipdub.web.server import StudioOptions, run_studio

    places = Places(options.folder.expanduser().absolute(), tuple(path.absolute() for path in paths))
    given = os.environ.get(KEY_VARIABLE, "")
    if options.host not in _LOCAL:
        given = given or _ask_key()
        note(
            "Everybody who reaches this machine and has the key may see and change these projects, and work on this"
            " machine. The connection is not encrypted: use it in a network that you trust, or through ssh."
        )
    chosen = StudioOptions(
        options.host, options.port, own_key(given) if given else "", options.jobs, options.webhook_host
    )

    def ready(address: str) -> None:
        stdout.print(address, soft_wrap=True, highlight=False, markup=False)
        note("The studio runs. Ctrl-C ends it; what is done by then is kept.")
        if options.browser:
            threading.Thread(target=_open_browser, args=(places.state / "open.html", address), daemon=True).start()

    run_studio(places, chosen, ready)
    return 0


def _ask_key() -> str:
    """A key of the user's own for a studio that others reach; "" for the one that is kept."""
    if not sys.stdin.isatty():
        return ""
    return stderr.input("Key for it, 16 characters or more (nothing: one is made and printed): ", password=True).strip()


def _open_browser(file: Path, address: str) -> None:
    """Open ``address`` by way of a file that only the user can read: what is started is seen by all users of this
    machine, with its arguments, and the key is in the address."""
    import webbrowser
    from html import escape

    try:
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as page:
            page.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address)}">')
        webbrowser.open(file.as_uri())
    except (OSError, webbrowser.Error):
        note("No browser could be opened: open the address yourself.")
