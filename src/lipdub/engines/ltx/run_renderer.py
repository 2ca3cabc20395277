"""The pictures of one run: played back from its take, or made window by window while its looks pass."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lipdub.engines.ltx import align, colour_match, mask
from lipdub.engines.ltx.frame_grid import FrameGrid, grid, padded, windows
from lipdub.engines.ltx.join import WindowJoiner, FrameBlock, join_voices
from lipdub.engines.ltx.line_windows import prompts
from lipdub.engines.ltx.mask import LowerFace
from lipdub.engines.ltx.window_model import WindowModel, WindowRequest
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.engines.ltx.run_schedule import TrackRun
from lipdub.engines.ltx.run_store import GeneratedRun, RunStore, sound_digest, run_key
from lipdub.engines.ltx.sound_window import alike, cut_sound
from lipdub.engines.ltx.head_crop import Affine, HeadCrop, camera, head_motion, compose_affine, crop_frame
from lipdub.engines.seam import Guide, Redetect
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Window
from lipdub.timeline.sound import Sound

_AROUND = 0.3
"""Eye distances around the lower face that a take keeps."""


@dataclass(frozen=True, eq=False)
class LtxResources:
    """Who works on reels: the ``model``, loaded when first asked for with all the prompts that it will be given, and
    what its ``name`` is; the ``eye``; and where takes are kept."""

    options: LtxOptions
    model: Callable[[tuple[str, ...]], WindowModel]
    name: str
    eye: Redetect | None
    takes: RunStore
    prompts: tuple[str, ...] = ()

    def told(self, prompts: Iterable[tuple[str, ...]]) -> "LtxResources":
        """The same, knowing which prompts will come."""
        return replace(self, prompts=tuple(dict.fromkeys(prompt for some in prompts for prompt in some)))


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What is decided about a run before any frame is seen. ``box`` is what a take keeps of the camera's window."""

    record: StudiedTrack
    run: TrackRun
    times: FrameTimes
    grid: FrameGrid
    windows: tuple[range, ...]
    camera: HeadCrop
    face: LowerFace
    box: Window
    prompts: tuple[str, ...]

    @classmethod
    def of(cls, record: StudiedTrack, run: TrackRun, times: FrameTimes, options: LtxOptions) -> "RunPlan":
        """The plan of ``run``."""
        fed = range(record.first + run.fed.start, record.first + run.fed.stop)
        clock = grid(times, run.span, fed)
        parts = windows(clock, options.frames, options.overlap)
        seen = camera(record, run.fed, clock.rate, options.size)
        face = LowerFace.of(record, run.fed)
        told = prompts(run.line, [(part.start / clock.count, part.stop / clock.count) for part in parts], options)
        return cls(record, run, times, clock, parts, seen, face, _box(record, run, seen, face), told)

    def row(self, number: int) -> int:
        """Which row of the track the model is shown at ``number`` of the grid."""
        return int(self.grid.shown[number]) - self.record.first

    def outline(self, row: int, reach: float) -> Float32[np.ndarray, "corners 2"] | None:
        """The lower face in model pixels of the box, or None where the face was lost."""
        if not self.record.ok[row]:
            return None
        onto = self.camera.onto_model(row)
        corners = self.face.outline(row, reach) @ onto[:, :2].T + onto[:, 2]
        return (corners - [self.box.left, self.box.top]).astype(np.float32)


def _box(record: StudiedTrack, run: TrackRun, seen: HeadCrop, face: LowerFace) -> Window:
    """The smallest window of the camera's that holds the lower face in every row."""
    whole = Window(0, 0, seen.width, seen.height)
    boxes = []
    for row in (r for r in run.fed if record.ok[r]):
        onto = seen.onto_model(row)
        corners = face.outline(row, mask.MAX_REACH) @ onto[:, :2].T + onto[:, 2]
        boxes.append(mask.bounding_window(corners.astype(np.float32), _AROUND * face.unit(row) * seen.scale))
    if not boxes:
        return whole
    found = Window(
        min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes), max(b.bottom for b in boxes)
    ).clipped((seen.width, seen.height))
    return whole if found.empty else found


@dataclass(frozen=True, eq=False)
class GeneratedFrame:
    """A picture of the lower face, how its pixels lie in the display's, and how far the outline must reach."""

    picture: UInt8[np.ndarray, "height width 3"]
    onto: Affine
    reach: float


