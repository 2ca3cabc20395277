"""Builds the stored study of a track from the collected crops and the motion of the face."""

from pathlib import Path

import numpy as np

from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.pose import Poses
from lipdub.engines.exemplar.crop_collector import CropCollector
from lipdub.engines.exemplar.exemplar_plan import aperture_coverage, aperture_speed, never_opens
from lipdub.engines.exemplar.geometry import KEPT, FaceGeometry
from lipdub.engines.exemplar.library import ExemplarLibrary, skin_tone
from lipdub.engines.exemplar.shape_model import fit_basis, normal_equations, pooled_shapes
from lipdub.engines.exemplar.stored_study import StoredStudy, faces_spool
from lipdub.engines.seam import StudyFacts
from lipdub.timeline.mouth import AP
from lipdub.timeline.spool import Spool

_BLOCK = 256
_FEW = 12


def build_study(folder: Path, collector: CropCollector, motion: FaceMotion, usable: np.ndarray) -> StoredStudy:
    """Build the study of a track and write it to ``folder``.

    ``usable`` (frames,) bool: only crops of these frames become exemplars; the others are removed from the file.
    """
    first = motion.track.first
    good = np.asarray(usable, bool) & motion.ok
    collector.drop(np.array([i for i in collector.crops if i not in motion.track or not good[i - first]], np.int64))
    collector.tidy()
    index = np.array(sorted(collector.crops), np.int64)
    rows = index - first
    light, tone = _skin(motion)
    faces = _write_faces(folder, motion)
    geometry = FaceGeometry(motion.ok, motion.poses, motion.shapes, motion.mean, faces)
    sums = normal_equations(motion, np.flatnonzero(good))
    crops = [collector.crops[int(i)] for i in index]
    boxes = [(c.window.left, c.window.top, c.window.right, c.window.bottom) for c in crops]
    angles, poses = motion.poses.angles, motion.poses
    library = ExemplarLibrary(
        rows=rows,
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        places=np.array([c.place for c in crops], np.int64).reshape(-1, 2),
        shapes=motion.shapes[rows],
        poses=Poses(poses.scale[rows], poses.rotation[rows], poses.shift[rows]),
        angles=angles[rows],
        faces=_rows_of(faces, rows),
        light=light[rows],
        speed=aperture_speed(motion.shapes)[rows],
        detail=np.array([c.detail for c in crops], np.float64),
        thumbs=_thumbs(motion, rows),
        study=np.zeros(len(rows), np.int64),
        filmed=motion.shapes[rows],
        gains=np.ones((len(rows), 3)),
        away=np.zeros(len(rows)),
        blur=np.zeros(len(rows)),
        files=(collector.path,),
    )
    basis = fit_basis(sums, pooled_shapes().sums)
    study = StoredStudy(
        first, geometry, basis, sums, int(good.sum()), angles, light, tone, library, motion.track.repeats
    )
    study.save(folder)
    return study


def study_facts(library: ExemplarLibrary, cavity: bool) -> StudyFacts:
    """Notes and figures for the report; ``cavity``: the inside of a mouth may be painted."""
    covered = aperture_coverage(library.shapes)
    notes: list[str] = []
    figures: dict[str, float] = {"exemplars": float(len(library)), "coverage": covered}
    if not len(library):
        return StudyFacts(0.0, ("no frame shows the mouth well enough to be used",), figures)
    widest = float(np.percentile(library.shapes[:, AP], 99))
    narrowest = float(library.shapes[:, AP].min())
    figures |= {"widest_aperture": widest, "narrowest_aperture": narrowest}
    if never_opens(library):
        how = (
            "the inside of the mouth is painted where it must open wider"
            if cavity
            else "the dub cannot open it much wider"
        )
        notes.append(f"the mouth never opens wider than {widest:.3f} of the eye distance: {how}")
    elif covered < 0.75:
        notes.append(f"the mouth shows {covered:.0%} of the openings that speech needs: wide vowels will be smaller")
    if narrowest > 0.02:
        notes.append(f"the lips never close (least aperture {narrowest:.3f}): p, b and m are pulled shut")
    if len(library) < _FEW:
        notes.append(f"only {len(library)} frame(s) of this shot show a usable mouth")
    if library.study.any():
        figures["exemplars_of_other_shots"] = float((library.study > 0).sum())
    return StudyFacts(covered, tuple(notes), figures)


def _write_faces(folder: Path, motion: FaceMotion) -> Spool:
    (folder / "faces.bin").unlink(missing_ok=True)
    spool = faces_spool(folder)
    for row in range(len(motion)):
        spool.append(motion.face(row)[KEPT])
    return spool


def _rows_of(faces: Spool, rows: np.ndarray) -> np.ndarray:
    """The ``rows`` (ascending) of a spool, read block by block."""
    parts = [np.zeros((0, *faces.row_shape), np.float32)]
    for first, stop, _, block in faces.blocks(_BLOCK):
        parts.append(block[rows[(rows >= first) & (rows < stop)] - first])
    return np.concatenate(parts)


def _skin(motion: FaceMotion) -> tuple[np.ndarray, np.ndarray]:
    """The brightness of the skin around the mouth (0..255) in every row, and its median colour (RGB)."""
    out, tones = np.full(len(motion), np.nan), np.full((len(motion), 3), np.nan)
    corners = motion.mean[np.concatenate([OUTER_UPPER, OUTER_LOWER])]
    mouth = (
        float(np.abs(corners[:, 0]).max()) + 0.06,
        float(corners[:, 1].min()) - 0.05,
        float(corners[:, 1].max()) + 0.12,
    )
    for first, stop, _, thumbs in motion.track.thumbs.blocks(_BLOCK):
        out[first:stop], tones[first:stop] = skin_tone(thumbs, mouth)
    return out, np.median(tones[motion.ok], 0) if motion.ok.any() else np.zeros(3)


def _thumbs(motion: FaceMotion, rows: np.ndarray) -> np.ndarray:
    thumbs = np.zeros((len(rows), 32, 40, 3), np.uint8)
    for first, stop, _, block in motion.track.thumbs.blocks(_BLOCK):
        here = (rows >= first) & (rows < stop)
        thumbs[here] = block[rows[here] - first]
    return thumbs
