"""Says on what the LTX engine would run on this machine; nothing large is read and nothing downloaded."""

from pathlib import Path

from lipdub.engines.ltx.frame_grid import DEFAULT_RATE
from lipdub.engines.ltx.options import LtxOptions
from lipdub.errors import LipdubError, MissingExtra

_PUBLISHED = (19_000_000_000, 1_500_000_000, 15_000_000_000, 4096)
"""Approximate numbers of weights in the published transformer, the other networks and the text encoder, and the width
of a token: used as long as the files are not there."""


def diagnose(options: LtxOptions, weights: Path | None) -> list[str]:
    """Lines for the user: free memory, how the networks would be held in it, or what is missing."""
    try:
        with MissingExtra.guard("ltx", "The LTX engine"):
            from lipdub.engines.ltx.memory import WeightCounts, count_weights, describe_plan, detect_device, plan_memory
            from lipdub.engines.ltx.pipeline import GenerationSize
            from lipdub.engines.ltx.weights_folder import find_files
        device = detect_device(options.device)
        sizes = WeightCounts(*_PUBLISHED) if weights is None else count_weights(find_files(weights))
        plan = plan_memory(device, sizes, GenerationSize(options.frames, DEFAULT_RATE, options.size, options.size))
    except LipdubError as refused:
        return [str(refused)]
    where = f"{device.name or device.device}: {device.free / 1e9:.1f} GB free, {device.host / 1e9:.1f} GB beside it"
    missing = [] if weights else ["weights: not given (--weights FOLDER); docs/ltx.md says what to download"]
    return [where, *describe_plan(plan), *missing]
