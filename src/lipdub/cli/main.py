"""The command line: text into values, errors into exit codes. Everything heavy is imported inside a command."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from lipdub import __version__
from lipdub.errors import LipdubError
from lipdub.studio.options import DubOptions

app = App(
    name="lipdub",
    help="Make people in existing video say something else, and leave everything else as it was filmed.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
weights_app = App(name="weights", help="Models: what they are for, whose they are, and whether they are here.")
app.command(weights_app)


@app.command
def dub(
    clip: Path,
    /,
    *,
    audio: Path,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Put the words of a dub track on the lips of a clip.

    Parameters
    ----------
    clip
        Footage of people talking.
    audio
        The dub track: any sound file, beginning where the clip begins.
    output
        The dubbed clip; its ending names the container.
    dry_run
        Say what would be done, and do nothing.
    json
        Print the report as JSON instead of a table.
    """
    from lipdub.cli.dub import run_dub

    return run_dub(clip, audio, output, options, dry_run=dry_run, as_json=json)


@app.command
def demo(
    folder: Path = Path("lipdub-demo"),
    /,
    *,
    json: bool = False,
    overwrite: bool = False,
) -> int:
    """Make a talking portrait, dub it into Spanish, and show both side by side; needs no footage of yours.

    Parameters
    ----------
    folder
        Where the clips go.
    json
        Print the report as JSON instead of a table.
    overwrite
        Replace an earlier demo.
    """
    from lipdub.cli.demo import run_demo

    return run_demo(folder, overwrite=overwrite, as_json=json)


@app.command
def doctor(*, json: bool = False) -> int:
    """Say what this machine can do: packages, models, encoders, space, and what is missing for what.

    Parameters
    ----------
    json
        Print as JSON.
    """
    from lipdub.cli.doctor import run_doctor

    return run_doctor(as_json=json)


@app.command
def engines(*, json: bool = False) -> int:
    """List the engines that make mouths, and what each needs.

    Parameters
    ----------
    json
        Print as JSON.
    """
    from lipdub.cli.doctor import run_engines

    return run_engines(as_json=json)


@weights_app.command(name="list")
def weights_list(*, json: bool = False) -> int:
    """List the models: purpose, size, licence, and whether each is here.

    Parameters
    ----------
    json
        Print as JSON.
    """
    from lipdub.cli.models import run_list

    return run_list(as_json=json)


@weights_app.command
def fetch(*names: str, yes: Annotated[bool, Parameter(name=["--yes", "-y"])] = False) -> int:
    """Download models by name (all small ones if none is named); size and licence are shown first.

    Parameters
    ----------
    names
        Models, as `lipdub weights list` names them.
    yes
        Accept the licences without being asked.
    """
    from lipdub.cli.models import run_fetch

    return run_fetch(names, yes=yes)


def main() -> None:
    """Entry point: run a command; a user's error is one line on stderr and an exit code (see ``errors``)."""
    # One BLAS thread: the engine solves thousands of small systems, and threads make each of them slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = app(result_action="return_value")
    except LipdubError as error:
        print(f"lipdub: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("lipdub: stopped; nothing was written under the final name.", file=sys.stderr)
        code = 130
    except Exception as mistake:
        if os.environ.get("LIPDUB_DEBUG"):
            raise
        what = f"{type(mistake).__name__}: {mistake}"
        print(f"lipdub: a mistake of ours ({what}). Please report it with what LIPDUB_DEBUG=1 shows.", file=sys.stderr)
        code = 70
    sys.exit(code or 0)
