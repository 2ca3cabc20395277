"""The ltx engine: LTX-2.3 Dub-It generates the lower face, following a dub track or speaking the lines itself.

It generates pictures only where somebody speaks, in a crop around the head, in windows of frames that overlap. Only the
lower face of what was generated is put into the picture. It needs a GPU, the extra ``ltx`` and the published weights;
none of these is touched before the first study is made.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.ltx import line_windows, mask, studied_track
from lipdub.engines.ltx.diagnose import diagnose
from lipdub.engines.ltx.head_crop import SIDE, warp_back
from lipdub.engines.ltx.options import LtxOptions, parse_options
from lipdub.engines.ltx.pace import WindowPace, frames_of_cue
from lipdub.engines.ltx.run_renderer import LtxResources, RunPlan, RunRenderer, expect_run
from lipdub.engines.ltx.run_schedule import schedule_runs
from lipdub.engines.ltx.run_store import RunStore
from lipdub.engines.ltx.studied_track import StudiedTrack, load_track
from lipdub.engines.ltx.window_model import ModelLoader, PreparedModel, WindowModel, prepare_model
from lipdub.engines.ltx.window_store import WindowStore
from lipdub.engines.seam import EngineLimits, EngineSetup, Guide, Redetect, StudyFacts
from lipdub.errors import OptionError
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span

VERSION = 1
"""Raise it when the same pictures give another study."""

LOST = "the face was lost"
OFF_PICTURE = "the mouth is outside the picture"
_MUCH_ENLARGED = 3.0
"""A face that is enlarged more than this for the model is mentioned in the report."""


class LtxEngine:
    """Makes studies that render with Dub-It. All studies share one model, which is loaded when first needed."""

    name = "ltx"

    def __init__(
        self, options: LtxOptions = LtxOptions(), weights: Path | None = None, loader: ModelLoader | None = None
    ) -> None:
        """``weights`` is the folder of model files. ``loader`` replaces the model, for tests or for a loaded model."""
        self._options, self._weights, self._loader = options, weights, loader
        self._prepared: PreparedModel | None = None
        self._model: WindowModel | None = None
        self._expected: dict[str, None] = {}
        self._pace = WindowPace()
        self.limits = EngineLimits(
            smallest_face=16.0,
            largest_yaw=60.0,
            needs=frozenset({"sound"}),
            speaks=True,
            lag=options.frames + 2,
            accelerator=True,
            context=options.frames,  # the windows that hold a frame reach no further
        )

    def fingerprint(self) -> tuple[object, ...]:
        """What a study depends on: versions, options, and the model files by name, size and time of change.

        Raises as ``study`` does.
        """
        return (VERSION, studied_track.VERSION, self._options, self._model_name())

    def study(self, folder: Path, redetect: Redetect | None = None, same_person: Sequence[Path] = ()) -> "LtxStudy":
        """A new study if ``folder`` is empty or absent, or the finished one that is in it. ``same_person`` is not used.

        Raises ``MissingExtra``, ``MachineError`` or ``WeightsError`` if the model could not run here.
        """
        folder = Path(folder)
        stores = RunStore(folder / "takes"), WindowStore(folder / "windows")
        resources = LtxResources(
            self._options,
            self._loaded,
            self._model_name(),
            redetect,
            *stores,
            pace=self._pace,
            expected=self._expected,
        )
        return LtxStudy(folder, resources)

    def expect(self, cues: Sequence[Cue], times: FrameTimes) -> None:
        """These cues will be rendered, one after the other: with the first window's time, the rest is estimated."""
        self._pace.expect(sum(frames_of_cue(cue, times, self._options) for cue in cues))

    def _model_name(self) -> str:
        """A name that changes when the model files change."""
        if self._loader is None and self._prepared is None:
            self._prepared = prepare_model(self._options, self._weights)
        return "given" if self._prepared is None else self._prepared.name

    def diagnose(self) -> list[str]:
        """Lines for the user: on what the engine would run here, or what is missing."""
        return diagnose(self._options, self._weights)

    def _loaded(self, prompts: tuple[str, ...]) -> WindowModel:
        """The model, with the contexts of ``prompts`` made, and those of all that is expected, while the text encoder
        is there."""
        prompts = tuple(dict.fromkeys((*prompts, *self._expected)))
        self._expected.clear()
        if self._model is None:
            load = self._loader or (self._prepared and self._prepared.load)
            assert load is not None, "the model is prepared when a study is made"
            self._model = load(prompts)
        self._model.prepare_prompts(prompts)
        return self._model


