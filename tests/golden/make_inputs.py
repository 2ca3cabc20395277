"""Source clips as arrays, without a codec: the specifications are in ``cases.json["inputs"]``.

Frames use integer arithmetic only, so they are the same everywhere. Sound is tone sweeps in float64 plus a noise
floor made of integers, rounded once to float32.
"""

import numpy as np
from make_checkpoint import uniform


def _triangle(x: np.ndarray | int, half: int) -> np.ndarray:
    """Integer triangle wave 0..255 of period ``2 * half``."""
    return np.abs(np.mod(x, 2 * half) - half) * 255 // half


def frames(spec: dict) -> np.ndarray:
    """(n, height, width, 3) uint8 RGB: moving gradients, three balls, and a "mouth" that opens and closes."""
    n, h, w, k = spec["frames"], spec["height"], spec["width"], spec["seed"]
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    out = np.empty((n, h, w, 3), np.uint8)
    for t in range(n):
        planes = (3 * x + 5 * t + 11 * k, 97), (2 * y - 4 * t + 7 * k, 83), (x + 2 * y + 3 * t, 131)
        picture = np.stack([_triangle(*plane) for plane in planes], -1)
        for b, colour in enumerate(((230, 180, 150), (40, 90, 200), (250, 240, 30))):
            cx = _triangle(4 * t + 31 * b + 5 * k, 41) * w // 255
            cy = _triangle(3 * t + 17 * b + 3 * k, 29) * h // 255
            radius = (h // 5, h // 7, h // 9)[b]
            picture[(x - cx) ** 2 + (y - cy) ** 2 < radius * radius] = colour
        ry = 2 + _triangle(17 * t, 9) * h // (255 * 12)
        picture[((x - w // 2) * ry) ** 2 + ((y - 3 * h // 5) * (w // 9)) ** 2 < (ry * (w // 9)) ** 2] = (120, 30, 40)
        out[t] = picture
    return out


def wave(spec: dict) -> np.ndarray:
    """(2, samples) float32 stereo in -1..1 at ``spec["rate"]``."""
    n, rate, k = spec["samples"], spec["rate"], spec["seed"]
    t = np.arange(n, dtype=np.float64) / rate
    duration = n / rate
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * (3 + k % 3) * t)
    sweeps = (0.35, 180 + 20 * k, 2400), (0.30, 3000, 240 + 10 * k)
    channels = [a * envelope * np.sin(2 * np.pi * (f * t + 0.5 * (g - f) * t * t / duration)) for a, f, g in sweeps]
    noise = uniform(f"noise|{k}|{n}", 2 * n).astype(np.float64).reshape(2, n)
    return (np.stack(channels) + 0.03 * noise).astype(np.float32)


def tensor(name: str, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    """Uniform noise of unit variance times ``scale``, keyed by ``name``; for the training case."""
    return (uniform(name, int(np.prod(shape))) * np.float32(scale * 3**0.5)).reshape(shape)
