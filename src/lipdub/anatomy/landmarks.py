"""Names for the 478 face landmarks (MediaPipe Face Landmarker topology: 468 mesh points + 10 iris points).

"Left" and "right" are the picture's. Lip curves run from the picture's left corner to its right corner.
``canonical_face`` is MediaPipe's canonical face model (Apache-2.0, see NOTICE).
"""

from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float64

LANDMARK_COUNT = 478
"""Landmarks per face."""

EYE_LEFT, EYE_RIGHT = 33, 263
"""Outer eye corners; their distance on a person's mean face is the unit of length (IOD)."""
CHIN = 152
NOSE_BASE = 2

RIGID = np.array(
    "33 133 362 263 168 6 197 195 5 4 1 2 98 327 10 151 9 8 67 297 109 338 103 332 54 284 21 251 162 389"
    " 127 356 234 454".split(),
    dtype=np.intp,
)
"""Points that hardly move when a face speaks: eye corners, nose, forehead, temples."""

OUTER_UPPER = np.array([61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291])
OUTER_LOWER = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291])
INNER_UPPER = np.array([78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308])
INNER_LOWER = np.array([78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308])
MIDDLE_UPPER = np.array([62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292])
MIDDLE_LOWER = np.array([62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292])
RIM_UPPER = np.array([76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306])
RIM_LOWER = np.array([76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306])

LOWER_OUTLINE = np.array(
    "234 132 58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 361 454".split(),
    dtype=np.intp,
)
"""The outline of the lower face, from the picture's left temple over the chin to the right one."""

LIP_CORNERS = np.array([61, 291, 78, 308, 62, 292, 76, 306])
UPPER_LIP = np.unique(np.concatenate([c[1:-1] for c in (OUTER_UPPER, INNER_UPPER, MIDDLE_UPPER, RIM_UPPER)]))
LOWER_LIP = np.unique(np.concatenate([c[1:-1] for c in (OUTER_LOWER, INNER_LOWER, MIDDLE_LOWER, RIM_LOWER)]))
LIPS = np.unique(np.concatenate([UPPER_LIP, LOWER_LIP, LIP_CORNERS]))


@cache
def _canonical() -> tuple[np.ndarray, np.ndarray]:
    with (files("lipdub.anatomy") / "canonical_face.npz").open("rb") as file, np.load(file) as data:
        vertices = data["vertices"].astype(np.float64) * [1, -1, -1]
        triangles = data["triangles"].astype(np.intp)
    vertices -= vertices[[EYE_LEFT, EYE_RIGHT]].mean(0)
    vertices /= np.linalg.norm(vertices[EYE_LEFT] - vertices[EYE_RIGHT])
    vertices.flags.writeable = False
    triangles.flags.writeable = False
    return vertices, triangles


def canonical_face() -> Float64[np.ndarray, "468 3"]:
    """A generic neutral face: x right, y down, z away from the camera; outer eye corners one unit apart, origin between
    them. Read-only."""
    return _canonical()[0]


def triangles() -> np.ndarray:
    """The mesh's triangles as indices (898, 3). Read-only."""
    return _canonical()[1]


@cache
def mirror_indices() -> np.ndarray:
    """For every landmark, the index of its mirror image: (478,). Iris points map to themselves."""
    vertices = canonical_face()
    out = np.arange(LANDMARK_COUNT)
    for i, vertex in enumerate(vertices * [-1, 1, 1]):
        out[i] = int(np.argmin(((vertices - vertex) ** 2).sum(1)))
    return out
