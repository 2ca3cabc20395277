"""``lipdub demo``: make the demo and print where its files are."""

import json
from pathlib import Path

from lipdub.cli.consent import ask_download
from lipdub.cli.screen import note, progress, stdout
from lipdub.demo.make import Demo, make_demo
from lipdub.studio.caller import Caller

FILES = {
    "portrait": "the still picture",
    "english": "the animated portrait, speaking English",
    "voice": "the Spanish dub track",
    "spanish": "the clip dubbed into Spanish",
    "side_by_side": "both clips side by side: open this one",
}
"""Field of ``Demo`` that holds a path -> description of the file."""


def run_demo(folder: Path, *, overwrite: bool, as_json: bool) -> int:
    """Make the demo in ``folder`` and print its files and report; returns exit code 0. Raises ``LipdubError``."""
    from lipdub.review.report import summary_table

    with progress(quiet=as_json) as listener:
        demo = make_demo(folder, overwrite=overwrite, caller=Caller(listener, ask_download=ask_download))
    if as_json:
        files = {name: str(path) for name, path in _files(demo).items()}
        stdout.out(json.dumps({"files": files, "voices": demo.voices, "report": demo.report.to_dict()}, indent=1))
        return 0
    stdout.print(summary_table(demo.report))
    for name, path in _files(demo).items():
        stdout.print(f"{path}  {FILES[name]}", soft_wrap=True)
    note(f"The voices are {demo.voices}.")
    note("Next, with your own footage: lipdub dub talk.mp4 --script talk.es.srt -o talk.es.mp4")
    return 0


def _files(demo: Demo) -> dict[str, Path]:
    return {name: getattr(demo, name) for name in FILES}
