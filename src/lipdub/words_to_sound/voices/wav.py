"""WAV files as programs and servers write them: complete, or streamed, with lengths that were never filled in."""

import struct

import numpy as np
from jaxtyping import Float32

from lipdub.errors import ServiceError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHERS = {b"ID3": "mp3", b"\xff\xfb": "mp3", b"\xff\xf3": "mp3", b"OggS": "ogg", b"fLaC": "flac", b"{": "JSON"}


def read_wav(data: bytes, sender: str) -> tuple[Float32[np.ndarray, " samples"], int]:
    """The samples (mean of the channels, -1..1) and the sample rate of a WAV file: PCM with 8, 16, 24 or 32 bits, or
    floats with 32 or 64 bits.

    A ``data`` chunk that is longer than the file, or whose length is 0 or 0xFFFFFFFF as in streams, lasts to the end of
    the file. Raises ``ServiceError``, which names the sender ``sender``, for anything else.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        kind = next((name for start, name in _OTHERS.items() if data.startswith(start)), "data that is not sound")
        raise ServiceError(f"{sender} answered with {kind} where a WAV file was asked for")
    form, at = None, 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt " and at + 16 <= len(data):
            form = struct.unpack_from("<HHIIHH", data, at)
            if form[0] == _EXTENSIBLE and size >= 40 and at + 26 <= len(data):
                form = (struct.unpack_from("<H", data, at + 24)[0], *form[1:])
        elif name == b"data" and form is not None:
            streamed = size in (0, 0xFFFFFFFF) or at + size > len(data)
            return _samples(data[at:] if streamed else data[at : at + size], form, sender)
        at += size + size % 2
    raise ServiceError(f"{sender} answered with a WAV file without sound in it")


def write_wav(samples: Float32[np.ndarray, " samples"], rate: int) -> bytes:
    """A WAV file of mono ``samples`` (-1..1) at ``rate`` hertz, as 16-bit PCM."""
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", _PCM, 1, rate, rate * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(pcm)) + pcm
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _samples(raw: bytes, form: tuple[int, ...], sender: str) -> tuple[np.ndarray, int]:
    code, channels, rate, _, _, bits = form
    width = bits // 8
    if channels < 1 or not 4_000 <= rate <= 384_000 or (code, bits) not in _KNOWN:
        raise ServiceError(
            f"{sender} answered with a WAV file of an unknown kind (code {code}, {bits} bits, {rate} Hz)"
        )
    raw = raw[: len(raw) // (width * channels) * width * channels]
    if bits == 24:
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        values = padded.view("<i4")[:, 0] / 2.0**31
    else:
        values = np.frombuffer(raw, _KNOWN[code, bits]).astype(np.float64)
        values = (values - 128) / 128 if bits == 8 else values / 2.0 ** (bits - 1) if code == _PCM else values
    return values.reshape(-1, channels).mean(1).astype(np.float32), rate


_KNOWN = {
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}
