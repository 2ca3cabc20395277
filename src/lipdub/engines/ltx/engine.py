"""The ltx engine: LTX-2.3 Dub-It makes the mouth anew, following a dub track or speaking the lines itself.

It runs where somebody speaks and only there, on a window around the head, in stretches that overlap; of what comes
out, only the lower face is put back. Needs a GPU, the extra ``ltx`` and the published weights; nothing of that is
touched before a study is asked for.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.ltx import line_windows, mask, window_model
from lipdub.engines.ltx import studied_track as records
from lipdub.engines.ltx.diagnose import diagnose
from lipdub.engines.ltx.window_model import ModelLoader, WindowModel, PreparedModel
from lipdub.engines.ltx.options import LtxOptions, parse_options
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.engines.ltx.run_renderer import LtxResources, RunPlan, RunRenderer
from lipdub.engines.ltx.run_schedule import schedule_runs
from lipdub.engines.ltx.run_store import RunStore
from lipdub.engines.ltx.head_crop import SIDE, warp_back
from lipdub.engines.seam import EngineLimits, EngineSetup, Guide, Redetect, StudyFacts
from lipdub.errors import OptionError
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span

VERSION = 1
"""Raise when the same pictures give another study."""

LOST = "the face was lost"
OFF_PICTURE = "the mouth is outside the picture"
_SMALL = 3.0
"""How much a face is enlarged for the model from which on the report says so."""


class LtxEngine:
    """Makes studies that let Dub-It perform. One model serves all of them; it is loaded when first needed."""

    name = "ltx"

    def __init__(
        self, options: LtxOptions = LtxOptions(), weights: Path | None = None, loader: ModelLoader | None = None
    ) -> None:
        """With ``options``, and the folder of ``weights``. ``loader`` gives another model instead (for tests, and
        for those who have loaded one)."""
        self._options, self._weights, self._loader = options, weights, loader
        self._ready: PreparedModel | None = None
        self._model: WindowModel | None = None
        self.limits = EngineLimits(
            smallest_face=16.0,
            largest_yaw=60.0,
            needs=frozenset({"sound"}),
            speaks=True,
            lag=options.frames + 2,
            accelerator=True,
        )

    def fingerprint(self) -> tuple[object, ...]:
        """What a study depends on: versions, options, and the files of weights by name, size and time.

        Raises as ``study`` does.
        """
        return (VERSION, records.VERSION, self._options, self._model_name())

    def study(self, folder: Path, eye: Redetect | None = None) -> "LtxStudy":
        """A new study in an empty or absent ``folder``, or the finished one that lies there.

        Raises ``MissingExtra``, ``MachineError`` or ``WeightsError`` if it could never perform.
        """
        name = self._model_name()
        return LtxStudy(Path(folder), LtxResources(self._options, self._loaded, name, eye, RunStore(Path(folder) / "takes")))

    def _model_name(self) -> str:
        """A word that changes with the files of weights."""
        if self._loader is None and self._ready is None:
            self._ready = window_model.prepare_model(self._options, self._weights)
        return "given" if self._ready is None else self._ready.name

    def examine(self) -> list[str]:
        """What it could do on this machine, and what it lacks."""
        return diagnose(self._options, self._weights)

    def _loaded(self, prompts: tuple[str, ...]) -> WindowModel:
        """The model, ready for ``prompts``."""
        if self._model is None:
            load = self._loader or (self._ready and self._ready.load)
            assert load is not None, "a study was asked for first"
            self._model = load(prompts)
        self._model.learn(prompts)
        return self._model


@dataclass(eq=False)
class LtxStudy:
    """One face in one shot, in its own ``folder``; a ``Speaker``."""

    folder: Path
    crew: LtxResources
    _size: tuple[int, int] = field(default=(0, 0), repr=False)

    def see(self, view: FaceView) -> None:
        """The model needs no lessons: only the size of the pictures is kept."""
        self._size = view.size

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """Write where the head is in every frame; ``usable`` (frames,) bool: the mouth can be seen."""
        record = StudiedTrack.of(motion, usable, self._size)
        record.save(self.folder)
        return _facts(record, self.crew.options)

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """One answer per look.

        Cues are followed in their spans; without cues, ``guide.path`` is where it has weight. The mouth follows
        ``guide.sound``; a line without sound is spoken by the engine itself. What was made is kept, and played back
        when the same is asked again.
        """
        stage = _LtxTrackRenderer(records.load_track(self.folder), guide, self.crew)
        try:
            yield from stage.answers(iter(views))
        finally:
            stage.end()

    def speak(self, guide: Guide, views: Iterable[FaceView]) -> Sound:
        """The voice of the lines of ``guide.cues``, from the first cue's start to the last one's end.

        The pictures that were made with it are kept, so that ``perform`` of the same cues and seed plays them, with
        ``guide.sound`` absent or holding this voice (mixed with what is softer, if need be). Raises ``OptionError``
        for lines that have no words or far too many for their span, before anything is made.
        """
        record = records.load_track(self.folder)
        mute = Guide(guide.path, None, guide.source, guide.cues, guide.times, guide.seed)
        asked = schedule_runs(record, mute)
        runs = [run for run in asked.runs if run.line is not None]
        if not runs:
            raise OptionError("there is no line to speak on this face")
        for run in runs:
            assert run.line is not None
            line_windows.check_duration(run.line, float(run.span.duration))
        plans = [RunPlan.of(record, run, asked.times, self.crew.options) for run in runs]
        voices = _spoken(plans, mute, self.crew.told([plan.prompts for plan in plans]), views)
        return _assemble_voice(voices, Span(min(c.span.start for c in guide.cues), max(c.span.end for c in guide.cues)))


def _spoken(plans: list[RunPlan], guide: Guide, crew: LtxResources, views: Iterable[FaceView]) -> list[Sound]:
    """The voice of every plan; pictures and voice are kept as takes."""
    voices: list[Sound] = []
    waiting, at_work = deque(plans), list[RunRenderer]()

    def settled(reel: RunRenderer) -> None:
        reel.close()
        assert reel.voice is not None, "a run that speaks has a voice"
        voices.append(reel.voice)

    for view in views:
        row = view.index - plans[0].record.first
        while waiting and waiting[0].run.fed.start <= row:
            at_work.append(RunRenderer(waiting.popleft(), guide, crew, entire=True))
        for reel in at_work:
            reel.see(view)
        for reel in [reel for reel in at_work if row >= reel.plan.run.fed.stop - 1]:
            at_work.remove(reel)
            settled(reel)
    for reel in at_work:
        settled(reel)
    return voices


def _assemble_voice(voices: list[Sound], span: Span) -> Sound:
    """Voices where they belong in ``span``, silence between them."""
    rate, channels = (voices[0].rate, voices[0].samples.shape[0]) if voices else (48_000, 2)
    out = np.zeros((channels, round(span.duration * rate)), np.float32)
    for voice in voices:
        first = round((voice.start - span.start) * rate)
        samples = voice.samples[:, : out.shape[1] - first]
        out[:, first : first + samples.shape[1]] += samples
    return Sound(out, rate, span.start)


class _LtxTrackRenderer:
    """Answers looks, taking as many ahead as a window needs."""

    def __init__(self, record: StudiedTrack, guide: Guide, crew: LtxResources) -> None:
        self._record, self._guide = record, guide
        self._score = schedule_runs(record, guide)
        self._plays = record.ok & (self._score.weight > 0)
        self._asked = np.zeros(len(record), bool)
        for run in self._score.runs:
            self._asked[run.rows.start : run.rows.stop] = True
        runs = (run for run in self._score.runs if self._plays[run.rows.start : run.rows.stop].any())
        self._coming = deque(RunPlan.of(record, run, self._score.times, crew.options) for run in runs)
        self._crew = crew.told([plan.prompts for plan in self._coming])
        self._open: list[RunRenderer] = []

    def answers(self, views: Iterator[FaceView]) -> Iterator[Patch | Passthrough]:
        waiting: deque[FaceView] = deque()

        def more() -> bool:
            view = next(views, None)
            if view is None:
                for reel in self._open:
                    reel.close()
                return False
            waiting.append(view)
            self._see(view)
            return True

        while waiting or more():
            row = waiting[0].index - self._record.first
            reel = self._reel(row)
            if reel is not None and self._plays[row]:
                while not reel.ready(row) and more():
                    pass
            yield self._answer(waiting.popleft(), row, reel)

    def end(self) -> None:
        """Let go of what is open."""
        for reel in self._open:
            reel.end()

    def _see(self, view: FaceView) -> None:
        """Show a look to the run it belongs to, opening and closing runs as they come and go."""
        row = view.index - self._record.first
        while self._coming and self._coming[0].run.rows.start <= row:
            self._open.append(RunRenderer(self._coming.popleft(), self._guide, self._crew))
        for reel in self._open:
            if row < reel.plan.run.fed.stop:
                reel.see(view)
            else:
                reel.close()

    def _reel(self, row: int) -> RunRenderer | None:
        """The reel of ``row``; those before it are done with."""
        while self._open and self._open[0].plan.run.rows.stop <= row:
            self._open.pop(0).end()
        return next((reel for reel in self._open if row in reel.plan.run.rows), None)

    def _answer(self, view: FaceView, row: int, reel: RunRenderer | None) -> Patch | Passthrough:
        if self._asked[row] and not self._record.ok[row]:
            return Passthrough(view.index, LOST)
        if reel is None or not self._plays[row]:
            return Passthrough(view.index)
        return _put(view, row, reel, float(self._score.weight[row]))


def _put(view: FaceView, row: int, reel: RunRenderer, weight: float) -> Patch | Passthrough:
    """What was made for ``row``, over what was filmed, inside the lower face and by ``weight``."""
    face, shown = reel.plan.face, reel.shown(row)
    outline = face.outline(row, shown.reach)
    window = mask.bounding_window(outline).clipped(view.size)
    if window.empty:
        return Passthrough(view.index, OFF_PICTURE)
    base = view.pixels(window)
    share = mask.feathered_mask(outline, window, face.unit(row)) * np.float32(weight)
    made = warp_back(shown.picture, shown.onto, window)
    mixed = base + (made.astype(np.float32) - base) * share[..., None]
    pixels = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    changed = (pixels != base).any(-1)
    return Patch(view.index, window, base, pixels, changed.astype(np.float32))


def _facts(record: StudiedTrack, options: LtxOptions) -> StudyFacts:
    """What the report should know."""
    if not record.ok.any():
        return StudyFacts(0.0, ("the face was never found",))
    unit = float(np.median(record.poses.scale[record.ok]))
    enlarged = options.size / (SIDE * unit)
    notes = ("the mouth is made by LTX-2.3 Dub-It: what it shows was never filmed",)
    if enlarged > _SMALL:
        notes += (
            f"the face is small ({unit:.0f} pixels between the eyes): the model sees it enlarged {enlarged:.1f} times",
        )
    return StudyFacts(1.0, notes, {"eye_distance": unit, "enlarged": enlarged})


def make(setup: EngineSetup) -> LtxEngine:
    """The engine as the command line makes it. Raises ``OptionError`` for options it does not have."""
    return LtxEngine(parse_options(setup.options), setup.weights)
