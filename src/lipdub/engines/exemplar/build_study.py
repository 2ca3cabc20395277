"""Builds the stored study of a track from the collected crops and the motion of the face."""

from pathlib import Path

import numpy as np

from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.exemplar.exemplar_plan import aperture_coverage, aperture_speed, never_opens
from lipdub.engines.exemplar.geometry import KEPT, FaceGeometry
from lipdub.engines.exemplar.library import CropCollector, ExemplarLibrary, skin_light, thumbnail_distances
from lipdub.engines.exemplar.shape_model import fit_basis, normal_equations, pooled_shapes
from lipdub.engines.exemplar.stored_study import StoredStudy, faces_spool
from lipdub.engines.seam import StudyFacts
from lipdub.timeline.mouth import AP
from lipdub.timeline.spool import Spool

_BLOCK = 256
_FEW = 12


def build_study(folder: Path, collector: CropCollector, motion: FaceMotion, usable: np.ndarray) -> StoredStudy:
    """Build the study of a track and write it to ``folder``.

    ``usable`` (frames,) bool: only crops of these frames become exemplars; the files of others are deleted.
    """
    first = motion.track.first
    good = np.asarray(usable, bool) & motion.ok
    for index in [i for i in collector.crops if i not in motion.track or not good[i - first]]:
        collector.drop(index)
    index = np.array(sorted(collector.crops), np.int64)
    rows = index - first
    light = _light(motion)
    geometry = FaceGeometry(motion.ok, motion.poses, motion.shapes, motion.mean, _write_faces(folder, motion))
    basis = fit_basis(normal_equations(motion, np.flatnonzero(good)), pooled_shapes().sums)
    boxes = [collector.crops[int(i)].window for i in index]
    angles = motion.poses.angles
    library = ExemplarLibrary(
        rows=rows,
        boxes=np.array([(b.left, b.top, b.right, b.bottom) for b in boxes], np.int64).reshape(-1, 4),
        shapes=motion.shapes[rows],
        angles=angles[rows],
        scale=motion.poses.scale[rows],
        light=light[rows],
        speed=aperture_speed(motion.shapes)[rows],
        distances=thumbnail_distances(_thumbs(motion, rows)),
    )
    study = StoredStudy(first, geometry, basis, angles, light, library)
    study.save(folder)
    return study


def study_facts(study: StoredStudy, cavity: bool) -> StudyFacts:
    """Notes and figures for the report; ``cavity``: the inside of a mouth may be painted."""
    library = study.library
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
    return StudyFacts(covered, tuple(notes), figures)


def _write_faces(folder: Path, motion: FaceMotion) -> Spool:
    (folder / "faces.bin").unlink(missing_ok=True)
    spool = faces_spool(folder)
    for row in range(len(motion)):
        spool.append(motion.face(row)[KEPT])
    return spool


def _light(motion: FaceMotion) -> np.ndarray:
    """The brightness of the skin around the mouth (0..255) in every row."""
    out = np.full(len(motion), np.nan)
    corners = motion.mean[np.concatenate([OUTER_UPPER, OUTER_LOWER])]
    mouth = (
        float(np.abs(corners[:, 0]).max()) + 0.06,
        float(corners[:, 1].min()) - 0.05,
        float(corners[:, 1].max()) + 0.12,
    )
    for first, stop, _, thumbs in motion.track.thumbs.blocks(_BLOCK):
        out[first:stop] = skin_light(thumbs, mouth)
    return out


def _thumbs(motion: FaceMotion, rows: np.ndarray) -> np.ndarray:
    thumbs = np.zeros((len(rows), 32, 40, 3), np.uint8)
    for first, stop, _, block in motion.track.thumbs.blocks(_BLOCK):
        here = (rows >= first) & (rows < stop)
        thumbs[here] = block[rows[here] - first]
    return thumbs
