"""A dub by the tiny model in a process of its own, which ends itself in the middle.

    python killed_dub.py FOLDER WEIGHTS N

It is killed (SIGKILL, or what the system has for it) when the window after the first N is to be generated. With N = -1
it goes on to the end. It prints a digest of all answers, and how many windows were generated.
"""

import os
import signal
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from conformance import digest, studied
from drawn import FIRST, Drawn

from lipdub.engines.ltx.engine import LtxEngine
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.window_model import GeneratedWindow, WindowRequest, prepare_model
from lipdub.engines.seam import Guide
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.sound import Sound

FRAMES = 41
OPTIONS = LtxOptions(device="cpu", size=64, frames=17, overlap=5)


class EndingModel:
    """Another model, until ``windows`` were generated; then the process ends."""

    def __init__(self, model, windows: int) -> None:
        self.model, self.windows, self.made = model, windows, 0

    def prepare_prompts(self, prompts: tuple[str, ...]) -> None:
        self.model.prepare_prompts(prompts)

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        if self.made == self.windows:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        self.made += 1
        return self.model(request)


def main(folder: Path, weights: Path, windows: int) -> None:
    """Dub a drawn face in ``folder``, going on where an earlier call ended."""
    clip = Drawn(folder / "drawn", frames=FRAMES, side=120)
    times = FrameTimes(np.arange(FIRST + FRAMES), Fraction(1, 25), 1)
    sound = Sound(np.random.default_rng(3).normal(0, 0.1, (1, round(times.whole.end * 16_000))).astype("f4"), 16_000)
    guide = Guide(None, sound, sound, (Cue(times.span(FIRST, FIRST + FRAMES), 1),), times)
    model = EndingModel(prepare_model(OPTIONS, weights).load(()), windows)
    engine, place = LtxEngine(OPTIONS, loader=lambda prompts: model), folder / "study"
    study = engine.study(place) if place.exists() else studied(engine, clip, place)[0]
    print(digest(list(study.render(guide, clip.views()))), model.made)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
