"""Which lines a redo would make, and about how long that takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from lipdub.studio.project.status import LanguageStatus, LineStatus
from lipdub.timeline.take import Take

_OF_EACH_RUN = ("preflight", "speech features", "assign speakers", "duration fit")
_OF_LINES = frozenset({*_OF_EACH_RUN, "analyse", "transcribe", "speak", "render", "engine"})


@dataclass(frozen=True)
class StaleLines:
    """The ids of the ``lines`` that have no take, or whose take does not fit the plan, in order of time. ``seconds`` is
    about how long it takes to make them, and ``film_seconds`` about how long the film takes after that; None where
    nothing was made yet from which that could be told."""

    lines: tuple[str, ...]
    seconds: float | None = None
    film_seconds: float | None = None


def stale_lines(status: LanguageStatus) -> StaleLines:
    """What a redo would make in one language. The time of lines is estimated from that of the takes that are there, in
    proportion to their length, with the same engine if there are any; that of the film from the last film."""
    stale = [line for line in status.lines if line.state in ("missing", "changed")]
    made = [line.take for line in status.lines if line.take is not None]
    timings = status.film.timings if status.film is not None else {}
    seconds, film = _seconds([line for line in stale if not line.fitting], made), None
    beside = sum(timings.get(name, 0.0) for name in _OF_EACH_RUN)
    if timings:
        film = sum(value for name, value in timings.items() if name not in _OF_LINES)
        film += max(0.0, timings.get("render", 0.0) - timings.get("engine", 0.0))  # the rest of it is encoding
    if seconds:
        seconds += beside
    elif film is not None:
        film += beside
    return StaleLines(tuple(line.planned.line.id for line in stale), seconds, film)


def _seconds(lines: Iterable[LineStatus], made: list[Take]) -> float | None:
    """How long engines would work for ``lines``, from how long they worked for takes; None without any."""
    total = 0.0
    for line in lines:
        engine = line.planned.engine.split(":")[0]
        alike = [take for take in made if not engine or take.recipe.engine.split(":")[0] == engine] or made
        if not alike:
            return None
        worked = sum(patches.seconds for take in alike for patches in take.patches)
        spoken = sum((_spoken(take) for take in alike), Fraction(0))
        total += worked / float(spoken) * float(line.planned.line.span.duration) if spoken else 0.0
    return total


def _spoken(take: Take) -> Fraction:
    """Seconds of a take: of its speech, or of its slot where a dub track has it."""
    return take.recipe.slot.duration if take.voice is None else take.voice.span.duration
