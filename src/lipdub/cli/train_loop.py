"""``lipdub train run`` and ``lipdub train export``."""

from pathlib import Path

from lipdub.cli.screen import stdout
from lipdub.errors import MissingExtra


def run_training(recipe: Path) -> int:
    """Train as the recipe in the file says. Raises what ``training_run.train`` raises, and ``MissingExtra``."""
    from lipdub.train.training_recipe import read_recipe

    plan = read_recipe(recipe)
    with MissingExtra.guard("ltx", "Training"):
        from lipdub.train.training_run import train
    dubs = None
    if plan.validation.clips:
        from lipdub.train.validation_dubs import ValidationDubs

        dubs = ValidationDubs.of(plan)
    result = train(plan, _say, dubs)
    _say(f"{result.steps} steps done, loss {result.loss:.4f}: {result.checkpoint}")
    _say(f"lipdub train export {plan.run.folder} -o dub.safetensors writes the LoRA")
    return 0


def run_export(run: Path, output: Path, step: int, *, overwrite: bool) -> int:
    """Write the LoRA of a run. Raises what ``lora_export.export_lora`` raises, and ``MissingExtra``."""
    with MissingExtra.guard("ltx", "The export of a LoRA"):
        from lipdub.train.lora_export import export_lora
    state = export_lora(run, output, step, overwrite=overwrite)
    _say(f"{output}: after {state.step} steps, for the checkpoint {state.base[:12]}")
    return 0


def _say(text: str) -> None:
    stdout.print(text, soft_wrap=True, markup=False, highlight=False)
