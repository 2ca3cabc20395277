"""What ``lipdub train prepare``, ``prior`` and ``shapes`` do and print."""

from pathlib import Path

from lipdub.cli.consent import ask_download, ask_training
from lipdub.cli.screen import note, progress, stdout
from lipdub.studio.caller import Caller
from lipdub.train.prepare import prepare
from lipdub.train.prepare_options import PairLimits, PrepareOptions
from lipdub.train.prior import train_prior
from lipdub.train.prior_options import TrainOptions
from lipdub.train.shapes import pool_clips


def run_prepare(footage: Path, output: Path, options: PrepareOptions, limits: PairLimits) -> int:
    """Prepare pairs and print how many there are, and why others are not used; returns exit code 0."""
    with progress() as listener:
        made = prepare(footage, output, options, limits, Caller(listener, ask_training, ask_download))
    told = f"{len(made.training)} pairs for training, {len(made.validation)} for validation, {made.people} people"
    stdout.print(f"{output}: {told}", soft_wrap=True)
    if options.weights is None:
        note("No latents were made: name the folder of LTX-2.3 with --weights to make them.")
    else:
        stdout.print(f"latents of {made.latents} pairs", soft_wrap=True)
    for text in made.notes:
        note(text)
    for name, why in list(made.left_out.items())[:_MOST_ROWS]:
        note(f"not used: {name}: {why}")
    if len(made.left_out) > _MOST_ROWS:
        note(f"and {len(made.left_out) - _MOST_ROWS} more: see {output / 'rejected.jsonl'}")
    return 0


_MOST_ROWS = 10


def run_prior(folder: Path, output: Path, options: TrainOptions) -> int:
    """Train the prior and print the offset of each clip and the shares of the maps; returns exit code 0."""
    trained = train_prior(folder, output, options)
    offsets = " ".join(f"{offset:+.2f}" for offset in trained.offsets)
    stdout.print(f"{output}: trained on {len(trained.offsets)} clips; sound late by (s): {offsets}", soft_wrap=True)
    for kind, shares in trained.prior.mixes.items():
        told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        stdout.print(f"{kind}: {told}", soft_wrap=True)
    return 0


def run_shapes(clips: tuple[Path, ...], output: Path, *, overwrite: bool) -> int:
    """Pool mouth shapes and print of how many people; returns exit code 0."""
    pooled = pool_clips(clips, output, overwrite=overwrite)
    stdout.print(f"{output}: pooled from {pooled.people} people", soft_wrap=True)
    return 0
