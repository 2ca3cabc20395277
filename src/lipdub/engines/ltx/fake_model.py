"""A model that gives back what it is shown and hums instead of speaking: the engine without weights, for tests and
for looking at where its windows lie."""

from dataclasses import dataclass, field

import numpy as np

from lipdub.engines.ltx.window_model import GeneratedWindow, WindowRequest
from lipdub.timeline.sound import Sound

RATE = 48_000


@dataclass(eq=False)
class FakeWindowModel:
    """Remembers in ``heard`` everything it was asked for, and in ``learnt`` the prompts it was told of."""

    features: list[WindowRequest] = field(default_factory=list)
    learnt: tuple[str, ...] = ()

    def learn(self, prompts: tuple[str, ...]) -> None:
        """Note the prompts."""
        self.learnt = prompts

    def __call__(self, wanted: WindowRequest) -> GeneratedWindow:
        """The same frames, and a hum that swells and fades, stereo at 48 kHz."""
        self.features.append(wanted)
        seconds = np.arange(round(len(wanted.frames) / wanted.rate * RATE)) / RATE
        swell = 0.3 * np.sin(np.pi * (1.3 + wanted.seed % 5 / 9) * seconds) ** 2
        hum = (swell * np.sin(2 * np.pi * 170 * seconds)).astype(np.float32)
        return GeneratedWindow(wanted.frames, Sound(np.stack([hum, hum]), RATE))
