"""The blind look: stills and strips of eight consecutive frames, of films and of their dubs, mixed and without names.

    python -m evals.blind make CLIPS FOLDER [--key key.json] [--each 2] [--seed 1] [--only d01,d02] [--priors FOLDER]
    python -m evals.blind score ANSWERS.csv [--key key.json]

``make`` dubs every clip with the sound of the next one, as ``evals.strips`` does, and writes the film itself by the
same encoder, so that coding tells nothing. Each still and strip is then taken at random from the film or from its dub,
never both at the same time of a clip, half of them each. ``FOLDER/stills/007.png`` is one enlarged picture of a face;
``FOLDER/strips/007.png`` shows eight enlarged mouths in two rows, and ``FOLDER/strips/007/`` holds them pixel for pixel
as filmed. The key lies elsewhere. Whoever judges writes lines ``stills/007,dub`` or ``strips/007,film``; ``score``
counts them: half of them right means that nothing can be seen.
"""

import argparse
import csv
import json
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from evals.bench import Bench, NotFit, clips_in, encoded
from evals.strips import STRIP, Dubbed, around, film_of
from lipdub.errors import LipdubError
from lipdub.media.read import prefetch, read_frames
from lipdub.studio.options import DubOptions
from lipdub.studio.session import open_session
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Window

_APART = 12  # frames between two strips of one clip
_STILL, _MOUTH = (2.6, 3.2), (1.7, 1.5)  # width and height that are shown, in eye distances


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What is shown under ``name``: frames ``first`` (inclusive) to ``stop`` of a clip, from its dub or as filmed."""

    name: str
    clip: str
    first: int
    stop: int
    dubbed: bool


def exhibits_of(clip: str, rows: np.ndarray, first: int, each: int, chance: random.Random) -> list[Exhibit]:
    """Up to ``each`` stills and as many strips from the ``rows`` that are performed (row 0 is frame ``first``).

    No two of them are nearer than half a second, so that nothing is seen both as filmed and dubbed.
    """
    starts = [r for r in range(len(rows) - STRIP + 1) if rows[r : r + STRIP].all()]
    chance.shuffle(starts)
    taken: list[int] = []
    for start in starts:
        if len(taken) < 2 * each and all(abs(start - other) >= STRIP + _APART for other in taken):
            taken.append(start)
    sides = [bool(k % 2) for k in range(len(taken))]
    chance.shuffle(sides)
    out: list[Exhibit] = []
    for k, (start, dubbed) in enumerate(zip(taken, sides, strict=True)):
        kind, length = ("strips", STRIP) if k % 2 == 0 else ("stills", 1)
        out.append(Exhibit(kind, clip, first + start, first + start + length, dubbed))
    return out


def _pictures(film: Clip, made: Dubbed, shown: Exhibit) -> list[np.ndarray]:
    """The frames of ``shown`` in ``film``, cut to the same window around face or mouth, RGB."""
    motion, size = made.plan.face.motion, made.clip.size
    rows = range(shown.first - motion.track.first, shown.stop - motion.track.first)
    shape, which = (_STILL, [2]) if len(rows) == 1 else (_MOUTH, [13, 152])
    unit = float(np.nanmean([motion.poses.scale[r] for r in rows]))
    middle = np.nanmean([motion.pixels(r, motion.mean[which]).mean(0) for r in rows], 0)
    low, high = (np.round(middle + sign * np.array(shape) * unit / 2).astype(int) for sign in (-1, 1))
    window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(size)
    return [f.rgb(window).copy() for f in prefetch(read_frames(film, shown.first, shown.stop))]


def _sheet(pictures: list[np.ndarray]) -> np.ndarray:
    height = 640 if len(pictures) == 1 else 300
    times = height / pictures[0].shape[0]
    large = [cv2.resize(p, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC) for p in pictures]
    if len(large) == 1:
        return large[0]
    half = len(large) // 2
    return np.vstack([np.hstack(large[:half]), np.hstack(large[half:])])


def _write(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def make(given: argparse.Namespace) -> int:
    """Write stills, strips and the key."""
    chance = random.Random(given.seed)
    clips = clips_in(given.clips)
    following, starts = around(clips), tuple(given.only.split(","))
    with (
        open_session(DubOptions()) as session,
        TemporaryDirectory(prefix="lipdub-blind-") as scratch,
    ):
        bench = Bench(session, given.priors)
        collected: list[tuple[Exhibit, list[np.ndarray]]] = []
        for path in (p for p in clips if p.name.startswith(starts)):
            folder = Path(scratch) / path.stem
            other = following[path]
            try:
                made = film_of(bench, path, (bench.features(other), other), range(0), folder, None)
                film = encoded(made.clip, read_frames(made.clip), path, folder / "film.mp4")
            except (NotFit, LipdubError) as why:
                print(f"{path.stem}: left out: {why}", file=sys.stderr)
                continue
            some = exhibits_of(path.stem.split("_")[0], made.rows, made.plan.face.track.first, given.each, chance)
            collected += [(e, _pictures(made.result if e.dubbed else film, made, e)) for e in some]
            print(f"{path.stem}: {len(some)}", file=sys.stderr, flush=True)
    return _hung(collected, given, chance)


def _hung(collected: list[tuple[Exhibit, list[np.ndarray]]], given: argparse.Namespace, chance: random.Random) -> int:
    chance.shuffle(collected)
    key: dict[str, object] = {}
    for number, (shown, pictures) in enumerate(collected, 1):
        name = f"{shown.name}/{number:03d}"
        _write(given.folder / f"{name}.png", _sheet(pictures))
        for k, picture in enumerate(pictures if len(pictures) > 1 else [], 1):
            _write(given.folder / name / f"{k}.png", picture)
        key[name] = {"clip": shown.clip, "first": shown.first, "is": "dub" if shown.dubbed else "film"}
    given.key.write_text(json.dumps(key, indent=1) + "\n")
    return 0 if key else 1


def score(given: argparse.Namespace) -> int:
    """Print how many answers are right, by kind, by what it was, and by clip."""
    key = json.loads(given.key.read_text())
    right: dict[str, list[bool]] = defaultdict(list)
    with given.answers.open(newline="") as file:
        for name, said, *_ in csv.reader(file):
            truth = key[name.strip()]
            fits = said.strip() == truth["is"]
            kind = name.split("/")[0]
            for group in (kind, f"{kind}, {truth['is']}", f"{kind}, {truth['clip']}"):
                right[group].append(fits)
    for group, some in sorted(right.items()):
        print(f"{group:16s} {sum(some):3d} of {len(some):3d} right ({100 * sum(some) / len(some):.0f} %)")
    return 0 if right else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    doors = parser.add_subparsers(required=True)
    hang = doors.add_parser("make")
    hang.set_defaults(run=make)
    hang.add_argument("clips", type=Path)
    hang.add_argument("folder", type=Path)
    hang.add_argument("--each", type=int, default=2, help="stills, and strips, of each clip")
    hang.add_argument("--seed", type=int, default=1)
    hang.add_argument("--only", default="", help="comma-separated starts of names")
    hang.add_argument("--priors", type=Path, help="folder of priors that have not seen a clip: d01.npz for d01_*.mp4")
    count = doors.add_parser("score")
    count.set_defaults(run=score)
    count.add_argument("answers", type=Path)
    for door in (hang, count):
        door.add_argument("--key", type=Path, default=Path("key.json"))
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    raise SystemExit(given.run(given))
