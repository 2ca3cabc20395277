"""Real jobs on small projects: a fake engine and a recorded voice, so that a film takes seconds.

    python small_projects.py NAME DATABASE FOLDER

is a worker of such a studio.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lipdub.demo.speech_assets import load_speech
from lipdub.errors import InputError
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.web.jobs.kinds import JobKinds
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import run_worker
from lipdub.web.places import Places
from lipdub.words_to_sound.seam import ModelCard, VoiceReference


class Recording:
    """A voice that says every text with recorded syllables."""

    card = ModelCard("recording", "Apache-2.0")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        voice = load_speech("es")
        span, _ = voice.phrases[len(line.text) % 2]
        rate = voice.sound.rate
        length = round(min(float(span.duration), len(line.text) / 14) * rate)
        start = round(span.start * rate)
        return Sound(voice.sound.samples[:, start : start + length], rate)


def use_small_tools(replace: Callable[[str, Any], None], cache: Path) -> None:
    """``replace`` what is slow by what is small; work is kept in ``cache``."""
    from lipdub.engines.fake import FakeEngine
    from lipdub.engines.find import find

    def missing(detail: str) -> None:
        raise InputError("it would only take time")

    replace("lipdub.studio.session.default_root", lambda: cache)
    replace("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Recording())
    replace("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))


def small_kinds(table: JobTable, folder: Path) -> JobKinds:
    """What jobs do in the projects in ``folder``."""
    return JobKinds(table.tell, Places(folder), 1)


def _replace(name: str, value: Any) -> None:
    from importlib import import_module

    module, _, attribute = name.rpartition(".")
    setattr(import_module(module), attribute, value)


if __name__ == "__main__":
    name, database, folder = sys.argv[1:4]
    use_small_tools(_replace, Path(os.environ["LIPDUB_TEST_CACHE"]))
    made = JobTable(Path(database))
    sys.exit(run_worker(made, name, small_kinds(made, Path(folder)).run, quick=name.startswith("quick")))
