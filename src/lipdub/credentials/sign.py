"""A content credential is written into a file, or into a file beside one that cannot hold it. No network is used: there
is no time stamp of an authority."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipdub.credentials.manifest import DubAccount, Ingredient, manifest, plain_text
from lipdub.credentials.signing_key import EXTRA, SigningKey
from lipdub.errors import InputError, MissingExtra, OptionError, OutputError

if TYPE_CHECKING:
    import c2pa

EMBEDDED = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".m4a": "audio/mp4",
    ".avi": "video/avi",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
}
"""File suffix -> media type, of files that hold their own credential."""

BESIDE = {".mkv": "video/x-matroska", ".webm": "video/webm", ".mxf": "application/mxf", ".opus": "audio/ogg"}
"""File suffix -> media type, of files whose credential lies beside them."""

SIDECAR = ".c2pa"
"""The suffix of a credential beside a file."""

_UNKNOWN = "application/octet-stream"
_OFFLINE = {
    "core": {"backing_store_memory_threshold_in_mb": 16},
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False},
}
"""No pictures of the film in the credential, nothing from a network, and copies of large files on the disk, not in
memory: the library's own buffers are 512 MB at most."""


def media_type(path: Path) -> str:
    """The media type of a file by its suffix; "application/octet-stream" if it is not one that is known."""
    return (EMBEDDED | BESIDE).get(path.suffix.lower(), _UNKNOWN)


def sidecar_name(path: Path) -> Path:
    """What a credential beside the file ``path`` is called."""
    return path.with_suffix(SIDECAR)


def sidecar_for(path: Path) -> Path | None:
    """Where the credential of the output ``path`` lies: None if it is in the file itself.

    Raises ``OptionError`` for a file type that has none.
    """
    suffix = path.suffix.lower()
    if suffix not in EMBEDDED and suffix not in BESIDE:
        known = " ".join((*EMBEDDED, *BESIDE))
        raise OptionError("files of this type cannot be signed", file=path, remedy=f"Use one of: {known}")
    return sidecar_name(path) if suffix in BESIDE else None


def other_credential(path: Path) -> bool:
    """Whether a credential lies where readers look for that of the file ``path``, which is about to be written."""
    return path.suffix.lower() in BESIDE and sidecar_name(path).exists()


def sign_into(film: Path, signed: Path, kind: str, account: DubAccount, key: SigningKey) -> tuple[str, ...]:
    """Write the file ``film`` with its credential to ``signed``. ``kind`` is its media type, one of ``EMBEDDED``.

    Packets of pictures and sound stay as they are. Returns the names of the ingredients whose own credentials could not
    be read, and so are not in the chain. Raises ``OutputError``, and ``OSError`` if the disk refuses.
    """
    with (
        _builder(account) as (builder, unread),
        _signer(key) as signer,
        film.open("rb") as source,
        signed.open("w+b") as target,
        _told(film),
    ):
        builder.sign(signer, kind, source, target)
    return unread


def sign_beside(film: Path, kind: str, account: DubAccount, key: SigningKey) -> tuple[bytes, tuple[str, ...]]:
    """The credential of the file ``film`` of media type ``kind``, for a file beside it; and what ``sign_into`` returns.
    Raises as that."""
    with _builder(account) as (builder, unread), _signer(key) as signer, film.open("rb") as source, _told(film):
        builder.set_no_embed()
        return bytes(builder.sign(signer, kind, source, _Nowhere())), unread


def check_signs(key: SigningKey, file: Path | None) -> None:
    """Sign a few bytes with ``key`` and read them again, so that whatever is wrong with it is known before any work.
    ``file`` is what the error names. Raises ``InputError``, ``MissingExtra``."""
    from datetime import UTC, datetime

    import_c2pa()
    account = DubAccount("trial", "0", datetime.now(UTC), sound="a trial")
    try:
        with _builder(account) as (builder, _), _signer(key) as signer, _told(file):
            builder.set_no_embed()
            made = bytes(builder.sign(signer, _UNKNOWN, io.BytesIO(b"trial"), _Nowhere()))
        state = _state_of(made)
    except OutputError as refused:
        raise InputError(f"this key cannot sign: {refused.what}", file=file) from refused
    if state not in ("Valid", "Trusted"):
        remedy = "docs/disclosure.md says which certificates can be used"
        raise InputError(
            "what this key signs is not valid for readers of content credentials", file=file, remedy=remedy
        )