@dataclass(eq=False)
class LtxStudy:
    """One face in one shot, stored in ``folder``; a ``SpeakingStudy``."""

    folder: Path
    resources: LtxResources
    _size: tuple[int, int] = field(default=(0, 0), repr=False)

    def see(self, view: FaceView) -> None:
        """Note the size of the pictures; nothing else is learnt before ``finish``."""
        self._size = view.size

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """Write where the head is in every frame; ``usable`` (frames,) bool: the mouth can be seen."""
        track = StudiedTrack.of(motion, usable, self._size)
        track.save(self.folder)
        return _facts(track, self.resources.options)

    def expect(self, guide: Guide) -> None:
        """Note the prompts of what will be generated, so that those of all faces are encoded together."""
        track = load_track(self.folder)
        schedule = schedule_runs(track, guide)
        for run in schedule.runs:
            if guide.dub_sound is not None or run.line is not None:
                expect_run(RunPlan.of(track, run, schedule.times, self.resources.options), guide, self.resources)

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """One answer per view.

        With cues, pictures are generated in their spans; without cues, where ``guide.trajectory`` has weight. They
        follow ``guide.dub_sound``. A cue whose id is in ``guide.own_voice``, and every cue with a line if there is no
        dub sound, shows the pictures that were generated together with the voice of that line. What was generated is
        stored in the study's folder and used again for the same inputs.
        """
        renderer = _LtxTrackRenderer(load_track(self.folder), guide, self.resources)
        try:
            yield from renderer.answers(iter(views))
        finally:
            renderer.close()

    def speak(self, guide: Guide, views: Iterable[FaceView]) -> Sound:
        """The voice of the lines of ``guide.cues``, from the start of the first cue to the end of the last one.

        The pictures that were generated with it are stored: see ``render``. They are found again by text, language and
        span of the line, seed, options, model files and source sound. Raises ``OptionError`` for lines without words,
        or with far too many words for their span, before anything is generated.
        """
        track = load_track(self.folder)
        speaking = replace(guide, dub_sound=None)
        schedule = schedule_runs(track, speaking)
        runs = [run for run in schedule.runs if run.line is not None]
        if not runs:
            raise OptionError("there is no line to speak on this face")
        for run in runs:
            assert run.line is not None
            line_windows.check_duration(run.line, float(run.span.duration))
        plans = [RunPlan.of(track, run, schedule.times, self.resources.options) for run in runs]
        self.resources.pace.expect(sum(plan.generated_frames for plan in plans))
        voices = _speak_runs(plans, speaking, self.resources.with_prompts([plan.prompts for plan in plans]), views)
        whole = Span(min(c.span.start for c in guide.cues), max(c.span.end for c in guide.cues))
        return _assemble_voice(voices, whole)


def _speak_runs(plans: list[RunPlan], guide: Guide, resources: LtxResources, views: Iterable[FaceView]) -> list[Sound]:
    """The voice of every run in order; pictures and voice of each run are stored."""
    voices: list[Sound] = []
    waiting, active = deque(plans), list[RunRenderer]()

    def finish(renderer: RunRenderer) -> None:
        renderer.close()
        assert renderer.voice is not None, "a run that speaks has a voice"
        voices.append(renderer.voice)

    for view in views:
        row = view.index - plans[0].track.first
        while waiting and waiting[0].run.input_rows.start <= row:
            active.append(RunRenderer(waiting.popleft(), guide, resources, entire=True))
        for renderer in active:
            renderer.see(view)
        for renderer in [one for one in active if row >= one.plan.run.input_rows.stop - 1]:
            active.remove(renderer)
            finish(renderer)
    for renderer in active:
        finish(renderer)
    return voices


def _assemble_voice(voices: list[Sound], span: Span) -> Sound:
    """``voices`` at their own times in ``span``, with silence between them."""
    rate, channels = (voices[0].rate, voices[0].samples.shape[0]) if voices else (48_000, 2)
    out = np.zeros((channels, round(span.duration * rate)), np.float32)
    for voice in voices:
        first = round((voice.start - span.start) * rate)
        samples = voice.samples[:, : out.shape[1] - first]
        out[:, first : first + samples.shape[1]] += samples
    return Sound(out, rate, span.start)


