"""What do content credentials cost, against the dub that they are signed for?

    python benchmarks/credentials.py CLIP DUB [--runs N] [--large MB]

Each run is a dub in this process, with an empty cache of work, whose report says how long signing took; the check of
the key before the work is timed by itself. ``--large`` signs a sound file of that size, too: signing reads every byte.
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import lipdub
from lipdub.credentials.local_key import local_key
from lipdub.credentials.manifest import DubAccount
from lipdub.credentials.read import read_credentials
from lipdub.credentials.sign import sign_into
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_write import write_sound
from lipdub.studio.options import CredentialOptions
from lipdub.studio.signing import check_signing


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("dub", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", type=int, default=0)
    args = parser.parse_args()
    local_key()
    shares = [one_dub(args.clip, args.dub) for _ in range(args.runs)]
    print(f"  signing and the check of the key: {100 * statistics.median(shares):.2f} % of a first dub")
    if args.large:
        large_file(args.large)


def one_dub(clip: Path, dub: Path) -> float:
    """Dub once; returns the share of the time that credentials took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"out{clip.suffix if clip.suffix in ('.mp4', '.mov') else '.mp4'}"
        options = lipdub.DubOptions(reuse=False, page=False, consent=True, credentials=True)
        begun = time.perf_counter()
        report = lipdub.dub(clip, audio=dub, output=out, options=options)
        whole = time.perf_counter() - begun
    begun = time.perf_counter()
    check_signing(CredentialOptions(credentials=True), out)
    checked = time.perf_counter() - begun
    signed = sum(stage.seconds for stage in report.timings if stage.stage == "sign")
    print(f"  {whole:.2f} s in all, signing {1000 * signed:.0f} ms, checking the key {1000 * checked:.0f} ms")
    return (signed + checked) / whole


def large_file(megabytes: int) -> None:
    """Sign and read a large file."""
    with tempfile.TemporaryDirectory() as folder:
        plain, signed = Path(folder) / "plain.wav", Path(folder) / "signed.wav"
        block = np.random.default_rng(0).uniform(-1, 1, (1, 1_000_000)).astype(np.float32)
        write_sound(plain, (block for _ in range(megabytes // 3)), SoundFormat(48_000, ("FC",)))
        begun = time.perf_counter()
        account = DubAccount("signed.wav", lipdub.__version__, datetime.now(UTC), sound="noise", synthetic=True)
        sign_into(plain, signed, "audio/wav", account, local_key())
        done = time.perf_counter()
        found = read_credentials(signed)
        read = time.perf_counter() - done
        size = plain.stat().st_size / 1e6
    state = "none" if found is None else found.state
    print(f"  {size:.0f} MB: signed in {done - begun:.2f} s, verified in {read:.2f} s ({state})")


if __name__ == "__main__":
    main()
