"""What a reviewer should look at in a line, from what was measured when its take was made."""

from dataclasses import dataclass
from typing import Literal

from lipdub.studio.project.status import LineStatus
from lipdub.timeline.take import CuePatches, Take

FlagKind = Literal["closures", "sync", "words", "end_cut", "fast", "unsure"]

FAST = 1.25
"""The time-stretch from which speech sounds hurried."""

LOW_SYNC = 0.3
"""The sync score (-1..1) below which a mouth does not seem to follow the speech. Finished dubs have about 0.8, people
in clips with their own voice about 0.4."""

WRONG_WORDS = 0.3
"""The word error rate from which a line was perhaps not said as it is written."""

FEW_FRAMES = 8
"""Fewer changed frames than that tell nothing about sync."""


@dataclass(frozen=True)
class LineFlag:
    """One thing to look at: its ``kind``, and a sentence that says what was found."""

    kind: FlagKind
    text: str


def line_flags(status: LineStatus) -> tuple[LineFlag, ...]:
    """What should be looked at in a line. A line that is left as filmed has none, and one without a take only what the
    plan itself tells."""
    if status.state == "left":
        return ()
    out = []
    if status.planned.person is None:
        out.append(LineFlag("unsure", "it is unsure who says this line"))
    if status.take is not None:
        out += [*_seen(status.take), *_heard(status.take)]
    if status.word_errors is not None and status.word_errors >= WRONG_WORDS:
        part = round(100 * status.word_errors)
        out.append(LineFlag("words", f"heard again, {part} % of the words were others"))
    return tuple(out)


def closure_counts(take: Take) -> tuple[int, int]:
    """How many closures of the lips a take has, and how many it should have."""
    found, wanted = (
        round(sum(patches.metrics.get(name, 0.0) for patches in take.patches))
        for name in ("closures_found", "closures_requested")
    )
    return found, wanted


def mean_sync(take: Take) -> float | None:
    """The sync score of a take, the mean over its changed frames; None where there are too few of them."""
    scored = [patches for patches in take.patches if "sync_score" in patches.metrics and patches.frames]
    frames = sum(patches.frames for patches in scored)
    return sum(map(_weighted, scored)) / frames if frames >= FEW_FRAMES else None


def _weighted(patches: CuePatches) -> float:
    return patches.metrics["sync_score"] * patches.frames


def _seen(take: Take) -> list[LineFlag]:
    out = []
    found, wanted = closure_counts(take)
    if found < wanted:
        out.append(LineFlag("closures", f"lips are found closed {found} times of {wanted}"))
    sync = mean_sync(take)
    if sync is not None and sync < LOW_SYNC:
        out.append(LineFlag("sync", f"the mouth follows the speech little (sync {sync:.2f})"))
    return out


def _heard(take: Take) -> list[LineFlag]:
    voice, out = take.voice, []
    if voice is not None and voice.missing > 0:
        out.append(LineFlag("end_cut", f"its end is cut: {float(voice.missing):.2f} s do not fit"))
    if voice is not None and voice.rate > FAST:
        out.append(LineFlag("fast", f"it is spoken {voice.rate:.2f} times as fast as the voice speaks"))
    return out
