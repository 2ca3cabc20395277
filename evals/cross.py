"""The cross test: another clip's voice drives the mouth; is what was asked for what can be seen?

    python -m evals.cross FOLDER [--dubs FOLDER] [--priors FOLDER] [--json cross.json]

Every clip is dubbed with the sound of the next one (or of the next file in ``--dubs``), written as the product
writes it, read back, and its mouth is measured afresh. There is no true mouth to compare with.

    r       correlation of the re-found aperture with the requested one   before  of the untouched mouth with it
    lag     ms the re-found comes after the requested                     p b m   closures found shut / asked for
    flick   frame-to-frame change of the mouth over that of the source    ring    the same of the skin around it
    sharp   fine detail of the lips over the source's (median)            seam    edges in the skin around, likewise
    leak    largest change of a sample outside the mask before encoding   yes     share of frames that were performed
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evals.bench import (
    ACTING,
    Bench,
    Filming,
    Row,
    analysed,
    arguments,
    clips_in,
    encoded,
    late_ms,
    planned,
    run,
    shapes_again,
    sole_plan,
)
from evals.scores import CROP, correlation, flicker, lip_zone, mouth_crop, seam, sharpness
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import prefetch, read_frames
from lipdub.review.closures import closures
from lipdub.studio.dub_plan import FacePlan
from lipdub.timeline.clip import Clip
from lipdub.timeline.mouth import AP
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame


@dataclass(eq=False)
class Judge:
    """Looks at rendered frames before they are encoded; ``filming`` knows where the new lips are."""

    filming: Filming
    sharp: list[float] = field(default_factory=list)
    seams: list[float] = field(default_factory=list)
    leak: int = 0
    frames: int = 0

    def __call__(self, source: Frame, composed: Frame, performances: list[Patch]) -> None:
        """Note one frame."""
        self.frames += 1
        self.leak = max(self.leak, leaked(source, composed, performances))
        face = self.filming.plan.faces[0].face
        lips = self.filming.renderer.lips.pop(source.index)
        unit = float(face.motion.poses.scale[source.index - face.track.first])
        if not np.isfinite(lips).all():
            return
        for one in performances:
            now, was = composed.rgb(one.window), source.rgb(one.window)
            zone = lip_zone(lips, unit, one.window)
            self.sharp.append(sharpness(now, was, zone))
            self.seams.append(seam(now, was, zone))


def leaked(source: Frame, composed: Frame, performances: list[Patch]) -> int:
    """The largest change of a sample no pixel of whose footprint has a mask above 0; -1 if turned or squeezed."""
    layout = source.layout
    if layout.rotation % 4 or layout.pixel_aspect != 1:
        return -1
    inside = np.zeros(source.planes[0].shape, bool)
    for one in performances:
        w = one.window
        inside[w.top : w.bottom, w.left : w.right] |= one.mask > 0
    worst = 0
    for number, (old, new) in enumerate(zip(source.planes, composed.planes, strict=True)):
        sx, sy = layout.subsampling if number in (1, 2) and layout.chroma_planes else (1, 1)
        padded = np.pad(inside, ((0, -inside.shape[0] % sy), (0, -inside.shape[1] % sx)))
        allowed = padded.reshape(padded.shape[0] // sy, sy, padded.shape[1] // sx, sx).any((1, 3))
        away = (old != new) & ~allowed
        if away.any():
            worst = max(worst, int(np.abs(old[away].astype(int) - new[away]).max()))
    return worst


def cross(bench: Bench, path: Path, dub: Path, scratch: Path) -> Row:
    """One clip's row, dubbed with the sound of ``dub``. Raises ``NotFit`` if no face speaks all through it."""
    clip = open_clip(path)
    analysis = analysed(bench, clip, scratch / "faces")
    features = bench.features(dub, clip.start)
    plan = sole_plan(planned(clip, analysis, features, bench.prior(path)), clip)
    filming = Filming.of(bench, clip, (analysis, plan, features), scratch / "rendered")
    judge = Judge(filming)
    result = encoded(clip, filming.frames(judge), dub, scratch / "cross.mp4")
    again = shapes_again(bench, result, plan.face, scratch / "again")
    mouth, ring = _flicker(clip, result, plan)
    return {
        "dub": dub.stem[:10],
        "yes": judge.frames / len(clip),
        **_judged(plan, again, plan.face.seconds(clip)),
        "flick": mouth,
        "ring": ring,
        "sharp": float(np.nanmedian(judge.sharp)) if judge.sharp else float("nan"),
        "seam": float(np.nanmedian(judge.seams)) if judge.seams else float("nan"),
        "leak": judge.leak,
    }


def _judged(plan: FacePlan, again: np.ndarray, seconds: np.ndarray) -> Row:
    path = plan.trajectory
    rows = path.weight >= ACTING
    seen, want = np.where(rows, again[:, AP], np.nan), path.shapes[:, AP].astype(float)
    asked, met = closures(seen, path.closed * rows)
    return {
        "r": correlation(seen, want),
        "before": correlation(np.where(rows, plan.face.motion.shapes[:, AP], np.nan), want),
        "error": float(np.nanmean(np.abs(seen - want))),
        "lag ms": late_ms(seen, want, rows, seconds),
        "p b m": f"{met}/{asked}",
    }


def _flicker(clip: Clip, result: Clip, plan: FacePlan) -> tuple[float, float]:
    """Restlessness of the result over that of the source: of the whole mouth crop, and of the skin at its rim."""
    track, motion = plan.face.track, plan.face.motion

    def crops(of: Clip) -> np.ndarray:
        some = (
            mouth_crop(motion, f.index - track.first, of.size, f.rgb)
            for f in prefetch(read_frames(of))
            if f.index in track
        )
        return np.array([c for c in some if c is not None])

    made, was = crops(result), crops(clip)
    if len(made) < 2 or len(was) < 2:
        return float("nan"), float("nan")
    rim = np.ones((CROP[1], CROP[0]), bool)
    rim[30:90, 22:122] = False
    return flicker(made, was), flicker(made[:, rim][:, None], was[:, rim][:, None])


def paired(folder: Path, dubs: Path | None) -> Callable[[Bench, Path, Path], Row]:
    """``cross`` with the sound that belongs to each clip: the next one, around the circle."""
    clips = clips_in(folder)
    sounds = clips if dubs is None else sorted(p for p in dubs.iterdir() if p.is_file() and _speaks(p))
    pairs = dict(zip(clips, itertools.islice(itertools.cycle(sounds), 1 if dubs is None else 0, None), strict=False))
    return lambda bench, path, scratch: cross(bench, path, pairs[path], scratch)


def _speaks(path: Path) -> bool:
    return path.suffix.lower() in {".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".mp4", ".mkv"} and (
        probe(path).has_sound
    )


if __name__ == "__main__":
    given = arguments(str(__doc__).splitlines()[0], dubs="folder of dub tracks, instead of the next clip's sound")
    raise SystemExit(run(given, "Cross test", paired(given.folder, given.dubs)))
