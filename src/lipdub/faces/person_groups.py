"""Which face tracks show the same person: clusters of embeddings.

Average linkage (R. Sokal, C. Michener, Univ. Kansas Sci. Bull. 38, 1958): the two nearest groups become one, until the
nearest are farther apart than ``SAME``; the distance of two groups is the mean over their pairs of tracks. Two faces in
one picture are two people, so groups that hold such a pair never become one. Memory and time grow with the square of
the number of tracks: 0.8 s and 100 MB for 3,000.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

SAME = 0.47
"""Mean distance of embeddings up to which two groups are one person."""

SURE_SAME, SURE_OTHER = 0.42, 0.53
"""Distances between which a decision is unsure."""

_NEVER = 1e6  # distance of two faces that are seen in one picture


@dataclass(frozen=True, slots=True)
class UnsurePair:
    """Two groups, by number, that may be one person: ``similarity`` is 1 minus the mean distance of their
    embeddings."""

    one: int
    other: int
    similarity: float


@dataclass(frozen=True, slots=True)
class PersonGroup:
    """Tracks (indices in the order given) that show one person.

    ``loosest`` is the smallest similarity at which two of its parts were joined (1: it has one part).
    """

    members: tuple[int, ...]
    loosest: float = 1.0


@dataclass(frozen=True, slots=True)
class PersonGroups:
    """All groups, by their first member, and the pairs of groups that are unsure, the most similar first."""

    groups: tuple[PersonGroup, ...]
    unsure: tuple[UnsurePair, ...] = ()


def group_tracks(
    embeddings: Sequence[Float32[np.ndarray, "128"] | None], apart: Iterable[tuple[int, int]]
) -> PersonGroups:
    """Groups of the tracks with these ``embeddings`` (None: unknown; such a track is a group of its own). ``apart``
    are pairs of indices that show two people."""
    known = [i for i, embedding in enumerate(embeddings) if embedding is not None]
    place = {track: at for at, track in enumerate(known)}
    distances = _distances(np.stack([e for e in embeddings if e is not None])) if known else np.zeros((0, 0))
    for a, b in apart:
        if a in place and b in place:
            distances[place[a], place[b]] = distances[place[b], place[a]] = _NEVER
    labels, loosest = _clusters(distances)
    groups = [
        PersonGroup(tuple(known[m] for m in np.flatnonzero(labels == label)), loose)
        for label, loose in enumerate(loosest)
    ]
    groups += [PersonGroup((i,)) for i in range(len(embeddings)) if i not in place]
    order = sorted(range(len(groups)), key=lambda g: groups[g].members[0])
    number = {old: new for new, old in enumerate(order)}
    between = _between(distances, labels, len(loosest))
    unsure = [
        UnsurePair(*sorted((number[int(a)], number[int(b)])), similarity=1 - float(between[a, b]))
        for a, b in np.argwhere(np.triu(between < SURE_OTHER, 1))
    ]
    unsure.sort(key=lambda pair: (-pair.similarity, pair.one, pair.other))
    return PersonGroups(tuple(groups[g] for g in order), tuple(unsure))


def _distances(points: np.ndarray) -> np.ndarray:
    """Distances of all pairs (n, n), float32; 0 from a point to itself."""
    square = (points**2).sum(1)
    out = square[:, None] + square - 2 * points @ points.T
    np.sqrt(np.maximum(out, 0, out=out), out=out)
    np.fill_diagonal(out, 0)
    return out


def _clusters(distances: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The number of each row's cluster, from 0, and for each cluster the similarity at which its last two parts were
    joined."""
    if len(distances) < 2:
        return np.zeros(len(distances), int), [1.0] * len(distances)
    from scipy.cluster.hierarchy import fcluster, linkage, maxdists
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(distances, checks=False), "average")
    labels = np.unique(fcluster(tree, SAME, "distance"), return_inverse=True)[1]
    loosest = [1.0] * (int(labels.max()) + 1)
    first = np.arange(2 * len(distances) - 1)  # one row of each cluster of the tree
    for step, (a, height) in enumerate(zip(tree[:, 0].astype(int), maxdists(tree), strict=True)):
        first[len(distances) + step] = first[a]
        if height <= SAME:
            loosest[labels[first[a]]] = min(loosest[labels[first[a]]], 1 - float(height))
    return labels, loosest


def _between(distances: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean distances of the clusters (count, count)."""
    within = np.zeros((len(labels), count), np.float32)
    within[np.arange(len(labels)), labels] = 1
    sizes = within.sum(0)
    return within.T @ distances @ within / np.maximum(np.outer(sizes, sizes), 1)
