"""Renders one run of frames: plays back what is stored for the same inputs, or generates it window by window."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lipdub.engines.ltx import align, colour_match, mask
from lipdub.engines.ltx.frame_grid import FrameGrid, make_grid, padded_length, split_windows
from lipdub.engines.ltx.head_crop import Affine, HeadCrop, compose_affine, crop_frame, head_motion, plan_head_crop
from lipdub.engines.ltx.join import FrameBlock, WindowJoiner, join_voices
from lipdub.engines.ltx.line_windows import window_prompts
from lipdub.engines.ltx.mask import LowerFace
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.pace import WindowPace, WindowSize
from lipdub.engines.ltx.run_schedule import TrackRun
from lipdub.engines.ltx.run_store import GeneratedRun, RunStore, run_key, sound_digest
from lipdub.engines.ltx.sound_window import add_noise, cut_sound, speech_level
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.engines.ltx.window_model import WindowModel, WindowRequest
from lipdub.engines.ltx.window_store import KeptWindow, WindowStore
from lipdub.engines.seam import Guide, Redetect
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Window
from lipdub.timeline.sound import Sound

_AROUND = 0.3
"""Eye distances around the lower face that are stored too."""


@dataclass(frozen=True, eq=False)
class LtxResources:
    """What a study needs to render.

    ``load_model`` returns the model, loaded at its first call, for the prompts that it will get. ``model_name``
    changes when the model files change. ``redetect`` measures generated pictures (None: they are used as they are).
    ``store`` holds generated runs, ``windows`` the finished windows of unfinished ones. ``prompts`` are all prompts of
    the guide that is rendered; ``expected`` are those of guides that will be rendered later, of all studies of the
    engine, so that they are encoded together. ``pace`` measures how long windows take.
    """

    options: LtxOptions
    load_model: Callable[[tuple[str, ...]], WindowModel]
    model_name: str
    redetect: Redetect | None
    store: RunStore
    windows: WindowStore
    prompts: tuple[str, ...] = ()
    pace: WindowPace = field(default_factory=WindowPace)
    expected: dict[str, None] = field(default_factory=dict)

    def with_prompts(self, prompts: Iterable[tuple[str, ...]]) -> "LtxResources":
        """The same resources with the distinct ``prompts`` of several runs."""
        return replace(self, prompts=tuple(dict.fromkeys(prompt for some in prompts for prompt in some)))


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What is decided about a run before its frames are seen.

    ``grid``: the instants that are generated. ``windows``: ranges of the grid that are generated at once.
    ``crop``: where the model's crop is in each frame. ``box``: the part of the crop that is stored, in model pixels.
    ``prompts``: one for each window.
    """

    track: StudiedTrack
    run: TrackRun
    times: FrameTimes
    grid: FrameGrid
    windows: tuple[range, ...]
    crop: HeadCrop
    face: LowerFace
    box: Window
    prompts: tuple[str, ...]

    @classmethod
    def of(cls, track: StudiedTrack, run: TrackRun, times: FrameTimes, options: LtxOptions) -> "RunPlan":
        """The plan of ``run``."""
        frames = range(track.first + run.input_rows.start, track.first + run.input_rows.stop)
        grid = make_grid(times, run.span, frames)
        windows = split_windows(grid, options.frames, options.overlap)
        crop = plan_head_crop(track, run.input_rows, grid.rate, options.size)
        face = LowerFace.of(track, run.input_rows)
        extents = [(window.start / grid.count, window.stop / grid.count) for window in windows]
        prompts = window_prompts(run.line, extents, options)
        return cls(track, run, times, grid, windows, crop, face, _stored_box(track, run, crop, face), prompts)

    @property
    def generated_frames(self) -> int:
        """The frames of all windows together, those that fill a window up included."""
        return sum(padded_length(len(window)) for window in self.windows)

    def row(self, number: int) -> int:
        """The row of the track that the model is shown at instant ``number`` of the grid."""
        return int(self.grid.frames[number]) - self.track.first

    def outline(self, row: int, reach: float) -> Float32[np.ndarray, "corners 2"] | None:
        """The outline of the lower face in model pixels of the box, or None where the face was lost."""
        if not self.track.ok[row]:
            return None
        to_model = self.crop.to_model(row)
        corners = self.face.outline(row, reach) @ to_model[:, :2].T + to_model[:, 2]
        return (corners - [self.box.left, self.box.top]).astype(np.float32)


