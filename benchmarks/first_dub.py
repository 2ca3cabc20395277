"""How long does the first dub of a clip take, against decoding and encoding the clip without a dub?

    python benchmarks/first_dub.py CLIP DUB [--runs N]

Both commands run in turns, each in a fresh process, start-up included; modules are compiled before, as an installation
does it. The dub begins with an empty cache of work. The bare command uses the same decoder threads and the same encoder
settings. Seconds are wall time, and processor time of all threads; other work on the machine changes the second less
than the first.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What one run took: ``wall`` seconds, ``processor`` seconds (user and system), and ``peak`` memory in MiB."""

    wall: float
    processor: float
    peak: float


def main() -> None:
    """Run the benchmark and print medians and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("dub", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare:
        decode_and_encode(args.clip, args.bare)
        return
    dubs, bares = [], []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mp4"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        measured(["-c", "import lipdub.cli.main, lipdub.studio.dub, lipdub.engines.exemplar.engine"])
        command = ["dub", str(args.clip), "--audio", str(args.dub), "-o", str(out), "--overwrite", "--consent"]
        for _ in range(args.runs):
            dubs.append(measured(["-m", "lipdub", *command, "--no-reuse"]))
            bares.append(measured([__file__, str(args.clip), str(args.dub), "--bare", str(out)]))
    show("first dub", dubs)
    show("decode and encode", bares)
    walls, processors = ratios(dubs, bares, "wall"), ratios(dubs, bares, "processor")
    print(
        f"  ratio: {statistics.median(walls):.2f} in wall time, {statistics.median(processors):.2f} in processor time"
    )


def measured(arguments: list[str]) -> Usage:
    """Run Python with ``arguments`` in a fresh process."""
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed with exit code {child.returncode}")
    return Usage(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def decode_and_encode(source: Path, target: Path) -> None:
    """Decode the picture of ``source`` and encode it to ``target`` as a dub would be encoded; nothing else."""
    import av
    from av.video.stream import VideoStream

    from lipdub.media.encoder import SourcePicture, choose_codec, configure_encoder, software_encoding
    from lipdub.media.formats import planar_format
    from lipdub.media.frame_timestamps import decode
    from lipdub.media.probe import open_clip, picture_facts

    clip = open_clip(source)
    facts = picture_facts(clip)
    codec = choose_codec("mp4", SourcePicture.of(facts), None)
    encoding = software_encoding(codec, facts, planar_format(facts.pixel_format).name, None, None)
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        picture = out.add_stream(encoding.encoder, rate=clip.rate)
        assert isinstance(picture, VideoStream)
        configure_encoder(picture, clip, facts, encoding)
        last = None
        for at, frame in decode(given, given.streams.video[clip.stream]):
            if last is not None and at <= last:
                continue
            last = at
            frame.pts, frame.time_base, frame.pict_type = at, Fraction(clip.times.time_base), 0
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))


def show(what: str, runs: list[Usage]) -> None:
    """Print the medians of one command."""
    wall, processor, peak = (statistics.median(values) for values in zip(*runs, strict=True))
    print(f"  {what:18} {wall:7.2f} s wall {processor:7.2f} s processor {peak:6.0f} MiB")


def ratios(dubs: list[Usage], bares: list[Usage], name: str) -> list[float]:
    """Dub over bare, run by run."""
    return [getattr(dub, name) / getattr(bare, name) for dub, bare in zip(dubs, bares, strict=True)]


if __name__ == "__main__":
    main()
