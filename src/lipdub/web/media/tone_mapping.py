"""Pictures of high dynamic range (PQ, HLG) for screens without it."""

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

_WHITE = 203.0
"""cd/m2 of the white of a page or of a sheet of paper (ITU-R BT.2408)."""

_KNEE = 0.6
"""Parts of white up to which light stays as it is; what is brighter is compressed."""

_FROM_2020 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
"""Linear light with the primaries of BT.2020 to those of BT.709 (ITU-R BT.2087)."""

_LUMA_2020 = np.array([0.2627, 0.678, 0.0593], np.float32)

PQ, HLG = 16, 18
"""Transfer functions, as numbers of ITU-T H.273."""


def tone_mapped(
    rgb: UInt16[np.ndarray, "height width 3"], transfer: int, wide: bool
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of high dynamic range, R'G'B' over the full range of 16 bits, for a screen of BT.709 (8 bits).

    ``transfer`` is ``PQ`` or ``HLG``; ``wide`` says that its primaries are those of BT.2020. White of 203 cd/m2 becomes
    0.85 of the screen's, in linear light; brighter light is compressed by the largest channel, so that hues stay.
    """
    light = _LIGHT[transfer][rgb]
    if transfer == HLG:  # the system's gamma of 1.2 at 1,000 cd/m2 (ITU-R BT.2100, table 5)
        light = light * (1000 / _WHITE) * np.maximum(light @ _LUMA_2020, 1e-6)[..., None] ** 0.2
    if wide:
        light = light @ _FROM_2020.T
    light = np.maximum(light, 0)
    most = light.max(-1, keepdims=True)
    over = np.maximum(most - _KNEE, 0)
    held = np.where(over > 0, _KNEE + (1 - _KNEE) * (1 - np.exp(-over / (1 - _KNEE))), most)
    light = light * (held / np.maximum(most, 1e-6))
    return _SHOWN[np.rint(light * (len(_SHOWN) - 1)).astype(np.uint16)]


def _pq_light(code: Float32[np.ndarray, " _n"]) -> Float32[np.ndarray, " _n"]:
    """Light in parts of white for PQ codes in 0..1 (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = code.astype(np.float64) ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (light * 10_000 / _WHITE).astype(np.float32)


def _hlg_light(code: Float32[np.ndarray, " _n"]) -> Float32[np.ndarray, " _n"]:
    """Light of the scene, 0..1, for HLG codes in 0..1 (ITU-R BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


_CODES = np.linspace(0, 1, 65536, dtype=np.float32)
_LIGHT = {PQ: _pq_light(_CODES), HLG: _hlg_light(_CODES)}
_SHOWN = np.rint(255 * np.linspace(0, 1, 4096) ** (1 / 2.2)).astype(np.uint8)
