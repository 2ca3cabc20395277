"""Write the tiny files in the LTX-2.3 layout that ``layout.json`` describes: bit for bit the same everywhere.

    python make_checkpoint.py FOLDER

Every tensor is a function of (salt, file, name, shape). The numbers come from a counter (splitmix64 seeded by
sha256), so no random library, libm or vector unit can change a weight; only the four closed forms of signal
processing use cos, sin, log and i0, in float64, rounded once to float32.
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).parent
_ROOT_3 = math.sqrt(3.0)


def uniform(key: str, n: int) -> np.ndarray:
    """``n`` float32 values, uniform on (-1, 1): odd multiples of 2^-23."""
    seed = np.uint64(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little"))
    with np.errstate(over="ignore"):
        x = seed + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    k = (x >> np.uint64(41)).astype(np.int64)
    return ((2 * k + 1 - 2**23).astype(np.float64) * 2.0**-23).astype(np.float32)


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / math.log(6.4))


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(math.log(6.4) / 27 * (mel - 15)))


def _kaiser(shape: tuple[int, ...]) -> np.ndarray:
    """Half-band low-pass of unit gain under a Kaiser window."""
    n, cut, width = shape[-1], 0.25, 0.3
    attenuation = 2.285 * (n // 2 - 1) * math.pi * 4 * width + 7.95
    t = np.arange(-(n // 2), n // 2) + 0.5
    taps = np.kaiser(n, 0.1102 * (attenuation - 8.7)) * np.sinc(2 * cut * t)
    return (taps / taps.sum()).reshape(shape)


def _fourier(shape: tuple[int, ...], inverse: bool) -> np.ndarray:
    """Rows 0..N/2: hann times cos, then minus hann times sin; the inverse is divided by N."""
    n = shape[-1]
    i = np.arange(n)
    phase = 2 * math.pi * ((np.arange(n // 2 + 1)[:, None] * i[None]) % n) / n
    basis = np.concatenate([np.cos(phase), -np.sin(phase)]) * (0.5 - 0.5 * np.cos(2 * math.pi * i / n))
    return (basis / n if inverse else basis).reshape(shape)


def _mel(shape: tuple[int, ...], rate: int = 16_000) -> np.ndarray:
    """Slaney's mel scale and area norm, from 0 to half the rate."""
    bands, bins = shape
    f = _mel_to_hz(np.linspace(0, _hz_to_mel(np.float64(rate / 2)), bands + 2))
    slope = f[:, None] - np.linspace(0, rate / 2, bins)[None]
    step = np.diff(f)[:, None]
    triangle = np.maximum(0, np.minimum(-slope[:-2] / step[:-1], slope[2:] / step[1:]))
    return triangle * (2 / (f[2:] - f[:-2]))[:, None]


_CLOSED_FORMS = {
    "kaiser": _kaiser,
    "stft": lambda shape: _fourier(shape, inverse=False),
    "istft": lambda shape: _fourier(shape, inverse=True),
    "mel": _mel,
}


def _tensor(layout: dict, file: str, name: str) -> np.ndarray:
    """value = offset + scale * sqrt(3) * uniform [/ sqrt(fan_in)]."""
    shape, _, rule = layout["files"][file]["tensors"][name]
    if rule in _CLOSED_FORMS:
        return _CLOSED_FORMS[rule](tuple(shape)).astype(np.float32)
    fill = layout["rules"][rule]
    fan = math.sqrt(math.prod(shape[1:])) if fill.get("fan_in") else 1.0
    x = uniform(f"{layout['salt']}|{file}|{name}", math.prod(shape)) * np.float32(fill["scale"] * _ROOT_3 / fan)
    return (x + np.float32(fill["offset"]) if fill.get("offset") else x).reshape(shape)


def _digest(tensors: dict[str, np.ndarray], rules: dict[str, str]) -> str:
    """Of the random tensors; closed forms may differ by one float32 ulp between maths libraries."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if rules[name] not in _CLOSED_FORMS:
            digest.update(name.encode() + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def write(folder: Path, layout: dict) -> None:
    """All files of ``layout`` into ``folder``. Raises ``ValueError`` if a weight is not what it was when recorded."""
    for file, spec in layout["files"].items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in spec["metadata"].items()}
        tensors = {name: _tensor(layout, file, name) for name in spec["tensors"]}
        if spec["sha256"] != _digest(tensors, {name: rule for name, (_, _, rule) in spec["tensors"].items()}):
            raise ValueError(f"{file}: generated weights do not match layout.json")
        save_file(tensors, path, metadata=metadata or None)
    for file, value in layout["json"].items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), json.loads((HERE / "layout.json").read_text(encoding="utf-8")))
