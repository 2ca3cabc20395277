"""The mouths of one person in all shots: a selection of limited size, and the library that it makes for one shot.

A shot differs from another one of the same person in light, white balance, sharpness, size and side of the face. For
the shot that is rendered, colours, brightness and shapes of the other mouths are brought to its own measures by one
number each (the shots' medians); what remains costs in the choice (``exemplar_choice.row_cost``).
"""

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from lipdub.anatomy.pose import Poses
from lipdub.engines.exemplar.crop_collector import CROPS, farthest_points, picture_features
from lipdub.engines.exemplar.library import APART, ExemplarLibrary, thumbnail_distances
from lipdub.engines.exemplar.shape_model import LandmarkNormalEquations, fit_basis, pooled_shapes
from lipdub.engines.exemplar.stored_study import STUDY, VERSION, StoredStudy
from lipdub.engines.study_arrays import read_arrays
from lipdub.errors import InputError
from lipdub.timeline.mouth import AP

_VERSION = 1
_FOLDER = "pools"
_SMALL = (
    "first", "rows", "boxes", "places", "shapes", "scale", "rotation", "shift", "light", "speed", "detail", "tone",
    "normal", "cross", "learnt",
)  # fmt: skip
_PER_EXEMPLAR = ("frames", "boxes", "places", "shapes", "scale", "rotation", "shift", "light", "speed", "detail")
_ENOUGH = 20  # exemplars from which the level of a shot's shapes counts more than half
_MOST_GAIN = 2.0
_PREFERRED = 2.0  # what it costs to take a mouth of another shot that is just as good
_RECOLOURED = 20.0  # times the squared logarithm of the largest gain


@dataclass(frozen=True, eq=False)
class PersonPool:
    """Mouths that were chosen from all studies of a person, as measured in their own tracks.

    ``folders`` of the studies. Of each study: ``tones`` (RGB, 0..255), median ``details``, ``levels`` of the shapes
    (their medians, without the part that follows the aperture) and ``counts`` of all exemplars. ``sums`` of the shape
    model over all studies. The arrays of ``chosen`` are indexed by exemplar, as is ``study``, its number in
    ``folders``. ``chosen["frames"]`` are frames of the clip.
    """

    folders: tuple[Path, ...]
    tones: Float64[np.ndarray, "studies 3"]
    details: Float64[np.ndarray, " studies"]
    levels: Float64[np.ndarray, "studies 6"]
    counts: Int64[np.ndarray, " studies"]
    sums: LandmarkNormalEquations
    study: Int64[np.ndarray, " n"]
    chosen: dict[str, np.ndarray]

    @cached_property
    def reference(self) -> Float64[np.ndarray, " 3"]:
        """The colour to which thumbnails are brought so that they can be compared."""
        seen = self.tones[self.counts > 0]
        return np.maximum(np.median(seen, 0), 1.0) if len(seen) else np.full(3, 128.0)

    @cached_property
    def thumbs(self) -> UInt8[np.ndarray, "n 32 40 3"]:
        """The thumbnails, all with skin of the colour ``reference``."""
        return toned(self.chosen["thumbs"], (self.reference / np.maximum(self.tones, 1.0))[self.study])

    @cached_property
    def distances(self) -> Float32[np.ndarray, "n n"]:
        """The RMS difference (0..1) of every two of ``thumbs``."""
        return thumbnail_distances(self.thumbs)

    @cached_property
    def basis(self) -> Float64[np.ndarray, "6 478 3"]:
        """The shape model of the person."""
        return fit_basis(self.sums, pooled_shapes().sums)


