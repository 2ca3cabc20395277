"""``lipdub dub``: from the command's values to a dub, a table or JSON."""

from pathlib import Path

from lipdub.cli.consent import ask_download, ask_people
from lipdub.cli.screen import ScreenOptions, progress, stdout
from lipdub.studio.caller import Caller
from lipdub.studio.dub import dub
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions


def run_dub(
    clip: Path, audio: Path | None, output: Path, speech: SpeechOptions, options: DubOptions, screen: ScreenOptions
) -> int:
    """Dub, or say what would be done; the exit code is 0. Raises ``LipdubError``."""
    from lipdub.review.report import summary_table
    from lipdub.studio.preflight.dry_run import dry_run

    if screen.dry_run:
        for line in dry_run(DubRequest(clip, output, audio, speech, options)):
            stdout.print(line, soft_wrap=True)
        return 0
    with progress(quiet=screen.json) as listener:
        caller = Caller(listener, ask_people, ask_download)
        report = dub(clip, audio=audio, output=output, speech=speech, options=options, caller=caller)
    if screen.json:
        stdout.out(report.to_json())
    else:
        stdout.print(summary_table(report))
    return 0
