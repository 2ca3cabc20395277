"""What errors of the operating system and of FFmpeg mean, in words, and what a user can do about them."""

import errno
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """``what`` happened, as the end of a sentence ("the disk is full"), and the ``remedy`` ("" where none is known)."""

    what: str
    remedy: str = ""


_FULL = ErrorCause("the disk is full", "Free some space, or choose another disk")
_EXTERNAL = 542398533
"""FFmpeg's AVERROR_EXTERNAL: encoders of others give no reason, also when they get no memory."""

_SMALL_ALLOCATION = 128 * 1024**2
"""Bytes that must be at hand for a lack of memory not to be the likely reason."""

_DENIED = ErrorCause("permission is denied", "Check the permissions of the file and its folder")
_GONE = ErrorCause("the file or its folder is not there", "Check the name; it may have been moved meanwhile")
_MANY = ErrorCause("too many files are open", "Close other programs, or raise the limit of open files (ulimit -n)")
OUT_OF_MEMORY = ErrorCause("there is not enough memory", "Close other programs, or work on a shorter or smaller clip")
"""What to say when memory runs out."""

_OPENCV_NO_MEMORY = -4
_NO_MEMORY = (
    *("can't start new thread", "failed to map segment", "failed to allocate memory", "cannot allocate memory"),
    *("bad allocation", "bad_alloc", "out of memory"),
)

FILE_TOO_LARGE = ErrorCause(
    "the file would be larger than this disk or a limit of this session allows",
    "Raise the limit (ulimit -f), or choose another disk",
)
"""What to say when a file may not grow any more though there is room."""

_CAUSES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: ErrorCause("your quota on this disk is used up", "Free some space, or choose another disk"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: ErrorCause("the disk is read-only", "Choose another disk"),
    errno.ENAMETOOLONG: ErrorCause("the name is too long for this disk", "Choose a shorter name"),
    errno.EFBIG: FILE_TOO_LARGE,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: ErrorCause("a part of its path is a file, not a folder", "Check the name"),
    errno.EISDIR: ErrorCause("it is a folder", "Name a file in it"),
    errno.EEXIST: ErrorCause("a file of that name is there already", "Choose another name"),
    errno.EMFILE: _MANY,
    errno.ENFILE: _MANY,
    errno.ENOMEM: OUT_OF_MEMORY,
    errno.EIO: ErrorCause("the disk or the connection to it fails (I/O error)", "Copy the file to another disk"),
    errno.ELOOP: ErrorCause("its links lead in a circle", "Check the name"),
    errno.EILSEQ: ErrorCause("the name cannot be written on this system", "Choose another name"),
    errno.EBUSY: ErrorCause("the file is in use", "Close the program that uses it"),
    errno.ETXTBSY: ErrorCause("the file is in use", "Close the program that uses it"),
    errno.EPIPE: ErrorCause("the program that reads it went away"),
    errno.EXDEV: ErrorCause("it lies on another disk"),
}


def cause_of(error: BaseException) -> ErrorCause:
    """The cause that ``error`` names: an ``OSError`` (FFmpeg's errors are such, or carry ``errno``), ``MemoryError``,
    ``UnicodeError`` or any other. Never raises; an unknown error's own words are given."""
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, UnicodeError):
        return _CAUSES[errno.EILSEQ]
    if _is_short_write(error):
        return FILE_TOO_LARGE if _is_limited() else _FULL
    number = getattr(error, "errno", None)
    if number in _CAUSES:
        return _CAUSES[number]
    if number == _EXTERNAL and not _can_allocate(_SMALL_ALLOCATION):
        return OUT_OF_MEMORY
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ErrorCause(" ".join(str(said).split()))


def _can_allocate(size: int) -> bool:
    """Whether ``size`` bytes of memory can be had now."""
    try:
        return len(bytearray(size)) == size
    except MemoryError:
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """True if ``error`` says that memory ran out, in whichever words: OpenCV has a code, native libraries raise
    ``RuntimeError``, and a library that cannot be loaded for lack of memory an ``ImportError``."""
    if isinstance(error, MemoryError):
        return True
    if type(error).__module__.startswith("cv2") and getattr(error, "code", None) == _OPENCV_NO_MEMORY:
        return True
    known = isinstance(error, RuntimeError | ImportError) or type(error).__module__.startswith("onnxruntime")
    return known and any(words in str(error).lower() for words in _NO_MEMORY)


def is_disk_full(error: BaseException) -> bool:
    """True if ``error`` says that no room is left: on the disk, in a quota, or below a limit on file sizes."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or _is_short_write(error)


def _is_limited() -> bool:
    """Whether this session limits how large files may be (setrlimit(2))."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _is_short_write(error: BaseException) -> bool:
    """True for NumPy's error when a disk took less than it was given: it names no cause (``ndarray.tofile``)."""
    told = str(error)
    return isinstance(error, OSError) and error.errno is None and " requested and " in told and " written" in told
