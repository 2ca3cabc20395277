"""In which frames of a track something is before the face, and what is still seen of its mouth there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lipdub.anatomy import occluders
from lipdub.anatomy.face_colours import FaceColours
from lipdub.anatomy.occluders import Occluders
from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE, redness_of, thumbnail_place
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.runs import true_runs

_SAMPLE = 200  # thumbnails from which colours are learnt
_LEAST = 0.01  # part of the lower face that is hidden in a row in which something is before it
_WIDENED = 3  # rows next to such rows that are looked at, too
_LIPS_SEEN = 0.3  # part of the lips that must be seen for their colour to say something
_NEAR_LIPS = 4  # cells around the lips that belong to the mouth
_LEARNT = 7  # cells around the lips that are taken when a mouth is shown elsewhere
_ENOUGH = 40  # rows with nothing there that are enough to learn mouths from
_FEW = 0.02  # part of either that is hidden where something is before the mouth
_MOST = 0.85  # part of it that is hidden where the rest is not drawn
_MUCH, _ROWS = 0.25, 4  # part of it that is hidden in so many rows in a row where something is before it for certain
_CHIN, _CHIN_ROWS = 0.3, 8  # the same of the middle of the lower face
_MIDDLE = 8  # cells from the middle of a thumbnail
_SOME = 0.1  # part of the middle of a thumbnail that is hidden where it is worth looking closer


@dataclass(frozen=True, eq=False)
class OccludedRows:
    """What is before the face of a track.

    ``hidden`` (frames, 160) are packed bits: the cells (32, 40) of each thumbnail that it covers. ``redness`` (frames,)
    of the lips is measured where they are seen; NaN where too little of them is. ``mouth`` (frames,) is the part
    0..1 of the lips and what is next to them that is covered. ``near_mouth``: no mouth is learnt from these rows.
    """

    occluders: Occluders
    hidden: UInt8[np.ndarray, "frames 160"]
    redness: Float32[np.ndarray, " frames"]
    mouth: Float32[np.ndarray, " frames"]
    near_mouth: Bool[np.ndarray, " frames"]

    @property
    def most_of_mouth(self) -> Bool[np.ndarray, " frames"]:
        """Rows in which too little of the mouth is left to be drawn."""
        return self.mouth > _MOST

    def cells(self, first: int, stop: int) -> Bool[np.ndarray, "rows 32 40"]:
        """The covered cells of thumbnails ``first`` to before ``stop``."""
        width, height = THUMBNAIL_SIZE
        return np.unpackbits(self.hidden[first:stop], axis=1).reshape(-1, height, width).astype(bool)


def occluded_rows(
    track: FaceTrack, ok: Bool[np.ndarray, " frames"], clear: Bool[np.ndarray, " frames"]
) -> OccludedRows | None:
    """What is before the face of ``track`` in rows that are ``ok``. In most of the ``clear`` rows the upper part of the
    lower face is seen. None if nothing is found whose colours are not those of the face, or if it covers too little: a
    good part of the mouth or of the chin for a while, or some of the mouth in a row that is not ``clear``.

    Memory: 160 bytes for each row.
    """
    colours = _learnt(track, ok, clear)
    if colours is None or not _anywhere(colours, track, ok):
        return None
    parts, hidden, redness = np.zeros((4, len(track))), np.zeros((len(track), 160), np.uint8), track.redness.copy()
    for row in map(int, np.flatnonzero(ok)):
        thumb, landmarks = track.thumbs.read(row, row + 1)[0], track.landmarks.read(row, row + 1)[0]
        found = colours.other_things(thumb)
        if not found.any():
            continue
        seen = thumbnail_place(landmarks, thumb)
        cells = occluders.before_face(found, seen, landmarks)
        if cells.any():
            face = occluders.face_cells(seen, landmarks)
            lips = (occluders.lip_cells(seen, landmarks, around) for around in (_NEAR_LIPS, _LEARNT))
            where = face, face & _middle(), *lips
            parts[:, row] = [(cells & part).sum() / max(1, int(part.sum())) for part in where]
            hidden[row] = np.packbits(cells.ravel())
            redness[row] = redness_of(seen, landmarks, ~cells, _LIPS_SEEN)
    face, chin, mouth, around = parts
    lasts = _longest(mouth > _MUCH) >= _ROWS or _longest(chin > _CHIN) >= _CHIN_ROWS
    if not lasts and not (mouth[ok & ~clear] > _FEW).any():
        return None
    near = around > _FEW
    if (ok & clear & ~near).sum() < _ENOUGH:  # better a few mouths with something at their rim than hardly any
        near = mouth > _FEW
    rows = np.convolve(np.pad(face > _LEAST, _WIDENED), np.ones(2 * _WIDENED + 1), "valid") > 0.5
    return OccludedRows(Occluders(colours, rows & ok), hidden, redness, mouth.astype(np.float32), near)


def _middle() -> Bool[np.ndarray, " 40"]:
    """The columns in the middle of a thumbnail."""
    width = THUMBNAIL_SIZE[0]
    return np.abs(np.arange(width) - (width - 1) / 2) < _MIDDLE


def _anywhere(colours: FaceColours, track: FaceTrack, ok: np.ndarray) -> bool:
    """False if in no second row anything is found in the middle of the thumbnail: a quick look."""
    middle = _middle()
    rows = np.flatnonzero(ok)[::2].tolist()
    return any(colours.other_things(track.thumbs.read(r, r + 1)[0])[:, middle].mean() > _SOME for r in rows)


def _learnt(track: FaceTrack, ok: np.ndarray, clear: np.ndarray) -> FaceColours | None:
    """The colours of the face and of what is before it, from rows spread over the track."""
    rows = np.flatnonzero(ok)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))].tolist()
    thumbs = np.stack([track.thumbs.read(row, row + 1)[0] for row in rows])
    return FaceColours.learn(thumbs, clear[rows])


def _longest(rows: np.ndarray) -> int:
    """The length of the longest run of true ``rows``."""
    return max((stop - first for first, stop in true_runs(rows)), default=0)