class _LtxTrackRenderer:
    """Answers the views of a track in order, taking as many views ahead as a window of frames needs."""

    def __init__(self, track: StudiedTrack, guide: Guide, resources: LtxResources) -> None:
        self._track, self._guide = track, guide
        schedule = schedule_runs(track, guide)
        self._weight = schedule.weight
        self._changed = track.ok & (schedule.weight > 0)
        self._in_run = np.zeros(len(track), bool)
        for run in schedule.runs:
            self._in_run[run.rows.start : run.rows.stop] = True
        runs = (run for run in schedule.runs if self._changed[run.rows.start : run.rows.stop].any())
        self._coming = deque(RunPlan.of(track, run, schedule.times, resources.options) for run in runs)
        self._resources = resources.with_prompts([plan.prompts for plan in self._coming])
        self._open: list[RunRenderer] = []

    def answers(self, views: Iterator[FaceView]) -> Iterator[Patch | Passthrough]:
        waiting: deque[FaceView] = deque()

        def take_view() -> bool:
            view = next(views, None)
            if view is None:
                for renderer in self._open:
                    renderer.close()
                return False
            waiting.append(view)
            self._see(view)
            return True

        while waiting or take_view():
            row = waiting[0].index - self._track.first
            renderer = self._renderer_of(row)
            if renderer is not None and self._changed[row]:
                while not renderer.ready(row) and take_view():
                    pass
            yield self._answer(waiting.popleft(), row, renderer)

    def close(self) -> None:
        """Discard what is unfinished."""
        for renderer in self._open:
            renderer.discard()

    def _see(self, view: FaceView) -> None:
        """Give a view to the runs that it belongs to; open runs that begin and close those that end."""
        row = view.index - self._track.first
        while self._coming and self._coming[0].run.rows.start <= row:
            self._open.append(RunRenderer(self._coming.popleft(), self._guide, self._resources))
        for renderer in self._open:
            if row < renderer.plan.run.input_rows.stop:
                renderer.see(view)
            else:
                renderer.close()

    def _renderer_of(self, row: int) -> RunRenderer | None:
        """The renderer of the run that holds ``row``; runs that end before ``row`` are discarded."""
        while self._open and self._open[0].plan.run.rows.stop <= row:
            self._open.pop(0).discard()
        return next((one for one in self._open if row in one.plan.run.rows), None)

    def _answer(self, view: FaceView, row: int, renderer: RunRenderer | None) -> Patch | Passthrough:
        if self._in_run[row] and not self._track.ok[row]:
            return Passthrough(view.index, LOST)
        if renderer is None or not self._changed[row]:
            return Passthrough(view.index)
        return _patch(view, row, renderer, float(self._weight[row]))


def _patch(view: FaceView, row: int, renderer: RunRenderer, weight: float) -> Patch | Passthrough:
    """What was generated for ``row``, blended by ``weight`` over the filmed lower face."""
    face, generated = renderer.plan.face, renderer.frame(row)
    outline = face.outline(row, generated.reach)
    window = mask.bounding_window(outline).clipped(view.size)
    if window.empty:
        return Passthrough(view.index, OFF_PICTURE)
    base = view.pixels(window)
    share = mask.feathered_mask(outline, window, face.unit(row)) * np.float32(weight)
    picture = warp_back(generated.picture, generated.to_display, window)
    mixed = base + (picture.astype(np.float32) - base) * share[..., None]
    pixels = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    changed = (pixels != base).any(-1)
    return Patch(view.index, window, base, pixels, changed.astype(np.float32))


def _facts(track: StudiedTrack, options: LtxOptions) -> StudyFacts:
    """Notes and figures for the report."""
    if not track.ok.any():
        return StudyFacts(0.0, ("the face was never found",))
    unit = float(np.median(track.poses.scale[track.ok]))
    enlarged = options.size / (SIDE * unit)
    notes = ("the mouth is generated by LTX-2.3 Dub-It: what it shows was never filmed",)
    if enlarged > _MUCH_ENLARGED:
        notes += (
            f"the face is small ({unit:.0f} pixels between the eyes): the model sees it enlarged {enlarged:.1f} times",
        )
    return StudyFacts(1.0, notes, {"eye_distance": unit, "enlarged": enlarged})


def make(setup: EngineSetup) -> LtxEngine:
    """The engine for the entry point. Raises ``OptionError`` for an option that it does not have."""
    return LtxEngine(parse_options(setup.options), setup.weights)
