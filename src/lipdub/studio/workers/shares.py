"""The segments of a film divided among machines that do not speak to each other: each divides alike."""

from collections.abc import Mapping, Sequence

from lipdub.studio.film_work import FilmWork
from lipdub.studio.workers.pool import runs_of

RUNS_EACH = 6
"""Runs of segments for each machine: each begins by decoding from a key frame, and one at most makes the last one
late."""


def shares(work: FilmWork, count: int) -> list[list[int]]:
    """The numbers of all encoded segments in ``count`` shares of like length, whether they are made or not.

    Runs of segments that follow each other go, the longest first, to the share that has least (R. L. Graham, "Bounds on
    Multiprocessing Timing Anomalies", SIAM J. Appl. Math. 17, 1969: at most 4/3 of the least possible longest share).
    A hash of each segment would be as deterministic, but of eight such shares of 80 segments the longest is 1.5 times
    the mean (``benchmarks/scale.py``).
    """
    lengths = {number: len(work.segments.segments[number]) for number in work.segments.encoded}
    runs = runs_of(work, sorted(lengths), count * RUNS_EACH)
    return divided(runs, lengths, count)


def divided(runs: Sequence[Sequence[int]], lengths: Mapping[int, int], count: int) -> list[list[int]]:
    """``runs`` of numbers, which have ``lengths``, in ``count`` shares: each number is in one, in order."""
    out: list[list[int]] = [[] for _ in range(count)]
    total = [0] * count
    for run in sorted(runs, key=lambda run: (-sum(lengths[number] for number in run), run[0])):
        least = min(range(count), key=lambda share: (total[share], share))
        out[least] += run
        total[least] += sum(lengths[number] for number in run)
    return [sorted(share) for share in out]
