"""Is a dubbed programme what its truth asks for? Every frame, whose mouths moved, and which packets are the source's.

    python -m evals.programme_film OUT/programme.json DUBBED.mp4 [DUBBED.mp4 ...]

    frames, times   are all there, each with its own time stamp
    copied          packets of the picture that are the source's, bit for bit
    speakers        part of the true speech of faces in view (seconds) in which that face's mouth was changed
    others          seconds in which a mouth was changed whose person does not speak within a second, by kind of shot
    outside         largest mean change (code values) of a picture away from all faces

A mouth counts as changed in a frame if the lower part of its face differs from the source clearly more than the rest of
the picture does, which only differs by encoding.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from evals.programme import RATE, ShownFace, TrueSpeech, Truth

NEAR = 1.0
"""Seconds around speech in which a mouth may change: it opens before the voice and closes after it."""


def main() -> int:
    """Check films and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m evals.programme_film", description=__doc__.split("\n")[0])
    parser.add_argument("truth", type=Path)
    parser.add_argument("films", type=Path, nargs="+")
    asked = parser.parse_args()
    truth = Truth.read(asked.truth)
    source = truth.film
    for film in asked.films:
        print(film)
        for name, value in {**packets_found(source, film), **mouths_found(truth, source, film)}.items():
            print(f"  {name:10} {value}")
    return 0


def packets_found(source: Path, film: Path) -> dict[str, str]:
    """Frames, time stamps and copied packets."""
    ours, theirs = list(_packets(film)), list(_packets(source))
    equal = sorted(p for p, _ in ours) == sorted(p for p, _ in theirs)
    known = dict(theirs)
    copied = sum(known.get(at) == data for at, data in ours)
    return {
        "frames": f"{len(ours)} of {len(theirs)}",
        "times": "equal" if equal else "NOT equal",
        "copied": f"{copied} of {len(theirs)} packets",
    }


def _packets(path: Path) -> Iterator[tuple[int, bytes]]:
    with av.open(str(path)) as file:
        for packet in file.demux(video=0):
            if packet.size:
                yield int(packet.pts or 0), bytes(packet)


def mouths_found(truth: Truth, source: Path, film: Path) -> dict[str, str]:
    """Whose mouths were changed, and how much changed elsewhere."""
    speaking = expected = 0
    others: dict[str, float] = defaultdict(float)
    outside = 0.0
    shots = {index: shot for shot in truth.shots for index in range(shot.first, shot.stop)}
    for index, (a, b) in enumerate(zip(_pictures(source), _pictures(film), strict=True)):
        shot, change = shots[index], np.abs(a.astype(np.int16) - b)
        away = np.ones(change.shape, bool)
        for face in shot.faces:
            left, top, right, bottom = (int(edge) for edge in face.window)
            away[max(0, top) : bottom, max(0, left) : right] = False
        noise = float(change[away].mean()) if away.any() else 0.0
        outside = max(outside, noise)
        for face in shot.faces:
            moved = _mouth_change(change, face) > 2 * noise + 1.5
            if _speaks(truth.speech, face.person, index, 0.0):
                expected += 1
                speaking += moved
            elif moved and not _speaks(truth.speech, face.person, index, NEAR):
                others[shot.kind] += 1 / RATE
    told = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in sorted(others.items())) or "none"
    share = f"{speaking / max(expected, 1):.3f} of {expected / RATE:.1f} s"
    return {"speakers": share, "others": told, "outside": f"{outside:.2f}"}


def _mouth_change(change: np.ndarray, face: ShownFace) -> float:
    """The mean change of the tenth of the lower face that changed most."""
    left, top, right, bottom = (int(edge) for edge in face.window)
    height, width = bottom - top, right - left
    box = change[
        max(0, top + int(0.45 * height)) : max(0, bottom), max(0, left + width // 5) : max(0, right - width // 5)
    ]
    if not box.size:
        return 0.0
    return float(np.sort(box, axis=None)[-box.size // 10 :].mean()) / 3


def _speaks(speech: "tuple[TrueSpeech, ...] | list[TrueSpeech]", person: str, index: int, near: float) -> bool:
    at = index / RATE
    return any(one.name == person and float(one.start) - near <= at < float(one.end) + near for one in speech)


def _pictures(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as file:
        file.streams.video[0].thread_type = "AUTO"
        for frame in file.decode(video=0):
            yield frame.to_ndarray(format="gray")


if __name__ == "__main__":
    sys.exit(main())
