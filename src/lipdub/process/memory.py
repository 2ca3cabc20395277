"""Memory of the process that is free goes back to the system."""

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """Collect garbage, and on Linux let the C library return its free memory to the system.

    By itself glibc keeps what many threads allocated and freed (``malloc_trim``, man page malloc_trim(3)); other C
    libraries are left alone.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
