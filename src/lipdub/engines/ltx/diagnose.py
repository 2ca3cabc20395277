"""What the LTX engine could do on this machine, in words; nothing is read or downloaded."""

from pathlib import Path

from lipdub.engines.ltx.frame_grid import DEFAULT_RATE
from lipdub.engines.ltx.options import LtxOptions
from lipdub.errors import LipdubError, MissingExtra

_PUBLISHED = (19_000_000_000, 1_500_000_000, 15_000_000_000, 4096)
"""About the numbers in the published transformer, its other networks and the text encoder, and the width of a token:
what is reckoned with until the files are there."""


def diagnose(options: LtxOptions, weights: Path | None) -> list[str]:
    """Lines for the doctor: whether the engine would run, how its networks would be held, or what is lacking."""
    try:
        with MissingExtra.guard("ltx", "The LTX engine"):
            from lipdub.engines.ltx.weights_folder import find_files
            from lipdub.engines.ltx.memory import WeightCounts, describe_plan, detect_device, plan_memory, count_weights
            from lipdub.engines.ltx.pipeline import GenerationSize
        machine = detect_device(options.device)
        sizes = WeightCounts(*_PUBLISHED) if weights is None else count_weights(find_files(weights))
        plan = plan_memory(machine, sizes, GenerationSize(options.frames, DEFAULT_RATE, options.size, options.size))
    except LipdubError as lacking:
        return [str(lacking)]
    where = f"{machine.name or machine.device}: {machine.free / 1e9:.1f} GB free, {machine.host / 1e9:.1f} GB beside it"
    wanted = [] if weights else ["weights: not given (--weights FOLDER); docs/ltx.md tells what to download"]
    return [where, *describe_plan(plan), *wanted]
