"""A private key with its certificates, as content credentials are signed with; everything that can be wrong is found
before any work is done.

The rules for certificates are those of the C2PA specification (its section on X.509 certificates).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

EXTRA = "credentials"
"""The extra of lipdub that installs what this package needs."""

_SMALLEST_RSA = 2048
"""Bits."""

_PURPOSES = frozenset(
    {
        "1.3.6.1.5.5.7.3.4",  # emailProtection
        "1.3.6.1.5.5.7.3.36",  # documentSigning
        "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft's for C2PA
        "1.3.6.1.4.1.62558.2.1",  # claim signing of C2PA
    }
)
"""Extended key usages, one of which a signer's certificate must have."""

_HELP = "docs/disclosure.md says how a key is made that others can trust"


@dataclass(frozen=True)
class SigningKey:
    """A private key that may sign, and its certificates.

    ``algorithm`` is that of the signature: es256, es384, es512, ps256 or ed25519. ``private`` and ``chain`` are PEM;
    the signer's own certificate is the first of the chain. ``name`` is who signs, as the certificate says it, and
    ``until`` when the certificate expires. ``local``: lipdub made the key on this machine, and nobody vouches for it.
    """

    algorithm: str
    private: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    name: str
    until: datetime
    local: bool = False


def read_signing_key(key: Path, certificates: Path, now: datetime | None = None) -> SigningKey:
    """The key in the PEM file ``key``, with its chain of certificates in the PEM file ``certificates``, checked as of
    ``now`` (None: the present).

    Raises ``InputError`` for a file that cannot be read, a key that is encrypted or of a kind that cannot sign, and for
    certificates that are not of this key, expired, self-signed, or not for this purpose; ``MissingExtra``.
    """
    from cryptography.hazmat.primitives import serialization

    private, algorithm = _private_key(key)
    chain = _certificates(certificates)
    own = chain[0]
    if _public(own.public_key()) != _public(private.public_key()):
        if any(_public(one.public_key()) == _public(private.public_key()) for one in chain[1:]):
            what = "the certificate of the key must be the first one in this file"
            raise InputError(what, file=certificates, remedy="Put it before those that issued it")
        remedy = "Give the certificate that was issued for the key, and those that issued it"
        raise InputError(f"these certificates are not those of the key {key}", file=certificates, remedy=remedy)
    _check_chain(chain, certificates, now or datetime.now(UTC))
    _check_purpose(own, certificates)
    return SigningKey(
        algorithm,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain),
        _name(own),
        own.not_valid_after_utc,
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as refused:
        cause = cause_of(refused)
        raise InputError(f"cannot be read: {cause.what}", file=file, remedy=cause.remedy) from refused


def _private_key(file: Path) -> "tuple[PrivateKeyTypes, str]":
    """The key and the algorithm of its signatures."""
    data = _read(file)
    with MissingExtra.guard(EXTRA, "signing content credentials"):
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    try:
        key = load_pem_private_key(data, None)
    except TypeError as encrypted:
        remedy = "Decrypt it into a file that only you can read: openssl pkey -in KEY.pem -out PLAIN.pem"
        raise InputError(
            "the key is encrypted, and lipdub asks for no password", file=file, remedy=remedy
        ) from encrypted
    except (ValueError, UnsupportedAlgorithm) as wrong:
        other = "it holds a certificate" if b"BEGIN CERTIFICATE" in data else "it may be damaged, or in another format"
        remedy = "Give the private key in PEM, which begins with -----BEGIN PRIVATE KEY-----"
        raise InputError(f"there is no private key in it: {other}", file=file, remedy=remedy) from wrong
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}.get(key.curve.name, "")
    elif isinstance(key, rsa.RSAPrivateKey):
        algorithm = "ps256" if key.key_size >= _SMALLEST_RSA else ""
    else:
        algorithm = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else ""
    if not algorithm:
        usable = f"P-256, P-384, P-521, Ed25519, or RSA of {_SMALLEST_RSA} bits and more"
        raise InputError(
            "a key of this kind cannot sign content credentials", file=file, remedy=f"Use one of: {usable}"
        )
    return key, algorithm


def _certificates(file: Path) -> "list[Certificate]":
    from cryptography.x509 import load_pem_x509_certificates

    data = _read(file)
    try:
        return load_pem_x509_certificates(data)
    except ValueError as wrong:
        remedy = "Give the certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"
        raise InputError("there is no certificate in it", file=file, remedy=remedy) from wrong


def _public(key: object) -> bytes:
    """What tells a public key from all others."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def _check_chain(chain: "Sequence[Certificate]", file: Path, now: datetime) -> None:
    """Raise ``InputError`` unless each certificate is valid now and was issued by the next one."""
    for one in chain:
        if now > one.not_valid_after_utc:
            what = f"the certificate of '{_name(one)}' expired on {one.not_valid_after_utc:%Y-%m-%d}"
            raise InputError(what, file=file, remedy="Have it renewed; credentials signed now would not be valid")
        if now < one.not_valid_before_utc:
            what = f"the certificate of '{_name(one)}' is not valid before {one.not_valid_before_utc:%Y-%m-%d %H:%M}"
            raise InputError(what, file=file, remedy="Check the clock of this machine, or wait")
    own = chain[0]
    if own.issuer == own.subject:
        what = "the certificate is self-signed: nobody vouches for it, and readers of content credentials may refuse it"
        raise InputError(what, file=file, remedy=_HELP)
    for one, issuer in pairwise(chain):
        try:
            one.verify_directly_issued_by(issuer)
        except Exception as wrong:  # several classes, by what is wrong
            what = f"the certificate of '{_name(one)}' was not issued by the next one, '{_name(issuer)}'"
            raise InputError(what, file=file, remedy="Give the chain in order, the signer's first") from wrong


def _check_purpose(own: "Certificate", file: Path) -> None:
    """Raise ``InputError`` unless the certificate ``own`` may sign content credentials."""
    from cryptography import x509

    found = own.extensions
    try:
        if found.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise InputError("the certificate is that of an authority, not of a signer", file=file, remedy=_HELP)
    except x509.ExtensionNotFound:
        pass
    try:
        signs = found.get_extension_for_class(x509.KeyUsage).value.digital_signature
        named = {one.dotted_string for one in found.get_extension_for_class(x509.ExtendedKeyUsage).value}
    except x509.ExtensionNotFound:
        signs, named = False, set()
    if not any(isinstance(one.value, x509.AuthorityKeyIdentifier) for one in found):
        what = "the certificate does not name the key of its authority (extension authorityKeyIdentifier)"
        raise InputError(what, file=file, remedy=_HELP)
    if not signs or not named & _PURPOSES:
        what = "the certificate is not for signing documents or e-mail (key usage digitalSignature, extended key usage"
        raise InputError(f"{what} emailProtection or documentSigning)", file=file, remedy=_HELP)


def _name(certificate: "Certificate") -> str:
    """Whom a certificate names: the common name, else the organisation."""
    from cryptography.x509.oid import NameOID

    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        found = certificate.subject.get_attributes_for_oid(kind)
        if found:
            return str(found[0].value)
    return "unnamed"
