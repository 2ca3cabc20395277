"""The key of a studio: who has it may do everything that its user may.

It is 256 random bits in a file that only the user can read, or what the user gives. Browsers get a value that is
derived from it as a cookie, so that the key itself is in no jar of cookies.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lipdub.errors import OptionError, OutputError

SHORTEST = 16
"""Characters that a key of the user's own has at least."""

HEADER, COOKIE = "x-api-key", "lipdub_key"
_LONGEST = 512


@dataclass(frozen=True)
class Key:
    """The key ``text`` of a studio that answers at ``port`` (0: not known)."""

    text: str
    port: int = 0

    def __repr__(self) -> str:
        """Without the key, so that no log shows it."""
        return f"Key(port={self.port})"

    @property
    def cookie_name(self) -> str:
        """The name of the cookie. Cookies of one machine are shared by all ports, hence the port in it."""
        return f"{COOKIE}_{self.port}" if self.port else COOKIE

    @property
    def cookie(self) -> str:
        """The value of the cookie that a browser gets for the key."""
        return hmac.new(self.text.encode(), b"lipdub studio cookie", hashlib.sha256).hexdigest()

    def is_key(self, given: str) -> bool:
        """True if ``given`` is the key. Takes the same time whatever is given (``hmac.compare_digest``)."""
        return _equal(given, self.text)

    def is_cookie(self, given: str) -> bool:
        """True if ``given`` is the value of the cookie. Takes the same time whatever is given."""
        return _equal(given, self.cookie)


def _equal(given: str, wanted: str) -> bool:
    """Compare digests: both have one length, so that not even the length of the key is told."""
    one = hashlib.sha256(given[:_LONGEST].encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(one, hashlib.sha256(wanted.encode()).digest())


def own_key(text: str) -> str:
    """A key that the user gives. Raises ``OptionError`` if it can be guessed, or cannot stand in a header."""
    if len(text) < SHORTEST:
        raise OptionError(
            f"a key of {len(text)} characters can be guessed", remedy=f"Give {SHORTEST} or more, or none: one is made"
        )
    if len(text) > _LONGEST or not all(33 <= ord(letter) < 127 for letter in text):
        raise OptionError("the key holds characters that cannot stand in a header", remedy="Use letters and digits")
    return text


def kept_key(file: Path) -> str:
    """The key in ``file``, which is made with a new one if it is not there or damaged. Raises ``OutputError``."""
    try:
        if file.is_symlink():
            raise OutputError("is a link", file=file, remedy="Remove it; the studio makes a file of its own there")
        if file.exists():
            file.chmod(0o600)
            known = file.read_text("ascii", errors="replace").strip()
            if len(known) >= SHORTEST and known.isascii() and known.isalnum():
                return known
        return _new_key(file)
    except OSError as refused:
        raise OutputError(
            f"the key of the studio cannot be kept ({refused.strerror or refused})",
            file=file,
            remedy="Choose another folder with --folder",
        ) from refused


def _new_key(file: Path) -> str:
    text = secrets.token_hex(32)
    beside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(beside, file)
    return text
