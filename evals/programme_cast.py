"""How many lines of a script without names get the voice of their speaker."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.casting import cast_by_sight
from lipdub.studio.plan.line_slots import timed_lines
from lipdub.studio.plan.speakers import find_speakers
from lipdub.studio.session import Session
from lipdub.timeline.lines import Line, numbered


def cast_scores(lines: Sequence[Line], job: Job, analysis: Analysis, session: Session) -> str:
    """Lines that get the voice of their speaker if ``lines`` name nobody, and how many voices there are, in words."""
    unnamed = numbered(replace(line, speaker="") for line in lines)
    timed = timed_lines(unnamed, None if analysis.sound is None else analysis.sound.features)
    found = find_speakers(job.clip, analysis, session.tools.prior, job.selectors, timed)
    speakers = cast_by_sight(job, analysis, found, timed, LineChoices(), session)
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for line, mute in zip(lines, unnamed, strict=True):
        table[speakers.get(mute.id, "one voice")][line.speaker] += 1
    voices, people = sorted(table), sorted({line.speaker for line in lines})
    counts = np.array([[table[voice][person] for person in people] for voice in voices])
    rows, columns = linear_sum_assignment(-counts)
    return f"{int(counts[rows, columns].sum())} of {len(lines)} lines, {len(voices)} voices for {len(people)} people"
