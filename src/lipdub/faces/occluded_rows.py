"""In which frames of a track something is before the face, and what is still seen of its mouth there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lipdub.anatomy import occluders
from lipdub.anatomy.face_colours import FaceColours
from lipdub.anatomy.occluders import Occluders
from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE, redness_of, thumbnail_place
from lipdub.timeline.face_track import FaceTrack

_SAMPLE = 400  # thumbnails from which colours are learnt
_LEAST = 0.01  # part of the lower face that is hidden in a row in which something is before it
_WIDENED = 3  # rows next to such rows that are looked at, too
_LIPS_SEEN = 0.3  # part of the lips that must be seen for their colour to say something
_NEAR_LIPS = 4  # cells around the lips that belong to the mouth
_FEW = 0.03  # part of the mouth that is hidden where it is not learnt from
_MUCH, _ROWS = 0.25, 4  # part of it that is hidden in so many rows at least of a track in which something is before it


@dataclass(frozen=True, eq=False)
class OccludedRows:
    """What is before the face of a track.

    ``hidden`` (frames, 160) are packed bits: the cells (32, 40) of each thumbnail that it covers. ``redness`` (frames,)
    of the lips is measured where they are seen; NaN where too little of them is. ``near_mouth``: no mouth is learnt
    from these rows.
    """

    occluders: Occluders
    hidden: UInt8[np.ndarray, "frames 160"]
    redness: Float32[np.ndarray, " frames"]
    near_mouth: Bool[np.ndarray, " frames"]

    def cells(self, first: int, stop: int) -> Bool[np.ndarray, "rows 32 40"]:
        """The covered cells of thumbnails ``first`` to before ``stop``."""
        width, height = THUMBNAIL_SIZE
        return np.unpackbits(self.hidden[first:stop], axis=1).reshape(-1, height, width).astype(bool)


def occluded_rows(
    track: FaceTrack, ok: Bool[np.ndarray, " frames"], clear: Bool[np.ndarray, " frames"]
) -> OccludedRows | None:
    """What is before the face of ``track`` in rows that are ``ok``. In most of the ``clear`` rows the upper part of the
    lower face is seen. None if nothing is found whose colours are not those of the face, or if that covers no mouth: in
    a few rows a good part of it, or some of it in a row that is not ``clear``.

    Memory: 160 bytes for each row.
    """
    colours = _learnt(track, ok, clear)
    if colours is None:
        return None
    hidden = np.zeros((len(track), 160), np.uint8)
    part, mouth, redness = np.zeros(len(track)), np.zeros(len(track)), track.redness.copy()
    for row in np.flatnonzero(ok):
        picture = track.thumbs.read(row, row + 1)[0]
        found = colours.other_things(picture)
        if not found.any():
            continue
        landmarks = track.landmarks.read(row, row + 1)[0]
        seen = thumbnail_place(landmarks, picture)
        cells = occluders.before_face(found, seen, landmarks)
        if not cells.any():
            continue
        face = occluders.face_cells(seen, landmarks)
        part[row] = (cells & face).sum() / max(1, int(face.sum()))
        hidden[row] = np.packbits(cells.ravel())
        lips = occluders.lip_cells(seen, landmarks, _NEAR_LIPS)
        mouth[row] = (cells & lips).sum() / max(1, int(lips.sum()))
        redness[row] = redness_of(seen, landmarks, ~cells, _LIPS_SEEN)
    if (mouth > _MUCH).sum() < _ROWS and not (mouth[ok & ~clear] > _FEW).any():
        return None
    rows = np.convolve(np.pad(part > _LEAST, _WIDENED), np.ones(2 * _WIDENED + 1), "valid") > 0.5
    return OccludedRows(Occluders(colours, rows & ok), hidden, redness, mouth > _FEW)


def _learnt(track: FaceTrack, ok: np.ndarray, clear: np.ndarray) -> FaceColours | None:
    """The colours of the face and of what is before it, from rows spread over the track."""
    rows = np.flatnonzero(ok)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))]
    thumbs = np.stack([track.thumbs.read(row, row + 1)[0] for row in rows])
    return FaceColours.learn(thumbs, clear[rows])