def _stored_box(track: StudiedTrack, run: TrackRun, crop: HeadCrop, face: LowerFace) -> Window:
    """The smallest window of the crop that holds the lower face in every row."""
    whole = Window(0, 0, crop.width, crop.height)
    boxes = []
    for row in (r for r in run.input_rows if track.ok[r]):
        to_model = crop.to_model(row)
        corners = face.outline(row, mask.MAX_REACH) @ to_model[:, :2].T + to_model[:, 2]
        boxes.append(mask.bounding_window(corners.astype(np.float32), _AROUND * face.unit(row) * crop.scale))
    if not boxes:
        return whole
    box = Window(
        min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes), max(b.bottom for b in boxes)
    ).clipped((crop.width, crop.height))
    return whole if box.empty else box


@dataclass(frozen=True, eq=False)
class _ModelInput:
    """What the model is shown at one instant: the ``crop`` of a frame, and ``landmarks`` in it (None: not found).

    ``planned``: it is the frame that the grid names; False if that frame was not seen and another one stands for it.
    """

    crop: UInt8[np.ndarray, "height width 3"]
    landmarks: np.ndarray | None
    planned: bool


@dataclass(frozen=True, eq=False)
class GeneratedFrame:
    """A generated ``picture`` of the lower face; ``to_display`` maps its pixels to the clip's; ``reach``: how far below
    the mean chin the blending outline must go (eye distances)."""

    picture: UInt8[np.ndarray, "height width 3"]
    to_display: Affine
    reach: float


