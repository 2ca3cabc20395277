"""One bar for all stages of a dub."""

from collections.abc import Callable

STEPS = 1000
"""Steps of the whole bar."""

_SHARES = {
    "preflight": 20,
    "analyse": 250,
    "speech features": 60,
    "transcribe": 60,
    "translate": 40,
    "plan": 20,
    "assign speakers": 10,
    "speak": 60,
    "duration fit": 10,
    "separate": 40,
    "mix": 20,
    "render": 300,
    "assemble": 60,
    "asr check": 30,
    "sign": 5,
    "deliver": 15,
}
"""The stages in their order, and the part of the bar that each has. They add up to ``STEPS``."""


class StageProgress:
    """Turns progress by stages into one value of 0..``STEPS``, which never goes back.

    A stage that was left out counts as done when a later one begins; unknown stages do not move the bar.
    """

    def __init__(self, show: Callable[[int], None], log: Callable[[str], None]) -> None:
        """``show`` is called with each new value, ``log`` with the name of each stage when it begins."""
        self._show, self._log = show, log
        self._value, self._told = 0, set[str]()

    def told(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps (0: unknown) of ``stage`` are done."""
        if stage not in self._told:
            self._told.add(stage)
            self._log(stage)
        if stage not in _SHARES:
            return
        before = sum(share for name, share in list(_SHARES.items())[: list(_SHARES).index(stage)])
        part = min(done / total, 1.0) if total > 0 else 0.0
        self._set(before + round(_SHARES[stage] * part))

    def finished(self) -> None:
        """Everything is done."""
        self._set(STEPS)

    def _set(self, value: int) -> None:
        if value > self._value:
            self._value = value
            self._show(value)
