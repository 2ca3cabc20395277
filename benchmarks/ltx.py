"""First checks of the LTX engine on a GPU: exactness, memory and speed; no weights are needed.

    python benchmarks/ltx.py [first]     # all of these one after the other, for at most ten minutes
    python benchmarks/ltx.py parity      # a tiny model in every plan of memory, against the recordings of tests/golden
    python benchmarks/ltx.py peaks       # memory of a forward, of decoding and of encoding, beside what lipdub counts
    python benchmarks/ltx.py stream      # blocks streamed from main memory: peaks of both memories, seconds a forward
    python benchmarks/ltx.py encoder     # a text encoder of Gemma-3-12B's shape: peaks, seconds a prompt, what is freed
    python benchmarks/ltx.py speed       # seconds of a whole window by stage, and of the least possible

All but ``parity`` use networks of the published sizes with random weights. With ``--tiny``, or without a CUDA GPU, the
networks are tiny ones of the same structure: that only shows that the checks run. Exit code 1: a plan is not exact.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

CHECKS = ("parity", "peaks", "stream", "encoder", "speed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one check, or all; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", nargs="?", default="first", choices=("first", *CHECKS))
    parser.add_argument("--tiny", action="store_true", help="tiny networks on a GPU too")
    parser.add_argument("--minutes", type=float, default=10.0, help="first: begin nothing after so many minutes")
    parser.add_argument("--only", default="", help="parity: only plans with this in their names")
    parser.add_argument("--fp8", action="store_true", help="stream, speed: the transformer's blocks in 8 bits")
    parser.add_argument("--compiled", action="store_true", help="speed: compile the blocks")
    parser.add_argument("--attention", default="native", help="speed: a backend of diffusers")
    parser.add_argument("--runs", type=int, default=3, help="speed: the fastest of so many runs is shown")
    args = parser.parse_args(arguments)
    return _first(args) if args.check == "first" else _check(args)


def _first(args: argparse.Namespace) -> int:
    """Every check in a process of its own, so that each begins with free memory; one that runs too long is ended."""
    begun, worst = time.monotonic(), 0
    options = [*(["--tiny"] if args.tiny else []), *(["--only", args.only] if args.only else [])]
    for check in CHECKS:
        left = args.minutes * 60 - (time.monotonic() - begun)
        print(f"== {check}", flush=True)
        if left <= 0:
            print("no time is left")
            continue
        command = [sys.executable, str(Path(__file__)), check, *options, "--runs", "1"]
        try:
            worst = max(worst, abs(subprocess.run(command, timeout=left, check=False).returncode))
        except subprocess.TimeoutExpired:
            print("ended, because the time is over")
        print(f"== {check}: {time.monotonic() - begun:.0f} s since the start", flush=True)
    return worst


def _check(args: argparse.Namespace) -> int:
    from ltx_networks import machine_line

    print(machine_line(args.tiny), flush=True)
    if args.check == "parity":
        from ltx_parity import run_parity

        return run_parity(args)
    if args.check == "speed":
        from ltx_speed import run_speed

        return run_speed(args)
    from ltx_memory import run_encoder, run_peaks, run_stream

    return {"peaks": run_peaks, "stream": run_stream, "encoder": run_encoder}[args.check](args)


if __name__ == "__main__":
    sys.exit(main())
