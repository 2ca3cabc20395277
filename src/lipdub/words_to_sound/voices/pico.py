"""SVOX Pico, the synthesiser inside py-nanotts, called so that the same text gives the same sound.

py-nanotts gives Pico uninitialised memory, and Pico reads parts of it before it writes them, so sounds and even their
lengths vary with what the process did before. Here Pico's own C interface (picoapi.h, Apache-2.0), which the module
exports, is given zeroed memory. If a build does not export it, py-nanotts' own function is used.
"""

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from lipdub.errors import MissingExtra, ServiceError

RATE = 16_000
"""Samples per second of Pico's speech."""

LINGWARE = {
    "en-US": ("en-US_ta.bin", "en-US_lh0_sg.bin"),
    "en-GB": ("en-GB_ta.bin", "en-GB_kh0_sg.bin"),
    "de-DE": ("de-DE_ta.bin", "de-DE_gl0_sg.bin"),
    "es-ES": ("es-ES_ta.bin", "es-ES_zl0_sg.bin"),
    "fr-FR": ("fr-FR_ta.bin", "fr-FR_nk0_sg.bin"),
    "it-IT": ("it-IT_ta.bin", "it-IT_cm0_sg.bin"),
}
"""The files of each voice: text analysis, and signal generation."""

_MEMORY = 2_500_000  # bytes, as in py-nanotts
_STEP_BUSY, _STEP_IDLE = 201, 200  # picodefs.h
_STRING = 256  # bytes, at least PICO_RETSTRINGSIZE and PICO_MAX_RESOURCE_NAME_SIZE
_CHUNK = 16_384  # bytes, less than a 16-bit length


def synthesise(text: str, voice: str, speed: int = 100, pitch: int = 100) -> Int16[np.ndarray, " samples"]:
    """``text`` spoken by ``voice`` (a key of ``LINGWARE``) at 16 kHz; ``speed`` (20..500) and ``pitch`` (50..200) are
    in percent.

    Raises ``MissingExtra`` if py-nanotts is not installed and ``ServiceError`` if the synthesiser fails.
    """
    with MissingExtra.guard("voices", "The voice nanotts"):
        from py_nanotts import NanoTTS
    library = _library()
    if library is None:
        raw = NanoTTS().speak(text, voice=voice, speed=speed / 100, pitch=pitch / 100, volume=0.3)
    else:
        # A volume above 30 % clips.
        marked = f'<speed level="{speed}"><pitch level="{pitch}"><volume level="30">{text}</volume></pitch></speed>'
        raw = _Pico(library, voice).say(marked)
    return np.frombuffer(raw, "<i2").astype(np.int16)


def check_installed() -> None:
    """Raises ``MissingExtra`` if py-nanotts is not installed."""
    _library()


@cache
def _library() -> ctypes.CDLL | None:
    """Pico's C functions, or None if the module does not export them."""
    with MissingExtra.guard("voices", "The voice nanotts"):
        from py_nanotts import _nanotts
    try:
        library = ctypes.CDLL(str(_nanotts.__file__))
        return library if hasattr(library, "pico_initialize") and hasattr(library, "pico_getData") else None
    except OSError:
        return None


class _Pico:
    """A synthesiser with its own memory, for one text."""

    def __init__(self, library: ctypes.CDLL, voice: str) -> None:
        from py_nanotts import _nanotts

        self._library, self._folder = library, Path(str(_nanotts.__file__)).parent / "lang"
        self._memory = ctypes.create_string_buffer(_MEMORY)  # zeroed
        self._system, self._engine = ctypes.c_void_p(), ctypes.c_void_p()
        self._files = LINGWARE[voice]

    def say(self, marked: str) -> bytes:
        """The PCM samples of a text with mark-up."""
        self._checked("pico_initialize", self._memory, ctypes.c_int32(_MEMORY), ctypes.byref(self._system))
        try:
            self._load()
            return self._sound(marked.encode() + b"\0")
        finally:
            if self._engine:
                self._library.pico_disposeEngine(self._system, ctypes.byref(self._engine))
            self._library.pico_terminate(ctypes.byref(self._system))

    def _load(self) -> None:
        name = ctypes.create_string_buffer(b"lipdub", _STRING)
        self._checked("pico_createVoiceDefinition", self._system, name)
        for file in self._files:
            resource, label = ctypes.c_void_p(), ctypes.create_string_buffer(_STRING)
            path = str(self._folder / file).encode()
            self._checked("pico_loadResource", self._system, path, ctypes.byref(resource))
            self._checked("pico_getResourceName", self._system, resource, label)
            self._checked("pico_addResourceToVoiceDefinition", self._system, name, label)
        self._checked("pico_newEngine", self._system, name, ctypes.byref(self._engine))

    def _sound(self, text: bytes) -> bytes:
        out, taken = bytearray(), 0
        while taken < len(text):
            chunk, sent = text[taken : taken + _CHUNK], ctypes.c_int16()
            self._checked("pico_putTextUtf8", self._engine, chunk, ctypes.c_int16(len(chunk)), ctypes.byref(sent))
            taken += sent.value
            out += self._drained()
            if sent.value <= 0:
                raise ServiceError("the voice nanotts did not accept the text")
        return bytes(out)

    def _drained(self) -> bytes:
        out, buffer = bytearray(), ctypes.create_string_buffer(1024)
        size, kind, status = ctypes.c_int16(), ctypes.c_int16(), _STEP_BUSY
        while status == _STEP_BUSY:
            status = self._library.pico_getData(
                self._engine, buffer, ctypes.c_int16(len(buffer)), ctypes.byref(size), ctypes.byref(kind)
            )
            out += buffer.raw[: max(size.value, 0)]
        if status != _STEP_IDLE:
            raise ServiceError(f"the voice nanotts failed (pico_getData answers {status})")
        return bytes(out)

    def _checked(self, function: str, *arguments: object) -> None:
        """Call a C function. Raises ``ServiceError`` if it fails."""
        status = getattr(self._library, function)(*arguments)
        if status != 0:
            raise ServiceError(
                f"the voice nanotts failed ({function} answers {status})",
                remedy="Reinstall it with: pip install --force-reinstall py-nanotts",
            )
