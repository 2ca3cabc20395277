"""Says on what the LTX engine would run on this machine; nothing large is read and nothing downloaded."""

import shutil
import subprocess
import sys
from pathlib import Path

from lipdub.engines.ltx.frame_grid import DEFAULT_RATE
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.packages import check_packages
from lipdub.engines.ltx.published import TOTAL_GB
from lipdub.errors import LipdubError, MissingExtra

_PUBLISHED = (19_000_000_000, 1_500_000_000, 15_000_000_000, 4096)
"""Approximate numbers of weights in the published transformer, the other networks and the text encoder, and the width
of a token: used as long as the files are not there."""

_LEAST_DRIVER = {"12": 525, "13": 580}
"""The oldest driver for each major version of CUDA (NVIDIA, CUDA Compatibility, "Minor Version Compatibility")."""

_SMI = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_SMI_SECONDS = 10

CUDA_BUILD = "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu128"
"""Installs torch with CUDA where PyPI has it for the CPU only; pytorch.org/get-started/locally lists the others."""


def diagnose(options: LtxOptions, weights: Path | None) -> list[str]:
    """Lines for the user: torch, driver and free memory, how the networks would be held, or what is missing."""
    try:
        with MissingExtra.guard("ltx", "The LTX engine"):
            check_packages()
            from lipdub.engines.ltx.generation import GenerationSize
            from lipdub.engines.ltx.memory import WeightCounts, count_weights, describe_plan, detect_device, plan_memory
            from lipdub.engines.ltx.weights_folder import find_files
    except LipdubError as refused:
        return [str(refused)]
    lines = [*_torch_lines(nvidia_gpus()), _memory_line()]
    what = f"docs/ltx.md says what to download, {TOTAL_GB} GB"
    missing = [] if weights else [f"weights: not given (--weights FOLDER); {what}; the plan is for the published files"]
    try:
        device = detect_device(options.device)
        lines.append(f"{device.name or device.device}: {device.free / 1e9:.1f} GB free")
        sizes = WeightCounts(*_PUBLISHED) if weights is None else count_weights(find_files(weights))
        plan = plan_memory(device, sizes, GenerationSize(options.frames, DEFAULT_RATE, options.size, options.size))
    except LipdubError as refused:
        return [*lines, str(refused)]
    return [*lines, *describe_plan(plan), *missing]


def nvidia_gpus() -> list[tuple[str, str]]:
    """(name, version of the driver) of every NVIDIA GPU, as ``nvidia-smi`` lists them; it comes with the driver.

    An empty list if there is no such program or it fails. torch is not asked: its CPU build knows of no GPU.
    """
    if shutil.which(_SMI[0]) is None:
        return []
    try:
        listed = subprocess.run(_SMI, capture_output=True, text=True, timeout=_SMI_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.rpartition(",") for line in listed.splitlines() if "," in line)
    return [(name.strip(), driver.strip()) for name, _, driver in rows]


def _torch_lines(gpus: list[tuple[str, str]]) -> list[str]:
    """torch's version and what it was built for, the driver, and what is wrong between them."""
    import torch

    built = torch.version.cuda
    line = f"torch {torch.__version__}, " + (f"built for CUDA {built}" if built else "built without CUDA")
    lines = [line + "".join(f"; {name}, driver {driver}" for name, driver in gpus)]
    if not gpus:
        return lines
    if built is None:
        why = "PyPI has no other for Windows" if sys.platform == "win32" else "it was installed so"
        lines.append(f"this torch cannot use the GPU, because it is the build for the CPU ({why}): {CUDA_BUILD}")
    elif not torch.cuda.is_available():
        least = _LEAST_DRIVER.get(built.split(".")[0])
        needs = f"CUDA {built} needs driver {least} or newer" if least else f"look for the driver for CUDA {built}"
        lines.append(f"torch finds no GPU, though there is one: {needs}; see also CUDA_VISIBLE_DEVICES")
    return lines


def _memory_line() -> str:
    """Main memory and swap (psutil comes with accelerate)."""
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return (
        f"main memory: {memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free,"
        f" swap: {swap.free / 1e9:.1f} of {swap.total / 1e9:.1f} GB free"
    )
