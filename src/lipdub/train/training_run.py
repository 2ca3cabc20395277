"""Trains a LoRA as a recipe says, and goes on where it was ended.

Everything that is drawn follows from the seed and the number of the sample. A checkpoint holds the LoRA and AdamW's
moments in float32. So a run that was killed and goes on has the losses that it would have had without. Several
processes (``accelerate launch``) share the samples of a step; only the gradients of the LoRA pass between them.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from lipdub.engines.ltx.checkpoint_digest import checkpoint_digest
from lipdub.errors import InputError, LipdubError, MachineError, OptionError, OutputError
from lipdub.train.base_files import find_checkpoint
from lipdub.train.latent_folder import LatentFolder
from lipdub.train.lora_model import LoraModel, learning_rates, load_start, read_model
from lipdub.train.noise_levels import draw_noise, fixed_draw, step_generator
from lipdub.train.run_cost import count_cost
from lipdub.train.run_files import RunLog, RunState, checkpoints, read_state, read_tensors, save_checkpoint
from lipdub.train.training_loss import StepLoss, TrainingSample, training_loss
from lipdub.train.training_recipe import OptimiserOptions, TrainingRecipe, differences

Say = Callable[[str], None]
MakeDubs = Callable[["TrainingRun", int], dict[str, float]]
"""Dubs the validation clips with the model as it is after so many steps; returns what the log shall hold
(``validation_dubs.ValidationDubs``)."""

_MOMENTS = ("exp_avg", "exp_avg_sq")
_TIMED_FROM = 2
"""Steps after which the time of a step is told: the first ones are slower."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """``steps`` that were done in all, ``loss`` of the last one, and the last ``checkpoint``. ``stopped``: early."""

    steps: int
    loss: float
    checkpoint: Path
    stopped: bool = False


def train(recipe: TrainingRecipe, say: Say = print, dubs: MakeDubs | None = None) -> RunResult:
    """Run ``recipe``, or go on with it if its folder holds a checkpoint.

    Raises ``WeightsError`` and ``InputError`` for a base or data that cannot be used, ``OptionError`` if the run was
    begun with another recipe, ``OutputError`` if the disk refuses, ``MachineError`` if memory does not suffice, and
    ``LipdubError`` if the loss is no number; in the last three cases the last good state is kept.
    """
    run = TrainingRun.begin(recipe, say)
    try:
        return run.finish(dubs)
    except torch.OutOfMemoryError as error:
        raise MachineError(
            f"the GPU's memory does not suffice for this run ({' '.join(str(error).split())[:120]})",
            remedy='Set base.hold = "8bit", or base.streamed = true, or prepare smaller or shorter windows',
        ) from error


@dataclass(eq=False)
class TrainingRun:
    """A run: model, data, optimiser, and where it stands."""

    recipe: TrainingRecipe
    model: LoraModel
    data: LatentFolder
    accelerator: Accelerator
    log: RunLog
    state: RunState
    say: Say
    checkpoint: Path
    averages: dict[str, Tensor] = field(default_factory=dict)
    _order: tuple[int, list[int]] = (-1, [])

    @classmethod
    def begin(cls, recipe: TrainingRecipe, say: Say) -> "TrainingRun":
        """Read everything, check it, tell what it will cost, and go on after the last checkpoint."""
        folder = Path(recipe.run.folder)
        checkpoint = find_checkpoint(Path(recipe.base.weights))
        digest = checkpoint_digest(checkpoint)
        data = LatentFolder.open(
            Path(recipe.data.folder), digest, unchecked=recipe.data.unchecked, background=recipe.data.background
        )
        tokens = max(data.check())
        first = data.read(data.training[0])
        state = RunState(0, recipe.as_dict(), digest, first.sample.downscale, card=dict(data.card))
        state = _begun(folder, state, recipe)
        accelerator = Accelerator(cpu=recipe.base.device == "cpu", mixed_precision="no")
        device = "cpu" if accelerator.device.type == "cpu" else str(accelerator.device)
        recipe = replace(recipe, base=replace(recipe.base, device=device))
        model = read_model(checkpoint, recipe.base, recipe.lora, recipe.seed, texts=not first.text.encoded)
        if recipe.run.gradient_checkpointing:
            model.transformer.enable_gradient_checkpointing()
        _make_folder(folder)
        log = RunLog(folder, state.step, active=accelerator.is_main_process)
        run = cls(recipe, model, data, accelerator, log, state, say if log.active else _silent, checkpoint)
        run._tell(tokens)
        run._restore(folder)
        return run

    def finish(self, dubs: MakeDubs | None = None) -> RunResult:
        """Do the steps that are left. Raises as ``train`` does."""
        options, parameters = self.recipe.run, self.model.parameters()
        loss, stopped, spent, first = float("nan"), False, 0.0, self.state.step
        while self.state.step < options.steps and not stopped:
            began = time.monotonic()
            loss = self._step(parameters)
            done = self.state.step
            if done - first > _TIMED_FROM:
                spent += time.monotonic() - began
            if done - first > _TIMED_FROM and (done % 10 == 0 or done == options.steps):
                pace = spent / (done - first - _TIMED_FROM)
                left = round((options.steps - done) * pace / 60)
                self.say(f"step {done} of {options.steps}: loss {loss:.4f}, {pace:.2f} s a step, {left} min left")
            every = self.recipe.validation.every
            if every and (done % every == 0 or done == options.steps):
                stopped = self._validate(dubs)
            if done % options.save_every == 0 or done == options.steps or stopped:
                self.save()
        path = list(checkpoints(Path(options.folder)).values())[-1]
        return RunResult(self.state.step, loss, path, stopped)

    def save(self) -> None:
        """Write a checkpoint. Raises ``OutputError``."""
        if self.accelerator.is_main_process:
            save_checkpoint(Path(self.recipe.run.folder), self._tensors(), self.state, self.recipe.run.keep)
        self.accelerator.wait_for_everyone()

    def _step(self, parameters: dict[str, nn.Parameter]) -> float:
        """One step of the optimiser; returns its loss. Raises ``LipdubError`` before it changes anything if the loss or
        the gradient is no number."""
        options, step = self.recipe.optimiser, self.state.step
        for parameter in parameters.values():
            parameter.grad = None
        parts = torch.zeros(2, device=self.model.device)
        names = []
        for micro in range(self.recipe.run.accumulate):
            name, loss = self._sample_loss(self._number(step, micro))
            names.append(name)
            parts += torch.stack([loss.video.mean(), loss.audio.mean()]).detach() / self.recipe.run.accumulate
            (loss.whole.mean() / self.recipe.run.accumulate).backward()
        parts = self._mean(parts)
        self._share_gradients(parameters)
        norm = float(nn.utils.clip_grad_norm_(list(parameters.values()), options.clip))
        video, audio = parts.tolist()
        if not isfinite(video + audio + norm):
            raise self._not_a_number(step + 1, names)
        share = rate_share(step, self.recipe.run.steps, options)
        self._update(share)
        self.state = replace(self.state, step=step + 1)
        self.log.write(
            {
                "kind": "step",
                "step": step + 1,
                "loss": video + audio,
                "video": video,
                "audio": audio,
                "norm": norm,
                "rate": options.lr * share,
            }
        )
        return video + audio

    def _update(self, share: float) -> None:
        """Move the optimiser by one step at ``share`` of the learning rates, and the running mean after it."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * share
        self.optimiser.step()
        decay = self.recipe.run.ema
        if decay:
            with torch.no_grad():
                for name, parameter in self.model.parameters().items():
                    self.averages[name].lerp_(parameter, 1 - decay)

    def _sample_loss(self, number: int) -> tuple[str, StepLoss]:
        name = self._name(number)
        item = self.data.read(name)
        sample = self._placed(item.sample, self.model.context(item.text))
        generator = step_generator(self.recipe.seed, "noise", number)
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))  # for dropout
        draw = draw_noise(sample, self.recipe.noise, generator)
        return name, training_loss(self.model.transformer, sample, draw)

    def _placed(self, sample: TrainingSample, context: Any) -> TrainingSample:
        device, dtype = self.model.device, self.model.dtype
        weights = {
            name: None if (weight := getattr(sample, name)) is None else weight.to(device)
            for name in ("video_weight", "audio_weight")
        }
        latents = ("video", "audio", "reference_video", "reference_audio")
        moved = {name: getattr(sample, name).to(device, dtype) for name in latents}
        return replace(sample, context=context, **moved, **weights)

    def _number(self, step: int, micro: int) -> int:
        """The number of a sample, counted over all processes."""
        processes, mine = self.accelerator.num_processes, self.accelerator.process_index
        return (step * self.recipe.run.accumulate + micro) * processes + mine

    def _name(self, number: int) -> str:
        """The item of a sample: all items in an order that is drawn anew for each round."""
        round_, place = divmod(number, len(self.data.training))
        if self._order[0] != round_:
            generator = step_generator(self.recipe.seed, "order", round_)
            self._order = round_, torch.randperm(len(self.data.training), generator=generator).tolist()
        return self.data.training[self._order[1][place]]

    def _mean(self, value: Tensor) -> Tensor:
        """The mean over all processes."""
        reduced: Any = self.accelerator.reduce(value, "mean")
        return reduced

    def _share_gradients(self, parameters: dict[str, nn.Parameter]) -> None:
        if self.accelerator.num_processes == 1:
            return
        for parameter in parameters.values():
            assert parameter.grad is not None, "every layer of the LoRA takes part"
            parameter.grad = self._mean(parameter.grad)

    @torch.no_grad()
    def _validate(self, dubs: MakeDubs | None) -> bool:
        """Write the loss on the items held out; True if the run shall stop, as it did not get lower for long."""
        options, step = self.recipe.validation, self.state.step
        stop = False
        if self.data.validation:
            loss = self.validation_loss()
            lower = self.state.best is None or loss < self.state.best
            waited = 0 if lower else self.state.waited + 1
            self.state = replace(self.state, waited=waited)
            if lower:
                self.state = replace(self.state, best=loss, best_step=step)
                self.save()
            self.log.write({"kind": "validation", "step": step, "loss": loss})
            self.say(f"step {step}: validation loss {loss:.4f}" + (", the lowest so far" if lower else ""))
            stop = 0 < options.patience <= waited
            if stop:
                self.say(f"stopped early: no lower validation loss since step {self.state.best_step}")
        if dubs is not None and options.clips and self.accelerator.is_main_process:
            self.log.write({"kind": "dub", "step": step, **dubs(self, step)})
        self.accelerator.wait_for_everyone()
        return stop

    @torch.no_grad()
    def validation_loss(self) -> float:
        """The mean loss of all items held out at the fixed noise levels; the same noise every time."""
        self.model.transformer.eval()
        options, processes = self.recipe.validation, self.accelerator.num_processes
        total = torch.zeros(2, device=self.model.device)
        for name in self.data.validation[self.accelerator.process_index :: processes]:
            item = self.data.read(name)
            sample = self._placed(item.sample, self.model.context(item.text))
            for sigma in options.sigmas:
                draw = fixed_draw(sample, sigma, step_generator("validation", name, sigma))
                whole = training_loss(self.model.transformer, sample, draw).whole.mean()
                total += torch.stack([whole, torch.ones_like(whole)])
        self.model.transformer.train()
        summed, count = self._mean(total).tolist()
        return summed / max(count, 1e-9)

    def _not_a_number(self, step: int, names: list[str]) -> LipdubError:
        """Keep the state before ``step`` and return the error that says so."""
        self.log.write({"kind": "not a number", "step": self.state.step, "items": names})
        self.save()
        kept = f"step-{self.state.step:07d}.safetensors"
        return LipdubError(
            f"the loss is no number at step {step} (items: {', '.join(names)}); the state before it is kept in {kept}",
            file=self.recipe.run.folder,
            remedy="Lower optimiser.lr, or look at these items; the same command goes on from there",
        )

    def _tell(self, tokens: int) -> None:
        left, items = self.recipe.run.steps - self.state.step, len(self.data.training)
        held = len(self.data.validation)
        self.say(f"{items} pairs to learn from, {held} held out; steps {self.state.step} to {self.recipe.run.steps}")
        cost = count_cost(self.model, self.recipe, tokens)
        for line in cost.lines(left, str(self.model.device)):
            self.say(line)
        learnt = sum(p.numel() for p in self.model.parameters().values())
        _check_disk(Path(self.recipe.run.folder), learnt * 4 * (4 if self.recipe.run.ema else 3), self.recipe.run.keep)

    def _tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds, by name."""
        tensors = {}
        for name, parameter in self.model.parameters().items():
            tensors[f"lora.{name}"] = parameter
            moments = self.optimiser.state.get(parameter, {})
            tensors |= {f"{moment}.{name}": moments[moment] for moment in _MOMENTS if moment in moments}
        return tensors | {f"ema.{name}": mean for name, mean in self.averages.items()}

    def _restore(self, folder: Path) -> None:
        """Make the optimiser, and put back what the last checkpoint holds."""
        parameters = self.model.parameters()
        found = checkpoints(folder)
        tensors = read_tensors(found[self.state.step]) if self.state.step else {}
        if tensors:
            _fill(parameters, tensors, found[self.state.step])
        elif self.recipe.lora.start:
            load_start(parameters, Path(self.recipe.lora.start), self.state.base)
        self.optimiser = make_optimiser(parameters, self.recipe.optimiser)
        for name, parameter in parameters.items():
            if f"exp_avg.{name}" in tensors:
                moments: dict[str, Any] = {m: tensors[f"{m}.{name}"].to(parameter) for m in _MOMENTS}
                self.optimiser.state[parameter] = {"step": torch.tensor(float(self.state.step)), **moments}
            if self.recipe.run.ema:
                self.averages[name] = tensors.get(f"ema.{name}", parameter.detach()).to(parameter).clone()
        self.log.write({"kind": "begin", "step": self.state.step, "processes": self.accelerator.num_processes})


def make_optimiser(parameters: dict[str, nn.Parameter], options: OptimiserOptions) -> torch.optim.AdamW:
    """AdamW with one group for each learning rate, kept as ``base`` in the group."""
    rates = learning_rates(parameters, options)
    groups = [
        {"params": [parameters[name] for name in parameters if rates[name] == rate], "lr": rate, "base": rate}
        for rate in sorted(set(rates.values()))
    ]
    return torch.optim.AdamW(groups, weight_decay=options.weight_decay)


def rate_share(step: int, steps: int, options: OptimiserOptions) -> float:
    """The part of the learning rate that holds in the step after ``step`` steps."""
    if step < options.warmup:
        return (step + 1) / (options.warmup + 1)
    done = (step - options.warmup) / max(1, steps - options.warmup)
    shares = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + cos(pi * done)) / 2}
    return shares[options.schedule]


def _begun(folder: Path, state: RunState, recipe: TrainingRecipe) -> RunState:
    """The state of the last checkpoint in ``folder``, or ``state`` if there is none.

    Raises ``OptionError`` if it was begun with another recipe, checkpoint or data.
    """
    found = checkpoints(folder)
    if not found:
        return state
    last = read_state(list(found.values())[-1])
    wrong = list(differences(recipe, last.recipe))
    if last.base != state.base:
        wrong.append("another checkpoint of the model")
    if wrong:
        raise OptionError(
            f"this run was begun with another recipe ({'; '.join(wrong[:4])})",
            file=folder,
            remedy="Name another run.folder, or take the recipe back",
        )
    return replace(last, recipe=state.recipe, card=state.card)


def _fill(parameters: dict[str, nn.Parameter], tensors: dict[str, Tensor], path: Path) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            kept = tensors.get(f"lora.{name}")
            if kept is None or kept.shape != parameter.shape:
                raise InputError(f"the checkpoint does not hold {name} as the recipe says", file=path)
            parameter.copy_(kept)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise OutputError(f"the run's folder cannot be made ({refused.strerror})", file=folder) from refused


def _check_disk(folder: Path, size: int, keep: int) -> None:
    """Raise ``OutputError`` if the checkpoints of a run will not fit on the disk."""
    import shutil

    present = len(checkpoints(folder))
    needed = size * max(1, keep + 2 - present)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"checkpoints need {needed / 1e9:.1f} GB ({size / 1e9:.1f} each) and {free / 1e9:.1f} are free",
            file=folder,
            remedy="Free some space, lower run.keep or lora.rank, or choose another disk",
        )


def _silent(text: str) -> None:
    """Say nothing: another process does."""


def losses(entries: list[dict[str, Any]]) -> Iterator[tuple[int, float]]:
    """(step, loss) of the steps in the entries of a log."""
    for entry in entries:
        if entry.get("kind") == "step":
            yield entry["step"], entry["loss"]
