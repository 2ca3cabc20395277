"""What ``lipdub train prior`` and ``lipdub train shapes`` do and print."""

from pathlib import Path

from lipdub.cli.screen import stdout
from lipdub.train.prior import train_prior
from lipdub.train.prior_options import TrainOptions
from lipdub.train.shapes import pool_clips


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