class RunRenderer:
    """Renders one run: ``see`` every view of its input rows in order; a row that is ``ready`` has a ``frame``."""

    def __init__(self, plan: RunPlan, guide: Guide, resources: LtxResources, entire: bool = False) -> None:
        """Play back a stored run with the same inputs if there is one; otherwise generate and store it.

        Windows that were finished before the run was interrupted are not generated again.
        ``entire``: generate all windows even if views are missing at the end. Otherwise only windows with views are
        generated, and the run is stored only if no view was missing.
        """
        self.plan, self._guide, self._resources = plan, guide, resources
        self._speaking, self._key, stored = _find_stored(plan, guide, resources)
        self._finished = stored is not None
        if self._finished:
            resources.pace.skip(plan.generated_frames)
        self._run = stored or resources.store.begin(self._key, (plan.box.height, plan.box.width, 3))
        self._inputs: list[_ModelInput] = []  # from instant _begin on
        self._begin = self._base = self._window = 0  # instants: first input, first generated; number of the window
        self._entire, self._complete, self._started, self._closed = entire, True, False, False
        self._joiner, self._voices = WindowJoiner(), list[tuple[int, Sound]]()

    @property
    def voice(self) -> Sound | None:
        """The voice that was generated, once the run is complete; None if it follows a dub sound."""
        return self._run.voice if self._finished else None

    def see(self, view: FaceView) -> None:
        """Crop a view for the model, and generate every window whose inputs are then complete."""
        if self._finished or self._closed:
            return
        plan, row = self.plan, view.index - self.plan.track.first
        if not self._started:
            self._start_at(view.index)
        crop: np.ndarray | None = None
        number = self._begin + len(self._inputs)
        while number < plan.grid.count and plan.grid.frames[number] <= view.index:
            planned = int(plan.grid.frames[number]) == view.index
            self._complete &= planned
            if crop is None:
                crop = crop_frame(view, row, plan.crop)
            landmarks = _landmarks_in_crop(view, plan.crop.to_model(row), plan.crop.scale)
            self._inputs.append(_ModelInput(crop, landmarks, planned))
            number += 1
            if number == plan.windows[self._window].stop:
                self._generate_window()

    def _start_at(self, index: int) -> None:
        """Skip windows that end before the clip's frame ``index``, of which no view will come."""
        self._started, plan = True, self.plan
        while (
            not self._entire
            and self._window + 1 < len(plan.windows)
            and plan.grid.frames[plan.windows[self._window][-1]] < index
        ):
            self._window += 1
        self._begin = self._base = plan.windows[self._window].start
        self._complete = self._base == 0

    def close(self) -> None:
        """No more views will come: generate the rest of the current window (``entire``: of all windows), with the last
        view repeated."""
        if self._finished or self._closed or not self._started:
            return
        self._closed, self._complete = True, False
        while self._inputs and self._window < len(self.plan.windows):
            window = self.plan.windows[self._window]
            missing = window.stop - self._begin - len(self._inputs)
            self._inputs += [replace(self._inputs[-1], planned=False)] * missing
            self._generate_window(last=not self._entire)
            if not self._entire:
                return

    def ready(self, row: int) -> bool:
        """True if ``frame(row)`` can be called."""
        return self._finished or self._closed or self._number(row) - self._base < len(self._run)

    def frame(self, row: int) -> GeneratedFrame:
        """The generated picture nearest in time to ``row``, moved along with the head."""
        plan = self.plan
        number = min(max(self._number(row), self._base), self._base + len(self._run) - 1)
        picture, reach = self._run.read(number - self._base)
        source_row = plan.row(number)
        corner = np.array([[1.0, 0, plan.box.left], [0, 1, plan.box.top]])
        to_display = compose_affine(plan.crop.to_picture(source_row), corner)
        motion = head_motion(plan.track.poses, plan.face.still, source_row, row)
        return GeneratedFrame(picture, compose_affine(motion, to_display), reach)

    def discard(self) -> None:
        """Remove the run's files if it is unfinished, and free memory."""
        if not self._finished:
            self._run.discard()
        self._inputs = []

    def _number(self, row: int) -> int:
        return self.plan.grid.nearest(self.plan.times.instant(self.plan.track.first + row))

    def _generate_window(self, last: bool = False) -> None:
        """Generate the current window, and write the frames that the next window cannot change."""
        plan = self.plan
        window = plan.windows[self._window]
        last = last or self._window == len(plan.windows) - 1
        until = window.stop if last else plan.windows[self._window + 1].start
        made = self._kept_or_generated(window)
        if made.voice is not None:
            self._voices.append((window.start, made.voice))
        for picture, reach in self._joiner.add(made.block, until):
            self._run.append(picture, reach)
        del self._inputs[: until - self._begin]
        self._begin = until
        self._window += 1
        if self._window == len(plan.windows) and (self._complete or self._entire):
            self._finish()

    def _finish(self) -> None:
        voice = None
        if self._speaking:
            grid = self.plan.grid
            whole = join_voices(self._voices, self._joiner.fades, grid.rate, grid.count)
            voice = Sound(whole.samples, whole.rate, grid.start)
        self._run.publish(self._resources.store.path(self._key), voice)
        self._resources.windows.forget(self._key)
        self._finished, self._inputs, self._joiner, self._voices = True, [], WindowJoiner(), []

    def _kept_or_generated(self, window: range) -> KeptWindow:
        """The current window as it was kept, or generated now and kept, if all its frames are those of the plan."""
        windows, number = self._resources.windows, self._window
        planned = all(one.planned for one in self._inputs[: len(window)])
        kept = windows.find(self._key, number) if planned else None
        if kept is not None:
            self._resources.pace.skip(padded_length(len(window)))
            return kept
        made = self._generated(window)
        if planned and len(self.plan.windows) > 1:
            windows.keep(self._key, number, made)
        return made

    def _generated(self, window: range) -> KeptWindow:
        """One window, with colours matched and cut to the box; and its voice if one is generated."""
        plan, box = self.plan, self.plan.box
        inputs = self._inputs[: len(window)]
        padding = [inputs[-1].crop] * (padded_length(len(window)) - len(window))
        frames = np.stack([one.crop for one in inputs] + padding)
        request = self._request(window, frames)
        model, options = self._resources.load_model(self._resources.prompts), self._resources.options
        with self._resources.pace.window(WindowSize(len(frames), plan.grid.rate, options.overlap)):
            output = model(request)
        pictures, chins = self._align(frames[: len(window)], output.frames[: len(window)], inputs)
        reach = [self._reach(number, chin) for number, chin in zip(window, chins, strict=True)]
        inside = np.s_[:, box.top : box.bottom, box.left : box.right]
        filmed, pictures = frames[: len(window)][inside], pictures[inside]
        rings = [self._skin_ring(number, one) for number, one in zip(window, reach, strict=True)]
        planes = colour_match.colour_planes(filmed, pictures, rings)
        matched = np.stack([colour_match.add_plane(one, plane) for one, plane in zip(pictures, planes, strict=True)])
        block = FrameBlock(window.start, matched, mask.smooth_reach(np.array(reach, np.float32)))
        return KeptWindow(block, output.voice if self._speaking else None)

    def _request(self, window: range, frames: np.ndarray) -> WindowRequest:
        """What the model is asked for: the ``frames`` of the current window, with the sounds beside them."""
        plan, guide = self.plan, self._guide
        span = plan.grid.span(window.start, window.start + len(frames))
        seed = _window_seed(guide.seed, plan.track.first + plan.run.input_rows.start, self._window)
        dub = None if self._speaking else cut_sound(guide.dub_sound, span)
        if dub is not None and self._resources.options.speech_noise > 0:
            dub = add_noise(dub, self._resources.options.speech_noise * self._speech_level, seed)
        source = cut_sound(guide.source_sound, span)
        return WindowRequest(frames, plan.grid.rate, source, dub, plan.prompts[self._window], seed)

    @cached_property
    def _speech_level(self) -> float:
        """The RMS of the dub's speech in this run."""
        return speech_level(cut_sound(self._guide.dub_sound, self.plan.grid.span(0, self.plan.grid.count)))

    def _align(
        self, filmed: np.ndarray, generated: np.ndarray, inputs: list[_ModelInput]
    ) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """``generated`` moved to where the head was filmed; and its landmarks in model pixels (None: not found)."""
        redetect = self._resources.redetect
        if redetect is None:
            return generated, [None] * len(generated)
        landmarks = [one.landmarks for one in inputs]
        before = [None if near is None else redetect(one, near) for one, near in zip(filmed, landmarks, strict=True)]
        after = [None if near is None else redetect(one, near) for one, near in zip(generated, landmarks, strict=True)]
        maps = align.alignment_maps(before, after)
        moved = [None if a is None else _map_landmarks(a, one, 1.0) for a, one in zip(after, maps, strict=True)]
        return align.align_frames(generated, maps, self.plan.box), moved

    def _reach(self, number: int, landmarks: np.ndarray | None) -> float:
        """How far down the outline must go for a generated picture with ``landmarks`` in model pixels."""
        plan, row = self.plan, self.plan.row(number)
        if landmarks is not None:
            landmarks = _map_landmarks(landmarks, plan.crop.to_picture(row), 1 / plan.crop.scale)
        return plan.face.reach(row, landmarks)

    def _skin_ring(self, number: int, reach: float) -> np.ndarray:
        plan, row = self.plan, self.plan.row(number)
        size = plan.box.width, plan.box.height
        outline = plan.outline(row, reach)
        if outline is None:
            return np.zeros(size[::-1], np.float32)
        return mask.skin_ring(outline, size, plan.face.unit(row) * plan.crop.scale)