class RunRenderer:
    """One run's pictures. ``see`` every look of its fed rows in order; ``ready`` rows can be ``shown``."""

    def __init__(self, plan: RunPlan, guide: Guide, crew: LtxResources, entire: bool = False) -> None:
        """Played back if there is a take that was made from the same; made otherwise. ``entire``: all of it is made,
        though looks be missing; else only what there are looks for, and it is kept if none was missing."""
        self.plan, self._guide, self._crew = plan, guide, crew
        self._speaking, self._key, found = _choose(plan, guide, crew)
        self._finished = found is not None
        self._take = found or crew.takes.begin(self._key, (plan.box.height, plan.box.width, 3))
        self._fed: list[tuple[np.ndarray, np.ndarray | None]] = []
        self._begin = self._base = self._window = 0
        self._entire, self._whole, self._started, self._closed = entire, True, False, False
        self._joiner, self._voices = WindowJoiner(), list[tuple[int, Sound]]()

    @property
    def voice(self) -> Sound | None:
        """The voice that was made, once the run is finished."""
        return self._take.voice if self._finished else None

    def see(self, view: FaceView) -> None:
        """Take what the model needs of a look, and make every window that is then complete."""
        if self._finished or self._closed:
            return
        plan, row = self.plan, view.index - self.plan.record.first
        if not self._started:
            self._start_at(view.index)
        crop: np.ndarray | None = None
        number = self._begin + len(self._fed)
        while number < plan.grid.count and plan.grid.shown[number] <= view.index:
            self._whole &= int(plan.grid.shown[number]) == view.index
            if crop is None:
                crop = crop_frame(view, row, plan.camera)
            self._fed.append((crop, _seen_landmarks(view, plan.camera.onto_model(row), plan.camera.scale)))
            number += 1
            if number == plan.windows[self._window].stop:
                self._make()

    def _start_at(self, index: int) -> None:
        """Skip windows of which no look will come."""
        self._started, plan = True, self.plan
        while (
            not self._entire
            and self._window + 1 < len(plan.windows)
            and plan.grid.shown[plan.windows[self._window][-1]] < index
        ):
            self._window += 1
        self._begin = self._base = plan.windows[self._window].start
        self._whole = self._base == 0

    def close(self) -> None:
        """No more looks will come: make what is missing of the window at hand, or of all, from the last one."""
        if self._finished or self._closed or not self._started:
            return
        self._closed, self._whole = True, False
        while self._fed and self._window < len(self.plan.windows):
            part = self.plan.windows[self._window]
            self._fed += [self._fed[-1]] * (part.stop - self._begin - len(self._fed))
            self._make(last=not self._entire)
            if not self._entire:
                return

    def ready(self, row: int) -> bool:
        """True if ``row`` can be shown."""
        return self._finished or self._closed or self._number(row) - self._base < len(self._take)

    def shown(self, row: int) -> GeneratedFrame:
        """What was made for ``row``: the picture nearest in time, moved along with the head."""
        plan = self.plan
        number = min(max(self._number(row), self._base), self._base + len(self._take) - 1)
        picture, reach = self._take.read(number - self._base)
        made_for = plan.row(number)
        corner = np.array([[1.0, 0, plan.box.left], [0, 1, plan.box.top]])
        onto = compose_affine(plan.camera.onto_picture(made_for), corner)
        moved = head_motion(plan.record.poses, plan.face.still, made_for, row)
        return GeneratedFrame(picture, compose_affine(moved, onto), reach)

    def end(self) -> None:
        """Nothing more is asked: an unfinished take is removed."""
        if not self._finished:
            self._take.drop()
        self._fed = []

    def _number(self, row: int) -> int:
        return self.plan.grid.near(self.plan.times.instant(self.plan.record.first + row))

    def _make(self, last: bool = False) -> None:
        """Make the window at hand, and write what is settled by it."""
        plan = self.plan
        part = plan.windows[self._window]
        last = last or self._window == len(plan.windows) - 1
        until = part.stop if last else plan.windows[self._window + 1].start
        made, voice = self._generated(part)
        if voice is not None:
            self._voices.append((part.start, voice))
        for picture, reach in self._joiner.add(made, until):
            self._take.append(picture, reach)
        del self._fed[: until - self._begin]
        self._begin = until
        self._window += 1
        if self._window == len(plan.windows) and (self._whole or self._entire):
            self._finish()

    def _finish(self) -> None:
        voice = None
        if self._speaking:
            grid = self.plan.grid
            said = join_voices(self._voices, self._joiner.fades, grid.rate, grid.count)
            voice = Sound(said.samples, said.rate, grid.start)
        self._take.keep(self._crew.takes.place(self._key), voice)
        self._finished, self._fed, self._joiner, self._voices = True, [], WindowJoiner(), []

    def _generated(self, part: range) -> tuple[FrameBlock, Sound | None]:
        """The window ``part``, colours matched, cut to the box; and the voice if one is made."""
        plan, guide, box = self.plan, self._guide, self.plan.box
        fed = self._fed[: len(part)]
        frames = np.stack([crop for crop, _ in fed] + [fed[-1][0]] * (padded(len(part)) - len(part)))
        span = plan.grid.span(part.start, part.start + len(frames))
        dub = None if self._speaking else cut_sound(guide.sound, span)
        seed = _seed(guide.seed, plan.record.first + plan.run.fed.start, self._window)
        wanted = WindowRequest(frames, plan.grid.rate, cut_sound(guide.source, span), dub, plan.prompts[self._window], seed)
        made = self._crew.model(self._crew.prompts)(wanted)
        pictures, chins = self._back_in_place(frames[: len(part)], made.frames[: len(part)], fed)
        reach = [self._reach(number, chin) for number, chin in zip(part, chins, strict=True)]
        inside = np.s_[:, box.top : box.bottom, box.left : box.right]
        filmed, pictures = frames[: len(part)][inside], pictures[inside]
        rings = [self._ring(number, one) for number, one in zip(part, reach, strict=True)]
        shades = colour_match.colour_planes(filmed, pictures, rings)
        matched = np.stack([colour_match.add_plane(one, shade) for one, shade in zip(pictures, shades, strict=True)])
        stretch = FrameBlock(part.start, matched, mask.smooth_reach(np.array(reach, np.float32)))
        return stretch, made.voice if self._speaking else None

    def _back_in_place(
        self, filmed: np.ndarray, made: np.ndarray, fed: list[tuple[np.ndarray, np.ndarray | None]]
    ) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """What was made, moved to where the head was filmed; and its landmarks in model pixels, where found."""
        eye = self._crew.eye
        if eye is None:
            return made, [None] * len(made)
        before = [None if near is None else eye(one, near) for one, (_, near) in zip(filmed, fed, strict=True)]
        after = [None if near is None else eye(one, near) for one, (_, near) in zip(made, fed, strict=True)]
        moves = align.alignment_maps(before, after)
        moved = [None if a is None else _onto(a, move, 1.0) for a, move in zip(after, moves, strict=True)]
        return align.align_frames(made, moves, self.plan.box), moved

    def _reach(self, number: int, made: np.ndarray | None) -> float:
        """How far down the chin is in what was made, whose landmarks are ``made``."""
        plan, row = self.plan, self.plan.row(number)
        if made is not None:
            made = _onto(made, plan.camera.onto_picture(row), 1 / plan.camera.scale)
        return plan.face.reach(row, made)

    def _ring(self, number: int, reach: float) -> np.ndarray:
        plan, row = self.plan, self.plan.row(number)
        size = plan.box.width, plan.box.height
        outline = plan.outline(row, reach)
        if outline is None:
            return np.zeros(size[::-1], np.float32)
        return mask.skin_ring(outline, size, plan.face.unit(row) * plan.camera.scale)


