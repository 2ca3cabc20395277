"""``lipdub train``: pairs to fine-tune a model on, and what lipdub ships that is trained."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from lipdub.train.prepare_options import PairLimits, PrepareOptions
from lipdub.train.prior_options import TrainOptions

train_app = App(name="train", help="Train on footage of your own; docs/training.md is the guide.")


@train_app.command
def prepare(
    footage: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    options: Annotated[PrepareOptions, Parameter(name="*")] = PrepareOptions(),
    limits: Annotated[PairLimits, Parameter(name="*")] = PairLimits(),
) -> int:
    """Make pairs of footage that a model can be fine-tuned on; a run that was interrupted goes on where it was.

    Parameters
    ----------
    footage
        Folder of clips; or a table of pairs that others made (CSV, JSON, JSONL with the columns of LTX's own trainer),
        or a folder that holds such a table (dataset.csv, .json or .jsonl).
    output
        Folder for the pairs; if an earlier run made it with the same options, it is completed.
    """
    from lipdub.cli.train_data import run_prepare

    return run_prepare(footage, output, options, limits)


@train_app.command
def prior(
    folder: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("prior.npz"),
    options: Annotated[TrainOptions, Parameter(name="*")] = TrainOptions(),
) -> int:
    """Train the prior that predicts mouth shapes from speech, for --prior of 'lipdub dub'.

    Parameters
    ----------
    folder
        Folder with clips of one speaking person each; a manifest.csv in it may say which have which rights.
    output
        The prior (.npz).
    """
    from lipdub.cli.train_data import run_prior

    return run_prior(folder, output, options)


@train_app.command
def shapes(
    clips: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("pooled_shapes.npz"),
    overwrite: bool = False,
) -> int:
    """Pool the mouth shapes of several people, as the exemplar engine uses them for people who show too few.

    Parameters
    ----------
    clips
        Clips of one speaking person each.
    output
        The pooled shapes (.npz): sums over all people, which contain no single face.
    overwrite
        Replace a file that exists.
    """
    from lipdub.cli.train_data import run_shapes

    return run_shapes(clips, output, overwrite=overwrite)


@train_app.command
def run(recipe: Path, /) -> int:
    """Train a LoRA of LTX-2.3 as a recipe says, or go on with a run that was ended.

    Parameters
    ----------
    recipe
        TOML file; docs/training.md lists its keys.
    """
    from lipdub.cli.train_loop import run_training

    return run_training(recipe)


@train_app.command
def export(
    run: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    step: int = 0,
    overwrite: bool = False,
) -> int:
    """Write the LoRA of a training run as one file for LTX-2, ComfyUI and lipdub.

    Parameters
    ----------
    run
        Folder of the training run.
    output
        The LoRA (.safetensors).
    step
        The checkpoint after so many steps; 0: the one with the lowest validation loss, else the last.
    overwrite
        Replace a file that exists.
    """
    from lipdub.cli.train_loop import run_export

    return run_export(run, output, step, overwrite=overwrite)