_HOW = ("device", "attention", "compile")
"""Options that say how, and not what, is generated."""


def expect_run(plan: RunPlan, guide: Guide, resources: LtxResources) -> None:
    """Note the prompts of a run that will be generated later; none if it is stored."""
    _, _, stored = _find_stored(plan, guide, resources)
    if stored is None:
        resources.expected.update(dict.fromkeys(plan.prompts))


def _find_stored(plan: RunPlan, guide: Guide, resources: LtxResources) -> tuple[bool, str, GeneratedRun | None]:
    """Whether the run makes its own voice; its key in the store; and the stored run, if there is one.

    A run makes its own voice if it has a line, and the guide has no dub sound or says that the dub sound there is the
    engine's own voice (``Guide.own_voice``). Its key then has no dub sound in it, so that ``render`` finds what
    ``speak`` stored. Every other key contains the dub sound that is followed.
    """
    span = plan.grid.span(0, plan.windows[-1].start + padded_length(len(plan.windows[-1])))
    inputs: dict[str, Any] = {
        "model": resources.model_name,
        "options": {name: value for name, value in asdict(resources.options).items() if name not in _HOW},
        "seed": guide.seed,
        "fed": [plan.run.input_rows.start, plan.run.input_rows.stop],
        "grid": [str(plan.grid.start), str(plan.grid.rate), plan.grid.count],
        "windows": [[window.start, window.stop] for window in plan.windows],
        "prompts": list(plan.prompts),
        "source": sound_digest(cut_sound(guide.source_sound, span)),
    }
    own = guide.dub_sound is None or (plan.run.cue_id != "" and plan.run.cue_id in guide.own_voice)
    speaking = own and plan.run.line is not None
    dub = "its own voice" if speaking else sound_digest(cut_sound(guide.dub_sound, span))
    key = run_key({**inputs, "dub": dub})
    return speaking, key, resources.store.find(key)


def _window_seed(seed: int, first: int, window: int) -> int:
    """A seed for torch's generator that differs for every run (of first frame ``first``) and window."""
    return int.from_bytes(hashlib.sha256(f"{seed} {first} {window}".encode()).digest()[:7], "big")


def _landmarks_in_crop(view: FaceView, to_model: Affine, scale: float) -> np.ndarray | None:
    return None if view.landmarks is None else _map_landmarks(view.landmarks, to_model, scale)


def _map_landmarks(landmarks: np.ndarray, affine: Affine, scale: float) -> Float32[np.ndarray, "478 3"]:
    """``landmarks`` (478, 3) with x and y mapped by ``affine`` and z multiplied by ``scale``."""
    flat = landmarks[:, :2] @ affine[:, :2].T + affine[:, 2]
    return np.concatenate([flat, landmarks[:, 2:] * scale], 1).astype(np.float32)
