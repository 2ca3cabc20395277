"""Errors of the operating system and of FFmpeg as sentences, and what a user can do about them."""

import errno
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """``what`` happened, as the end of a sentence ("the disk is full"), and the ``remedy`` ("" if none is known)."""

    what: str
    remedy: str = ""


_FULL = ErrorCause("the disk is full", "Free some space, or choose another disk")
_EXTERNAL = 542398533
"""FFmpeg's AVERROR_EXTERNAL. External encoders return it for every failure, also when they get no memory."""

_SMALL_ALLOCATION = 128 * 1024**2
"""Bytes. If even this much memory cannot be allocated, a lack of memory is the likely cause of an unexplained error."""

_DENIED = ErrorCause("permission is denied", "Check the permissions of the file and its folder")
_GONE = ErrorCause("the file or its folder is not there", "Check the name; it may have been moved meanwhile")
_MANY = ErrorCause("too many files are open", "Close other programs, or raise the limit of open files (ulimit -n)")
OUT_OF_MEMORY = ErrorCause("there is not enough memory", "Close other programs, or work on a shorter or smaller clip")
"""The cause when memory runs out."""

_OPENCV_NO_MEMORY = -4
_NO_MEMORY = (
    *("can't start new thread", "failed to map segment", "failed to allocate memory", "cannot allocate memory"),
    *("bad allocation", "bad_alloc", "out of memory"),
)

FILE_TOO_LARGE = ErrorCause(
    "the file would be larger than this disk or a limit of this session allows",
    "Raise the limit (ulimit -f), or choose another disk",
)
"""The cause when a file may not grow although the disk has room."""

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
    """The cause of ``error``: an ``OSError`` (FFmpeg's errors are ``OSError``s or carry ``errno``), ``MemoryError``,
    ``UnicodeError`` or any other. For an unknown error it is the error's own text. Never raises."""
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
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ErrorCause(" ".join(str(text).split()))


def _can_allocate(size: int) -> bool:
    """True if ``size`` bytes of memory can be allocated now."""
    try:
        return len(bytearray(size)) == size
    except MemoryError:
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """True if ``error`` means that memory ran out. OpenCV has an error code for it; native libraries raise
    ``RuntimeError``; a library that cannot be loaded for lack of memory raises ``ImportError``."""
    if isinstance(error, MemoryError):
        return True
    if type(error).__module__.startswith("cv2") and getattr(error, "code", None) == _OPENCV_NO_MEMORY:
        return True
    known = isinstance(error, RuntimeError | ImportError) or type(error).__module__.startswith("onnxruntime")
    return known and any(words in str(error).lower() for words in _NO_MEMORY)


def is_disk_full(error: BaseException) -> bool:
    """True if ``error`` means that there is no room left: on the disk, in a quota, or below a limit on file sizes."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or _is_short_write(error)


def _is_limited() -> bool:
    """True if this session limits the size of files (setrlimit(2))."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _is_short_write(error: BaseException) -> bool:
    """True for the error of ``ndarray.tofile`` when the disk took fewer bytes than it was given: it carries no
    ``errno``."""
    text = str(error)
    return isinstance(error, OSError) and error.errno is None and " requested and " in text and " written" in text
