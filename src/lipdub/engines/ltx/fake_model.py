"""A fake of the model, as ``engines.fake`` is a fake of an engine: it returns the frames that it is given, and a hum.

With it the ltx engine runs without torch, weights or GPU: for tests, and to see where windows and crops are
(``LtxEngine(options, loader=lambda prompts: FakeWindowModel())``).
"""

from dataclasses import dataclass, field

import numpy as np

from lipdub.engines.ltx.window_model import GeneratedWindow, WindowRequest
from lipdub.timeline.sound import Sound

RATE = 48_000


@dataclass(eq=False)
class FakeWindowModel:
    """A ``WindowModel``. ``requests`` are all windows that were asked for, ``prompts`` the last prepared prompts."""

    requests: list[WindowRequest] = field(default_factory=list)
    prompts: tuple[str, ...] = ()

    def prepare_prompts(self, prompts: tuple[str, ...]) -> None:
        """Note the prompts."""
        self.prompts = prompts

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        """The same frames, and a hum of 170 Hz with changing loudness, stereo at 48 kHz."""
        self.requests.append(request)
        seconds = np.arange(round(len(request.frames) / request.rate * RATE)) / RATE
        swell = 0.3 * np.sin(np.pi * (1.3 + request.seed % 5 / 9) * seconds) ** 2
        hum = (swell * np.sin(2 * np.pi * 170 * seconds)).astype(np.float32)
        return GeneratedWindow(request.frames, Sound(np.stack([hum, hum]), RATE))