def _choose(plan: RunPlan, guide: Guide, crew: LtxResources) -> tuple[bool, str, GeneratedRun | None]:
    """Whether the voice is made too, under which key, and the take if there is one.

    A take that was made together with its voice is named without a dub track, for that voice becomes the dub track:
    it is played back if the guide has no sound yet, or if its sound is that voice. All others are named by the sound
    they follow.
    """
    span = plan.grid.span(0, plan.windows[-1].start + padded(len(plan.windows[-1])))
    told: dict[str, Any] = {
        "model": crew.name,
        "options": {name: value for name, value in asdict(crew.options).items() if name != "device"},
        "seed": guide.seed,
        "fed": [plan.run.fed.start, plan.run.fed.stop],
        "grid": [str(plan.grid.start), str(plan.grid.rate), plan.grid.count],
        "windows": [[part.start, part.stop] for part in plan.windows],
        "prompts": list(plan.prompts),
        "source": sound_digest(cut_sound(guide.source, span)),
    }
    if plan.run.line is not None:
        key = run_key({**told, "dub": "its own voice"})
        spoken = crew.takes.find(key)
        voice = None if spoken is None else spoken.voice
        if guide.sound is None or (voice is not None and alike(voice, guide.sound)):
            return True, key, spoken
    key = run_key({**told, "dub": sound_digest(cut_sound(guide.sound, span))})
    return False, key, crew.takes.find(key)


def _seed(seed: int, first: int, window: int) -> int:
    """For torch's generator: other for every run and window."""
    return int.from_bytes(hashlib.sha256(f"{seed} {first} {window}".encode()).digest()[:7], "big")


def _seen_landmarks(view: FaceView, onto: Affine, scale: float) -> np.ndarray | None:
    return None if view.landmarks is None else _onto(view.landmarks, onto, scale)


def _onto(landmarks: np.ndarray, onto: Affine, scale: float) -> Float32[np.ndarray, "478 3"]:
    """Landmarks moved by ``onto``, their depth by ``scale``."""
    flat = landmarks[:, :2] @ onto[:, :2].T + onto[:, 2]
    return np.concatenate([flat, landmarks[:, 2:] * scale], 1).astype(np.float32)
