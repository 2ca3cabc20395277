"""How fast is a whole dub, stage by stage, and does its memory grow with the clip?

    python benchmarks/dub.py CLIP DUB [--long SECONDS] [--runs N]

Every dub runs in a process of its own, so that its peak memory is its own. The clip is looped by stream copy.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("dub", type=Path)
    parser.add_argument("--long", type=int, default=0, help="also loop the clip to this many seconds")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--speech-features", default="best")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one_dub(args.clip, args.dub, args.speech_features)))
        return
    with tempfile.TemporaryDirectory() as folder:
        show_speed([measured(args.clip, args.dub, args.speech_features) for _ in range(args.runs)])
        if args.long:
            show_memory(Path(folder), args)


def one_dub(clip: Path, dub: Path, features: str) -> dict:
    """Dub once in this process, keeping nothing: the report, wall seconds, and peak memory in MiB."""
    import lipdub

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        options = lipdub.DubOptions(reuse=False, overwrite=True, page=False, speech_features=features)
        report = lipdub.dub(clip, audio=dub, output=Path(folder) / "out.mp4", options=options)
        wall = time.perf_counter() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"report": json.loads(report.to_json()), "wall": wall, "peak": usage.ru_maxrss / 1024}


def measured(clip: Path, dub: Path, features: str) -> dict:
    """``one_dub`` in a fresh process; adds the whole command's wall time."""
    command = [sys.executable, __file__, str(clip), str(dub), "--one", "--speech-features", features]
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    output, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"the dub failed with exit code {child.returncode}")
    result = json.loads(output)
    result["command"] = time.perf_counter() - begun
    return result


def show_speed(runs: list[dict]) -> None:
    """Print seconds and frames per second by stage, medians over the runs."""
    frames = runs[0]["report"]["source"]["frames"]
    print(f"{frames} frames, {len(runs)} runs, {os.cpu_count()} cores")
    for number, timing in enumerate(runs[0]["report"]["timings"]):
        stage = timing["stage"]
        seconds = statistics.median(r["report"]["timings"][number]["seconds"] for r in runs)
        rate = f"{frames / seconds:8.1f} frames/s" if seconds > 0.05 else ""
        print(f"  {stage:10} {seconds:8.2f} s {rate}")
    command = statistics.median(r["command"] for r in runs)
    engine = statistics.median(r["report"]["timings"][-1]["seconds"] for r in runs)
    print(f"  {'command':10} {command:8.2f} s {frames / command:8.1f} frames/s, start-up and all")
    print(f"  {1 - engine / command:.0%} of the time is outside the engine (which performs within 'perform')")


def show_memory(folder: Path, args: argparse.Namespace) -> None:
    """Print the peak memory of a short and a long version of the same clip and dub, and their ratio."""
    peaks = {}
    for seconds in (10, args.long):
        clip, dub = folder / f"clip-{seconds}.mp4", folder / f"dub-{seconds}.mka"
        looped(args.clip, clip, seconds, "video", "audio")
        looped(args.dub, dub, seconds, "audio")
        run = measured(clip, dub, args.speech_features)
        print(f"--- {seconds} s")
        show_speed([run])
        peaks[seconds] = run["peak"]
    short, long = peaks[10], peaks[args.long]
    print(f"peak memory: {short:.0f} MiB for 10 s, {long:.0f} MiB for {args.long} s, ratio {long / short:.2f}")


def looped(source: Path, target: Path, seconds: int, *kinds: str) -> None:
    """Write ``seconds`` of ``source``, repeated as often as needed, its packets copied."""
    import av

    with av.open(str(target), "w") as out:
        streams: dict[str, object] = {}
        offset = Fraction(0)
        while offset < seconds:
            with av.open(str(source)) as file:
                chosen = [next(s for s in file.streams if s.type == kind) for kind in kinds]
                for stream in chosen:
                    if stream.type not in streams:
                        streams[stream.type] = out.add_stream_from_template(stream)
                length = Fraction(0)
                for packet in file.demux(*chosen):
                    if packet.dts is None or packet.pts is None:
                        continue
                    base = packet.time_base
                    length = max(length, (packet.pts + (packet.duration or 0)) * base)
                    priming = offset > 0 and packet.pts < 0
                    if priming or offset + packet.pts * base >= seconds:
                        continue
                    shift = int(offset / base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.type]
                    out.mux(packet)
            offset += length


if __name__ == "__main__":
    main()