def _state_of(credential: bytes) -> str:
    import c2pa

    with (
        c2pa.Context.from_dict(_OFFLINE) as context,
        c2pa.Reader(_UNKNOWN, io.BytesIO(b"trial"), credential, context=context) as reader,
    ):
        return reader.get_validation_state() or ""


def import_c2pa() -> None:
    """Raise ``MissingExtra`` if the packages for content credentials are not installed."""
    with MissingExtra.guard(EXTRA, "signing or reading content credentials"):
        import c2pa
        import cryptography  # noqa: F401

        _ = c2pa


@contextmanager
def _builder(account: DubAccount) -> "Iterator[tuple[c2pa.Builder, tuple[str, ...]]]":
    """What makes a credential, and the names of the ingredients whose own credentials cannot be read."""
    import_c2pa()
    import c2pa

    with c2pa.Context.from_dict(_OFFLINE) as context:
        with _told(None):
            builder = c2pa.Builder(manifest(account), context)
        with builder:
            yield builder, tuple(one.path.name for one in account.ingredients if not _added(builder, one))


def _added(builder: "c2pa.Builder", one: Ingredient) -> bool:
    """Add an ingredient, with the credential that it bears or that lies beside it. One that cannot be read is left out,
    and False is returned: a film that took hours is not lost for it."""
    import c2pa

    told: dict[str, Any] = {"title": plain_text(one.path.name), "relationship": one.relation}
    told |= {"label": one.name, "instance_id": one.name}
    beside = sidecar_name(one.path)
    with one.path.open("rb") as source:
        try:
            more = {}
            if one.path.suffix.lower() not in EMBEDDED and beside.is_file():
                more = _from_beside(builder, one, beside.read_bytes())
            builder.add_ingredient(json.dumps(told | more), one.mime, source)
            return True
        except (c2pa.C2paError, KeyError):
            with _told(one.path):
                builder.add_ingredient(json.dumps(told), _UNKNOWN, io.BytesIO())
            return False


def _from_beside(builder: "c2pa.Builder", one: Ingredient, credential: bytes) -> dict[str, Any]:
    """What is told of an ingredient whose ``credential`` lies beside it: which it is, and whether it fits the file."""
    import c2pa

    name = f"{one.name}.c2pa"
    with (
        c2pa.Context.from_dict(_OFFLINE) as context,
        one.path.open("rb") as source,
        c2pa.Reader(one.mime, source, credential, context=context) as reader,
    ):
        read = json.loads(reader.json())
    builder.add_resource(name, io.BytesIO(credential))
    return {
        "manifest_data": {"format": "application/c2pa", "identifier": name},
        "active_manifest": read["active_manifest"],
        "validation_results": read.get("validation_results", {}),
    }


@contextmanager
def _signer(key: SigningKey) -> "Iterator[c2pa.Signer]":
    import c2pa

    algorithm = c2pa.C2paSigningAlg[key.algorithm.upper()]
    with _told(None):
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, key.chain, key.private, None))
    with signer:
        yield signer


@contextmanager
def _told(file: Path | None) -> Iterator[None]:
    """Errors of the library as ``OutputError`` about ``file``."""
    import c2pa

    try:
        yield
    except c2pa.C2paError as refused:
        what = " ".join(str(refused).split()).rstrip(".")
        raise OutputError(f"the content credential cannot be made ({what})", file=file) from refused


class _Nowhere(io.RawIOBase):
    """Takes what is written and keeps nothing: the copy of the film that the library writes beside a sidecar."""

    def __init__(self) -> None:
        super().__init__()
        self._place = self._end = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0

    def write(self, data: Any) -> int:
        self._place += len(data)
        self._end = max(self._end, self._place)
        return len(data)

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self._end)[whence]
        return self._place