def toned(thumbs: UInt8[np.ndarray, "n 32 40 3"], gains: Float64[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n 32 40 3"]:
    """``thumbs`` with their colours multiplied by ``gains``."""
    out = np.empty_like(thumbs)
    for first in range(0, len(thumbs), 256):
        some = thumbs[first : first + 256] * gains[first : first + 256, None, None].astype(np.float32)
        out[first : first + 256] = np.clip(some + 0.5, 0, 255).astype(np.uint8)
    return out


def find_pool(folders: Sequence[Path], most: int) -> PersonPool:
    """The pool of about ``most`` mouths of the studies in ``folders`` (sorted), read back if it was made before.

    It is kept in the first of the folders, under a name that changes with the studies. Raises ``InputError`` if a study
    is missing or damaged.
    """
    kept = folders[0] / _FOLDER / f"{pool_key(folders, most)}.npz"
    pool = _read(kept, folders) if kept.is_file() else None
    if pool is None:
        pool = make_pool(folders, most)
        _keep(kept, pool)
    return pool


def pool_key(folders: Sequence[Path], most: int) -> str:
    """A name that changes with the studies in ``folders``. Raises ``InputError`` if one is missing."""
    sha = hashlib.sha256(f"{_VERSION} {VERSION} {most}".encode())
    for folder in folders:
        try:
            state = (folder / STUDY).stat()
        except OSError:
            read_arrays(folder / STUDY, VERSION, ("first",))  # raises the error that names the file
            raise
        sha.update(f" {folder.name} {state.st_size} {state.st_mtime_ns}".encode())
    return sha.hexdigest()[:24]


def make_pool(folders: Sequence[Path], most: int) -> PersonPool:
    """Choose about ``most`` mouths (whole groups of ten frames) that differ much from all studies in ``folders``."""
    studies = [_exemplars(folder) for folder in folders]
    counts = np.array([len(s["frames"]) for s in studies], np.int64)
    levels = np.array([shape_level(s["shapes"]) for s in studies]).reshape(-1, 6)
    number = np.repeat(np.arange(len(studies)), counts)
    every = {name: np.concatenate([s[name] for s in studies]) for name in _PER_EXEMPLAR}
    angles = Poses(every["scale"], every["rotation"], every["shift"]).angles
    features = picture_features(every["shapes"] - levels[number], angles, every["light"], every["scale"])
    chosen = np.arange(len(number))
    if len(number) > most:
        chosen = farthest_points(every["frames"] + number * APART, features, most)
    learnt = np.array([float(s["learnt"]) for s in studies])
    share = learnt / max(float(learnt.sum()), 1.0)
    sums = LandmarkNormalEquations(
        sum((w * s["normal"] for w, s in zip(share, studies, strict=True)), np.zeros((6, 6))),
        sum((w * s["cross"] for w, s in zip(share, studies, strict=True)), np.zeros((6, 1434))),
    )
    kept = {name: values[chosen] for name, values in every.items()}
    starts = np.cumsum(counts) - counts
    kept |= _large_arrays(folders, [chosen[number[chosen] == i] - starts[i] for i in range(len(folders))])
    return PersonPool(
        folders=tuple(folders),
        tones=np.array([s["tone"] for s in studies]),
        details=np.array([float(np.median(s["detail"])) if len(s["detail"]) else 0.0 for s in studies]),
        levels=levels,
        counts=counts,
        sums=sums,
        study=number[chosen],
        chosen=kept,
    )


def _exemplars(folder: Path) -> dict[str, np.ndarray]:
    """What is known of the exemplars of a study, without its large arrays, and of the study as a whole."""
    d = read_arrays(folder / STUDY, VERSION, _SMALL)
    rows = d["rows"]
    of_rows = {name: d[name][rows] for name in ("shapes", "scale", "rotation", "shift", "light")}
    return {**d, **of_rows, "frames": rows + int(d["first"])}


def _large_arrays(folders: Sequence[Path], wanted: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Landmarks and thumbnails of the ``wanted`` exemplars of each study."""
    found: dict[str, list[np.ndarray]] = {"faces": [], "thumbs": []}
    for folder, some in zip(folders, wanted, strict=True):
        d = read_arrays(folder / STUDY, VERSION, tuple(found))
        for name, parts in found.items():
            parts.append(d[name][some])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def shape_level(shapes: Float64[np.ndarray, "n 6"]) -> Float64[np.ndarray, " 6"]:
    """The median of ``shapes`` without the part that follows the aperture; 0 for the aperture, and without shapes.

    The same mouth measures differently from another side; this is the constant part of it.
    """
    if not len(shapes):
        return np.zeros(6)
    covariance = pooled_shapes().covariance
    slope = covariance[AP] / covariance[AP, AP]
    level = np.median(shapes - shapes[:, [AP]] * slope, 0)
    level[AP] = 0.0
    return level


def pool_library(own: StoredStudy, folder: Path, pool: PersonPool) -> StoredStudy:
    """The study ``own`` of the shot in ``folder``, with the library and the shape model of the whole ``pool``."""
    mine = pool.folders.index(folder)
    others = np.flatnonzero(pool.study != mine)
    library, count = own.library, len(own.library)
    study, one = pool.study[others], {name: values[others] for name, values in pool.chosen.items()}
    gains = _gains(own.tone, pool.tones)[study]
    moved = _shifts(pool, mine)[study]
    poses = Poses(
        *(np.concatenate([getattr(library.poses, n), one[n]]) for n in ("scale", "rotation", "shift")),
    )
    blur = np.zeros(len(pool.folders))
    if count:
        blur = np.log(max(float(pool.details[mine]), 1e-3) / np.maximum(pool.details, 1e-3))
    numbers = np.where(study < mine, study + 1, study)  # 0 is the own study
    files = (folder / CROPS, *(f / CROPS for f in pool.folders if f != folder))
    own_gain = np.broadcast_to(pool.reference / np.maximum(own.tone, 1.0), (count, 3))
    joined = ExemplarLibrary(
        rows=np.concatenate([library.rows, one["frames"] + numbers * APART]),
        boxes=np.concatenate([library.boxes, one["boxes"]]),
        places=np.concatenate([library.places, one["places"]]),
        shapes=np.concatenate([library.shapes, one["shapes"] + moved]),
        poses=poses,
        angles=poses.angles,
        faces=np.concatenate([library.faces, one["faces"]]),
        light=np.concatenate([library.light, one["light"] * gains.mean(1)]),
        speed=np.concatenate([library.speed, one["speed"]]),
        detail=np.concatenate([library.detail, one["detail"]]),
        thumbs=np.concatenate([toned(library.thumbs, own_gain), pool.thumbs[others]]),
        study=np.concatenate([library.study, numbers]),
        filmed=np.concatenate([library.filmed, one["shapes"]]),
        gains=np.concatenate([library.gains, gains]),
        away=np.concatenate([library.away, _PREFERRED + _RECOLOURED * np.abs(np.log(gains)).max(1, initial=0) ** 2]),
        blur=np.concatenate([library.blur, blur[study]]),
        files=files,
        known=pool.distances if len(others) == len(pool.study) else pool.distances[np.ix_(others, others)],
    )
    return replace(own, library=joined, basis=pool.basis)


def _gains(tone: Float64[np.ndarray, " 3"], tones: Float64[np.ndarray, "studies 3"]) -> np.ndarray:
    """Factors (studies, 3) that bring the colours of each study to those of a shot with skin of colour ``tone``."""
    known = (tones > 0) & (tone > 0).all()
    ratio = np.where(known, tone / np.maximum(tones, 1.0), 1.0)
    return np.clip(ratio, 1 / _MOST_GAIN, _MOST_GAIN)


def _shifts(pool: PersonPool, mine: int) -> Float64[np.ndarray, "studies 6"]:
    """What is added to the shapes of each study so that they are as measured in study ``mine``; little of it where one
    of the two has few exemplars."""
    sure = pool.counts / (pool.counts + _ENOUGH)
    return (pool.levels[mine] - pool.levels) * (sure * sure[mine])[:, None]


def _keep(file: Path, pool: PersonPool) -> None:
    """Write ``pool`` to ``file`` and remove the pools that it replaces; a disk that refuses costs only time."""
    partial = file.with_name(f"{secrets.token_hex(8)}.part.npz")
    with suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        before = [old for old in file.parent.glob("*.npz") if ".part" not in old.name]
        try:
            np.savez(
                partial, version=_VERSION, tones=pool.tones, details=pool.details, levels=pool.levels,
                counts=pool.counts, normal=pool.sums.normal, cross=pool.sums.cross, study=pool.study,
                **{f"chosen_{name}": values for name, values in pool.chosen.items()},  # type: ignore[arg-type]
            )  # fmt: skip
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        for old in before:
            if old != file:
                old.unlink(missing_ok=True)


def _read(file: Path, folders: Sequence[Path]) -> PersonPool | None:
    """The pool in ``file``, or None if it is damaged: it is then made again."""
    try:
        d = read_arrays(file, _VERSION)
        chosen = {name.removeprefix("chosen_"): values for name, values in d.items() if name.startswith("chosen_")}
        sums = LandmarkNormalEquations(d["normal"], d["cross"])
        return PersonPool(tuple(folders), d["tones"], d["details"], d["levels"], d["counts"], sums, d["study"], chosen)
    except (InputError, KeyError):
        return None
