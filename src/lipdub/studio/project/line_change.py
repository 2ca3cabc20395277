"""What is changed about one line of a project before it is made again."""

from dataclasses import dataclass, replace
from fractions import Fraction

from lipdub.errors import OptionError
from lipdub.timeline.language_plan import PlannedLine


@dataclass(frozen=True)
class LineChange:
    """What is changed about a line before it is made again; None leaves it as it is.

    ``text`` is what is said, ``voice`` is as after ``--voice``, ``seed`` and ``engine`` are those of the mouth engine,
    ``offset`` moves the speech by seconds, later if positive; ``person`` is the id of who says it ("": off screen).
    """

    text: str | None = None
    voice: str | None = None
    seed: int | None = None
    offset: Fraction | None = None
    engine: str | None = None
    person: str | None = None

    def applied(self, planned: PlannedLine) -> PlannedLine:
        """The line with the changes. Raises ``OptionError`` for a text without words or a seed below 0."""
        if self.text is not None and not self.text.strip():
            raise OptionError(
                "--text holds nothing to say", remedy="To leave the line as filmed, set leave in the plan"
            )
        if self.seed is not None and self.seed < 0:
            raise OptionError(f"--seed {self.seed} is below 0", remedy="Give 0 or more")
        text = planned.line.text if self.text is None else " ".join(self.text.split())
        changed = replace(planned, line=replace(planned.line, text=text), leave=False)
        given = {
            name: value
            for name in ("voice", "seed", "offset", "engine", "person")
            if (value := getattr(self, name)) is not None
        }
        return replace(changed, **given)
