"""Keys and certificates for tests: an authority and what it issues."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KINDS: dict[str, Any] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "small rsa": lambda: rsa.generate_private_key(65537, 1024),
    "dsa": lambda: dsa.generate_private_key(2048),
    "bitcoin": lambda: ec.generate_private_key(ec.SECP256K1()),
}
NOW = dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Issued:
    """The files of a signer's ``key`` and ``chain``, and of the authority's certificate (``root``)."""

    key: Path
    chain: Path
    root: Path


@dataclass(frozen=True)
class Wish:
    """What a certificate shall be like; the defaults are good."""

    kind: str = "es256"
    name: str = "Studio Example"
    begins: int = -1
    names_authority: bool = True
    ends: int = 30
    purpose: bool = True
    self_signed: bool = False
    is_authority: bool = False
    password: bytes | None = None
    swapped: bool = False


def issue(folder: Path, wish: Wish = Wish()) -> Issued:
    """Write a key and its certificates into ``folder``; days are counted from now."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, key = KINDS["es256"](), KINDS[wish.kind]()
    issuing = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    name = _name("An Authority")
    root = _certificate(name, name, authority.public_key(), wish, ca=True).sign(authority, hashes.SHA256())
    issuer = _name(wish.name) if wish.self_signed else name
    own = _certificate(_name(wish.name), issuer, key.public_key(), wish, ca=wish.is_authority)
    own = own.add_extension(issuing, False) if wish.names_authority else own
    leaf = own.sign(key if wish.self_signed else authority, hashes.SHA256())
    chain = [one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root)]
    hidden: Any = serialization.NoEncryption()
    if wish.password is not None:
        hidden = serialization.BestAvailableEncryption(wish.password)
    made = Issued(folder / "key.pem", folder / "chain.pem", folder / "root.pem")
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
    made.chain.write_bytes(b"".join(reversed(chain) if wish.swapped else chain))
    made.root.write_bytes(chain[1])
    return made


def _name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Org"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


def _certificate(subject: x509.Name, issuer: x509.Name, key: Any, wish: Wish, ca: bool) -> x509.CertificateBuilder:
    begins, ends = (-100, 3650) if ca else (wish.begins, wish.ends)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(NOW + dt.timedelta(days=begins)).not_valid_after(NOW + dt.timedelta(days=ends))
    made = made.add_extension(x509.BasicConstraints(ca, None), True)
    usage = [not ca, False, False, False, False, ca, ca, False, False]
    made = made.add_extension(x509.KeyUsage(*usage), True)
    if wish.purpose and not ca:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
