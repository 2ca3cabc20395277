"""Dubs clips with a model that is being trained, through the engine and the product's own dub, and reads their scores.

The transformer is the one in training; both VAEs, vocoder and upsampler are read beside it and moved to its device only
while they work. The prompts' contexts are made on the CPU the first time and kept in the cache folder.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lipdub.engines.ltx.checkpoint import CheckpointModules, read_modules, read_upsampler
from lipdub.engines.ltx.engine import LtxEngine
from lipdub.engines.ltx.generation import MemoryOptions
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.pipeline import LipDubPipeline
from lipdub.engines.ltx.placement import TextEncoderPlacement, WeightPlacement
from lipdub.engines.ltx.prompt_cache import PromptCache
from lipdub.engines.ltx.weights_folder import LtxFiles, scan_folder
from lipdub.engines.ltx.window_model import DubItModel, WindowModel
from lipdub.errors import LipdubError, NothingToDub, WeightsError
from lipdub.studio.caller import Caller
from lipdub.studio.dub import dub_in
from lipdub.studio.job import DubRequest
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.session import open_session
from lipdub.studio.tools import Tools
from lipdub.train.training_recipe import TrainingRecipe
from lipdub.weights import cache_folder

if TYPE_CHECKING:
    from lipdub.review.report import Report
    from lipdub.train.training_run import TrainingRun


@dataclass(eq=False)
class ValidationDubs:
    """``clips`` with their dub tracks; films and reports go to ``folder``. ``engine``: options of the engine."""

    weights: Path
    folder: Path
    clips: tuple[tuple[Path, Path], ...]
    engine: LtxOptions = LtxOptions()
    _read: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, recipe: TrainingRecipe) -> "ValidationDubs":
        """As the recipe says. Raises ``WeightsError`` if the folder of the base lacks upsampler or text encoder."""
        pairs = zip(recipe.validation.clips, recipe.validation.audio, strict=True)
        frames = recipe.validation.frames
        sizes = LtxOptions(size=recipe.validation.size, frames=frames, overlap=min(24, frames // 3))
        made = cls(
            Path(recipe.base.weights),
            Path(recipe.run.folder) / "dubs",
            tuple((Path(clip), Path(audio)) for clip, audio in pairs),
            sizes,
        )
        made.files(Path("checkpoint"))
        return made

    def files(self, checkpoint: Path) -> LtxFiles:
        """The files beside ``checkpoint``. Raises ``WeightsError`` if one is missing."""
        found = {}
        for one in scan_folder(self.weights if self.weights.is_dir() else self.weights.parent):
            if not one.fault:
                found.setdefault(one.kind, one.path)
        lacking = [kind for kind in ("upsampler", "text encoder") if kind not in found]
        if lacking:
            raise WeightsError(
                f"validation dubs need the {' and the '.join(lacking)} beside the checkpoint",
                file=self.weights,
                remedy="Add it (docs/ltx.md), or leave validation.clips out",
            )
        return LtxFiles(checkpoint, found["upsampler"], found["text encoder"], checkpoint)

    def __call__(self, run: "TrainingRun", step: int) -> dict[str, float]:
        """Dub every clip with the model as it is; returns mean scores. A clip that cannot be dubbed is told, and left
        out."""
        reports = []
        for clip, audio in self.clips:
            try:
                reports.append(self._dub(run, step, clip, audio))
            except LipdubError as wrong:
                run.say(f"step {step}: the validation dub of {clip.name} was not made: {wrong}")
        return {"dubs": float(len(reports)), **mean_scores(reports)}

    def _dub(self, run: "TrainingRun", step: int, clip: Path, audio: Path) -> "Report":
        """Dub whoever speaks; if that cannot be told, the largest face."""
        output = self.folder / f"step-{step:07d}" / f"{clip.stem}.mp4"
        output.parent.mkdir(parents=True, exist_ok=True)
        options = DubOptions(engine="ltx", overwrite=True, reuse=False, workers=1)
        try:
            return self._dubbed(run, DubRequest(clip, output, audio, SpeechOptions(), options))
        except NothingToDub:
            largest = replace(options, face=("largest",))
            return self._dubbed(run, DubRequest(clip, output, audio, SpeechOptions(), largest))

    def _dubbed(self, run: "TrainingRun", request: DubRequest) -> "Report":
        tools = Tools(request.options)
        tools.__dict__["engine"] = LtxEngine(self.engine, loader=lambda prompts: self._model(run, prompts))
        learning = run.model.transformer.training
        run.model.transformer.eval()
        try:
            with open_session(request.options, tools=tools) as session:
                return dub_in(session, request, Caller())
        finally:
            run.model.transformer.train(learning)

    def _model(self, run: "TrainingRun", prompts: tuple[str, ...]) -> WindowModel:
        """The pipeline with the transformer in training; the other networks are read once."""
        files = self.files(run.checkpoint)
        placement = WeightPlacement("cpu", run.model.dtype)
        if not self._read:
            self._read = {**read_modules(run.checkpoint, ("video_vae", "audio_vae", "vocoder"), placement=placement)}
            self._read["upsampler"] = read_upsampler(files.upsampler, placement)
        parts = {name: part for name, part in self._read.items() if name != "upsampler"}
        modules = CheckpointModules(run.model.transformer, None, **parts)
        contexts = PromptCache(files, TextEncoderPlacement("cpu", run.model.dtype), cache_folder() / "ltx-prompts")
        contexts.prepare(prompts)
        memory = replace(MemoryOptions(), offload=run.model.device.type != "cpu")
        return DubItModel(LipDubPipeline(modules, self._read["upsampler"], contexts, run.state.downscale, memory))


def mean_scores(reports: list["Report"]) -> dict[str, float]:
    """The means over all faces: sync score with the dub, and lip closures found of those asked for."""
    faces = [face for report in reports for face in report.faces]
    sync = [face.dub_sync.score for face in faces if face.dub_sync is not None]
    closures = [face.closures for face in faces if face.closures is not None and face.closures.requested]
    scores = {}
    if sync:
        scores["sync"] = float(torch.tensor(sync).mean())
    if closures:
        scores["closures"] = sum(c.found for c in closures) / sum(c.requested for c in closures)
    return scores
