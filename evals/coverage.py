"""Coverage: which frames of a speaking face are not dubbed, and which gate leaves them as filmed.

    python -m evals.coverage CLIPS [--only d08,d09] [--sheets FOLDER] [--json coverage.json]

Every clip is analysed and planned as a dub of all who speak, with its own voice as the dub, and the exemplar engine
plans every track. Nothing is rendered. One row for each face that speaks:

    face, frames   the track, and its frames inside cues of the face
    dubbed         part of them that is shown with a weight of at least a half
    lost, small, turned, covered   frames that visibility leaves as filmed, for that reason
    side, none     frames that the engine leaves: no exemplar from that side, or no exemplar at all
    edges          frames next to such frames, which fade
    yaw            the largest yaw of the frames in cues, and of those that are dubbed, in degrees
    holes          runs of less than a second of frames that are left between dubbed ones

Faces that do not speak, and clips without a speaking face, have a row that says why. ``--sheets`` writes a picture of
frames that are left, for each face. Whether what covers a mouth stays as filmed is measured by ``evals.occluders``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evals.bench import ACTING, Bench, Row, analysed, arguments, run
from lipdub.engines.exemplar.exemplar_plan import plan_track
from lipdub.engines.exemplar.opened_studies import OpenedStudies
from lipdub.faces.active_speaker import FaceSelector
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.studio.dub_plan import FacePlan
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Rgb, Window
from lipdub.timeline.runs import true_runs

GATES = {"lost": "lost", "small": "smaller", "turned": "turned", "covered": "covered"}
"""Columns of the table, and the word that tells each gate in the reasons of ``Visibility``."""

SHOWN, TILE = 48, 160
"""Frames on a sheet at most, and the pixels of a tile's side."""


@dataclass(frozen=True, eq=False)
class FaceCoverage:
    """What becomes of each row of the track of ``plan``: whether it is ``wanted`` (inside a cue), and whether it is
    ``dubbed``; ``gate`` names what leaves it as filmed ("": nothing)."""

    plan: FacePlan
    wanted: np.ndarray
    dubbed: np.ndarray
    gate: np.ndarray

    @classmethod
    def of(cls, clip: Clip, plan: FacePlan) -> "FaceCoverage":
        """The coverage of one face."""
        track, seen = plan.face.track, plan.face.visibility
        wanted = np.zeros(len(track), bool)
        for cue in plan.cues:
            rows = clip.times.within(cue.span)
            wanted[max(0, rows.start - track.first) : max(0, rows.stop - track.first)] = True
        gate = np.full(len(track), "edges", object)
        study = OpenedStudies().open(plan.face.study, plan.studies, 1500)
        made = plan_track(plan.trajectory, study, True)
        gate[made.turned] = "side"
        if len(study.library) == 0:
            gate[:] = "none"
        for first, stop, why in seen.reasons:
            gate[first:stop] = next(name for name, word in GATES.items() if word in why)
        # the ends of a cue fade, too: that is not coverage
        dubbed = (made.weight >= np.minimum(ACTING, plan.trajectory.weight)) & (made.choice.first >= 0)
        dubbed &= seen.weight >= ACTING
        gate[dubbed | ~wanted] = ""
        return cls(plan, wanted, dubbed & wanted, gate)

    def row(self) -> Row:
        """The face's line of the table."""
        motion, wanted = self.plan.face.motion, self.wanted
        yaw = np.nan_to_num(np.abs(motion.poses.angles[:, 0]))
        counts = {name: int((self.gate == name).sum()) for name in (*GATES, "side", "none", "edges")}
        inside = [
            (a, b) for a, b in true_runs(wanted & ~self.dubbed) if self.dubbed[:a].any() and self.dubbed[b:].any()
        ]
        return {
            "face": self.plan.face.id,
            "frames": int(wanted.sum()),
            "dubbed": float(self.dubbed.sum() / max(1, wanted.sum())),
            **counts,
            "yaw": f"{yaw[wanted].max(initial=0):.0f} {yaw[self.dubbed].max(initial=0):.0f}",
            "holes": sum(b - a < 25 for a, b in inside),
        }


def coverage(bench: Bench, path: Path, scratch: Path, sheets: Path | None) -> list[Row]:
    """The rows of one clip."""
    clip = open_clip(path)
    analysis = analysed(bench, clip, scratch / "faces")
    dub = FollowedSpeech(bench.features(path))
    plans = plan_faces(clip, analysis, dub, bench.prior(path), [FaceSelector("auto")])
    found = [FaceCoverage.of(clip, plan) for plan in plans.faces]
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        for one in found:
            _write_sheet(clip, one, sheets / f"{path.stem}-{one.plan.face.id}.png")
    silent = [a for a in plans.passthrough if a.face is not None and a.face not in {f.plan.face.id for f in found}]
    rows: list[Row] = [one.row() for one in found]
    return [*rows, *({"face": a.face, "left out": f"{float(a.span.duration):.1f} s: {a.reason}"} for a in silent)]


def _write_sheet(clip: Clip, one: FaceCoverage, file: Path) -> None:
    """A picture of frames that are left, evenly chosen, each with its number, gate and yaw."""
    left = np.flatnonzero(one.wanted & ~one.dubbed)
    if not len(left):
        return
    rows = left[np.unique(np.linspace(0, len(left) - 1, min(SHOWN, len(left))).astype(int))]
    tiles = list(_tiles(clip, one, rows))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    lines = [np.concatenate(tiles[i : i + 8], 1) for i in range(0, len(tiles), 8)]
    cv2.imwrite(str(file), np.concatenate(lines)[..., ::-1])


def _tiles(clip: Clip, one: FaceCoverage, rows: np.ndarray) -> Iterator[Rgb]:
    track, motion = one.plan.face.track, one.plan.face.motion
    wanted, place = {track.first + int(row): int(row) for row in rows}, Window(0, 0, *clip.size)
    yaw = motion.poses.angles[:, 0]
    for frame in read_frames(clip, track.first, track.stop):
        if frame.index not in wanted:
            continue
        row = wanted[frame.index]
        points = track.landmarks.read(row, row + 1)[0, :, :2]
        if np.isfinite(points).all():
            (x, y), reach = points.mean(0), 0.75 * float(np.ptp(points, 0).max())
            place = Window(int(x - reach), int(y - reach), int(x + reach), int(y + reach)).clipped(clip.size)
        tile = cv2.resize(frame.rgb(place), (TILE, TILE), interpolation=cv2.INTER_AREA)
        text = f"{frame.index} {one.gate[row]} {yaw[row]:.0f}"
        cv2.putText(tile, text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1)
        yield tile


if __name__ == "__main__":
    given = arguments(__doc__.split("\n")[0], sheets="where to write sheets of frames that are left")
    raise SystemExit(run(given, "Coverage", lambda bench, path, scratch: coverage(bench, path, scratch, given.sheets)))
