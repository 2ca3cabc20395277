"""The key that this machine makes for itself where the user has none: made once, kept in the user's own folder for
settings, readable by that user alone. Nobody vouches for it, so readers call what it signs "untrusted".

Readers may refuse self-signed certificates. So an authority is made for this one certificate; its key is thrown away.
"""

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from platformdirs import user_config_path

from lipdub.credentials.signing_key import EXTRA, SigningKey, read_signing_key
from lipdub.disk.lock_file import exclusive
from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError, MissingExtra, OutputError

_KEY, _CHAIN = "local-key.pem", "local-certificates.pem"
_YEARS = timedelta(days=3650)
_EARLIER = timedelta(hours=1)
"""How long ago the certificate begins: clocks of readers may be slow."""


def local_key_folder() -> Path:
    """Where the key of this machine is kept: ``LIPDUB_CONFIG``, or the system's folder for settings of lipdub. Not made
    here."""
    given = os.environ.get("LIPDUB_CONFIG")
    return (Path(given) if given else user_config_path("lipdub", appauthor=False)) / "credentials"


def local_key_exists() -> bool:
    """True if this machine made itself a key already."""
    return (local_key_folder() / _KEY).exists()


def local_certificates() -> Path:
    """The certificates of the key of this machine: with ``lipdub verify --trust`` they make it a trusted one. May not
    be there."""
    return local_key_folder() / _CHAIN


def local_key(folder: Path | None = None) -> SigningKey:
    """The key of this machine in ``folder`` (None: ``local_key_folder``); it is made if there is none.

    Raises ``InputError`` if the key that is there cannot be used or others may read it, ``OutputError`` if one cannot
    be kept, ``MissingExtra``.
    """
    folder = folder or local_key_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with exclusive(folder / ".lock"):
            if not (folder / _KEY).exists():
                _make(folder)
    except OSError as refused:
        cause = cause_of(refused)
        what = f"the key of this machine cannot be kept here: {cause.what}"
        raise OutputError(what, file=folder, remedy=cause.remedy or "Set LIPDUB_CONFIG to another folder") from refused
    if os.name != "nt" and stat.S_IMODE((folder / _KEY).stat().st_mode) & 0o077:
        remedy = f"If nobody else read it: chmod 600 {folder / _KEY}; else remove it, and a new one is made"
        raise InputError("other users of this machine may read this private key", file=folder / _KEY, remedy=remedy)
    try:
        return replace(read_signing_key(folder / _KEY, folder / _CHAIN), local=True)
    except InputError as unusable:
        remedy = f"Remove the folder {folder}: the next run makes a new key"
        raise InputError(f"the key of this machine: {unusable.what}", file=unusable.file, remedy=remedy) from unusable


def _make(folder: Path) -> None:
    """Make a key and its certificates. The key is written last: where it is, everything is. Raises ``OSError``."""
    with MissingExtra.guard(EXTRA, "making a key for content credentials"):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    authority, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = _certificates(authority, signer)
    private = signer.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / _CHAIN, chain, 0o644)
    _write(folder / _KEY, private, 0o600)


def _certificates(authority, signer) -> bytes:  # type: ignore[no-untyped-def]
    """The signer's certificate and that of the authority which issued it (private keys of the curve P-256), in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(name: str) -> x509.Name:
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lipdub, not verified by anybody")
        return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, name)])

    own, issuing = signer.public_key(), authority.public_key()
    known = x509.SubjectKeyIdentifier.from_public_key(own)
    mark = known.digest.hex()[:8]
    now = datetime.now(UTC).replace(microsecond=0)

    def begun(subject: str, key: object) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(f"local authority {mark}"))
        made = made.public_key(key).serial_number(x509.random_serial_number())  # type: ignore[arg-type]
        return made.not_valid_before(now - _EARLIER).not_valid_after(now + _YEARS)

    def usage(**given: bool) -> x509.KeyUsage:
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
        return x509.KeyUsage(**{name: given.get(name, False) for name in names})

    issuer = x509.SubjectKeyIdentifier.from_public_key(issuing)
    root = begun(f"local authority {mark}", issuing).add_extension(x509.BasicConstraints(True, 0), True)
    root = root.add_extension(usage(key_cert_sign=True, crl_sign=True), True).add_extension(issuer, False)
    leaf = begun(f"local key {mark}", own).add_extension(x509.BasicConstraints(False, None), True)
    leaf = leaf.add_extension(usage(digital_signature=True), True).add_extension(known, False)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing), False)
    signed = (leaf.sign(authority, hashes.SHA256()), root.sign(authority, hashes.SHA256()))
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in signed)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file that has ``mode`` from its first moment. Raises ``OSError``."""
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(partial, path)
