"""``lipdub dub``: from the command's values to a dub, a table or JSON."""

from pathlib import Path

from lipdub.cli.consent import ask_download, ask_people
from lipdub.cli.screen import progress, stdout
from lipdub.studio.dub import Caller, dub, plan
from lipdub.studio.options import DubOptions


def run_dub(clip: Path, audio: Path, output: Path, options: DubOptions, *, dry_run: bool, as_json: bool) -> int:
    """Dub, or say what would be done; the exit code is 0. Raises ``LipdubError``."""
    from lipdub.review.report import table

    if dry_run:
        for line in plan(clip, audio, output, options):
            stdout.print(line, highlight=False)
        return 0
    with progress(quiet=as_json) as listener:
        caller = Caller(listener, ask_people, ask_download)
        report = dub(clip, audio=audio, output=output, options=options, caller=caller)
    if as_json:
        stdout.out(report.to_json(), highlight=False)
    else:
        stdout.print(table(report))
    return 0
