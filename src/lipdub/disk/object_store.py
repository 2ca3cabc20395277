"""Files on a store that several machines reach by a URL, such as ``s3://bucket/folder``: through the library fsspec.

An object appears whole: object stores put atomically, and on others (``file://``, ``sftp://``) it is written under
another name and renamed. What fails is tried again for a while; what cannot succeed (no permission, no such place) is
told at once.
"""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from lipdub.disk.identity import content_digest
from lipdub.errors import LipdubError, MissingExtra, OptionError, ServiceError

Answer = TypeVar("Answer")

PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each new attempt at what failed."""

_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "oci": "ocifs",
    "oss": "ossfs",
    "smb": "smbprotocol",
    "hdfs": "pyarrow",
}
"""The package that reads and writes a kind of URL."""

_PUTS_WHOLE = frozenset({"memory", *(name for name, package in _PACKAGES.items() if package.endswith("fs"))})
"""Kinds of stores on which nobody sees half of an object, and which have no folders to be made."""

_FINAL = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, NotImplementedError)
_TRIES_TO_REMOVE = 3
_REMEDY = "Check --shared-store, and the keys with which the machine reaches it"


@dataclass(eq=False)
class ObjectStore:
    """The objects below ``url``. ``sent`` and ``fetched`` count bytes. Threads may share it."""

    url: str
    pauses: tuple[float, ...] = PAUSES
    sent: int = field(default=0, init=False)
    fetched: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __str__(self) -> str:
        return re.sub(r"//[^/@]*@", "//", self.url)  # without a password

    @property
    def kind(self) -> str:
        """What the URL begins with: s3, file."""
        return self.url.partition("://")[0]

    def check(self) -> None:
        """Write, read and remove an object. Raises ``OptionError`` for a URL that means nothing or may not be written
        to, ``MissingExtra`` for a package that is missing, and ``ServiceError`` if the store does not answer."""
        check_url(self.url)
        name, mark = f"checks/{secrets.token_hex(8)}", secrets.token_bytes(16)
        try:
            if self.kind not in _PUTS_WHOLE and not self._tried(lambda: self._system.isdir(self._root)):
                raise FileNotFoundError(self._root)
            self.put_bytes(mark, name)
            found = self.get_bytes(name)
            self.remove(name)
        except FileNotFoundError as missing:
            raise OptionError(f"--shared-store {self}: there is no such folder or bucket", remedy=_REMEDY) from missing
        except _FINAL as refused:
            told = str(refused).strip() or type(refused).__name__
            raise OptionError(f"--shared-store {self} may not be written to ({told})", remedy=_REMEDY) from refused
        if found != mark:
            raise ServiceError(f"the shared store {self} gives back other bytes than were put there", remedy=_REMEDY)

    @contextmanager
    def told(self) -> Iterator[None]:
        """What cannot succeed in the block as a ``ServiceError``: an object that is gone, no permission."""
        try:
            yield
        except FileNotFoundError as missing:
            what = f"what was put into the shared store {self} is not there any more ({missing})"
            raise ServiceError(what, remedy="Run it again: what is finished is kept") from missing
        except _FINAL as refused:
            raise ServiceError(f"the shared store {self} refuses ({refused})", remedy=_REMEDY) from refused

    def put_file(self, path: Path, name: str) -> None:
        """Put the file ``path`` under ``name``, in place of what is there."""
        self._put(name, lambda target: self._system.put_file(str(path), target), path.stat().st_size)

    def put_bytes(self, data: bytes, name: str) -> None:
        """Put ``data`` under ``name``."""
        self._put(name, lambda target: self._system.pipe_file(target, data), len(data))

    def get_file(self, name: str, path: Path, digest: str) -> None:
        """Write an object whose SHA-256 is ``digest`` to the file ``path``. Raises ``FileNotFoundError`` and
        ``ServiceError``."""

        def get() -> None:
            self._system.get_file(self._place(name), str(path))
            if content_digest(path) != digest:
                raise ValueError(f"{name} is damaged")

        self._tried(get)
        self._count(fetched=path.stat().st_size)

    def get_bytes(self, name: str, digest: str = "") -> bytes:
        """The object ``name``; its SHA-256 is ``digest``, if one is given. Raises as ``get_file`` does."""

        def get() -> bytes:
            data = self._system.cat_file(self._place(name))
            if digest and hashlib.sha256(data).hexdigest() != digest:
                raise ValueError(f"{name} is damaged")
            return data

        data = self._tried(get)
        self._count(fetched=len(data))
        return data

    def size(self, name: str) -> int | None:
        """The bytes of an object; None if it is not there."""

        def ask() -> int | None:
            self._system.invalidate_cache()
            try:
                return self._system.info(self._place(name)).get("size")
            except FileNotFoundError:
                return None

        return self._tried(ask)

    def names(self, folder: str) -> list[str]:
        """The names of all objects below ``folder``, sorted."""

        strict = {} if self.kind in _PUTS_WHOLE else {"on_error": "raise"}  # else errors look like empty folders

        def ask() -> list[str]:
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._place(folder), **strict)
            except FileNotFoundError:
                return []
            begin = len(self._root.rstrip("/")) + 1
            return sorted(path[begin:] for path in found if not path.endswith(".part"))

        return self._tried(ask)

    def remove(self, name: str) -> None:
        """Remove an object, or all below a name. What cannot be removed in a few tries stays: nobody waits for it."""
        for pause in (*self.pauses[:_TRIES_TO_REMOVE], 0.0):
            try:
                self._system.invalidate_cache()
                self._system.rm(self._place(name), recursive=True)
                return
            except (LipdubError, *_FINAL):
                return
            except Exception:
                time.sleep(pause)

    def _put(self, name: str, put: Callable[[str], object], size: int) -> None:
        target = self._place(name)

        def whole() -> None:
            if self.kind in _PUTS_WHOLE:
                put(target)
                return
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            partial = f"{target}.{secrets.token_hex(4)}.part"
            try:
                put(partial)
                self._system.mv(partial, target)
            except BaseException:
                with suppress(Exception):
                    self._system.rm_file(partial)
                raise

        self._tried(whole)
        self._count(sent=size)

    def _count(self, sent: int = 0, fetched: int = 0) -> None:
        with self._lock:
            self.sent, self.fetched = self.sent + sent, self.fetched + fetched

    def _place(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _tried(self, call: Callable[[], Answer]) -> Answer:
        for pause in self.pauses:
            try:
                return call()
            except (LipdubError, *_FINAL):
                raise
            except Exception:
                time.sleep(pause)
        try:
            return call()
        except (LipdubError, *_FINAL):
            raise
        except Exception as failed:
            self._give_up(failed)

    def _give_up(self, failed: Exception) -> NoReturn:
        told = " ".join(str(failed).split())[:200].rstrip(".") or type(failed).__name__
        raise ServiceError(
            f"the shared store {self} fails again and again: {told}",
            remedy="Check that it runs, and the keys; what is finished is kept",
        ) from failed

    @property
    def _system(self) -> Any:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path in it."""
        with MissingExtra.guard("ray", "--shared-store"):
            import fsspec
        package = _PACKAGES.get(self.kind)
        try:
            return fsspec.core.url_to_fs(self.url)
        except ImportError as missing:
            package = package or str(getattr(missing, "name", "") or "")
            what = f"--shared-store {self} needs the package {package or 'that reads it'}, which is not installed"
            raise MissingExtra(what, remedy=f"Install it on all machines: pip install {package or '...'}") from missing
        except Exception as refused:
            told = " ".join(str(refused).split())[:200].rstrip(".")
            raise OptionError(f"--shared-store {self} cannot be used: {told}", remedy=_REMEDY) from refused


def see(url: str, name: str) -> None:
    """Whether this machine reaches the store at ``url``, and sees the object ``name`` that another one put there.
    Raises ``OptionError`` and what ``ObjectStore.check`` raises."""
    store = ObjectStore(url, PAUSES[:3])
    store.check()
    if store.size(name) is None:
        what = f"it does not see in the shared store {store} what was put there by this machine"
        raise OptionError(what, remedy="Name a store that all machines reach under the same URL")


def check_url(url: str) -> None:
    """Refuse what is no URL of a store. Raises ``OptionError``."""
    kind, colons, rest = url.partition("://")
    if not colons or not rest.strip("/") or not kind.replace("+", "").isalnum() or "::" in url:
        remedy = "Write for example s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, sftp://HOST/FOLDER or file:///FOLDER"
        raise OptionError(f"--shared-store {url or '(nothing)'} is no URL of a store", remedy=remedy)
    if kind in ("file", "local") and not rest.startswith("/"):
        raise OptionError(f"--shared-store {url} names no whole path", remedy=f"Write three slashes: {kind}:///{rest}")
