"""``lipdub demo``: from a still portrait to two languages, and where to find them."""

import json
from pathlib import Path

from lipdub.cli.consent import ask_download
from lipdub.cli.screen import note, progress, stdout
from lipdub.demo.make import Demo, make_demo
from lipdub.studio.caller import Caller

WHAT = {
    "portrait": "the still picture it began with",
    "english": "brought to life, speaking English",
    "voice": "the Spanish voice",
    "spanish": "dubbed into Spanish",
    "side_by_side": "both beside each other: open this one",
}


def run_demo(folder: Path, *, overwrite: bool, as_json: bool) -> int:
    """Make the demo in ``folder`` and say where things are; the exit code is 0. Raises ``LipdubError``."""
    from lipdub.review.report import summary_table

    with progress(quiet=as_json) as listener:
        demo = make_demo(folder, overwrite=overwrite, caller=Caller(listener, ask_download=ask_download))
    if as_json:
        found = {"files": {name: str(path) for name, path in _files(demo).items()}}
        stdout.out(json.dumps(found | {"report": json.loads(demo.report.to_json())}, indent=1))
        return 0
    stdout.print(summary_table(demo.report))
    for name, path in _files(demo).items():
        stdout.print(f"{path}  {WHAT[name]}", soft_wrap=True)
    note("Next, with footage of your own: lipdub dub talk.mp4 --script talk.es.srt -o talk.es.mp4")
    return 0


def _files(demo: Demo) -> dict[str, Path]:
    return {name: getattr(demo, name) for name in WHAT}
