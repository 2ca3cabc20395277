"""Which key signs the content credentials of a run: the user's own, or the one that this machine made for itself."""

import os
from pathlib import Path

from lipdub.credentials.local_key import local_key, local_key_exists
from lipdub.credentials.sign import check_signs, import_c2pa, sidecar_for
from lipdub.credentials.signing_key import SigningKey, read_signing_key
from lipdub.errors import OptionError
from lipdub.studio.options import CredentialOptions

KEY, CERTIFICATES = "LIPDUB_SIGN_KEY", "LIPDUB_SIGN_CERT"
"""Names of the environment variables that name the files of the user's key and of its certificates."""


def signing_key(options: CredentialOptions) -> SigningKey:
    """The key that signs: of the files that ``options`` or the environment name, else that of this machine, which is
    made if there is none.

    Raises ``OptionError`` if a key or its certificates are missing, ``InputError`` if they cannot be used,
    ``OutputError`` if a new key cannot be kept, ``MissingExtra``.
    """
    import_c2pa()
    files = files_to_sign_with(options)
    return local_key() if files is None else read_signing_key(*files)


def check_signing(options: CredentialOptions, output: Path | None) -> None:
    """Refuse credentials that cannot be made for ``output`` (None: no film is written, so nothing is signed). Makes
    nothing. Raises what ``check_key`` raises, and ``OptionError``."""
    if not options.credentials:
        given = "--sign-key" if options.sign_key else "--sign-cert" if options.sign_cert else ""
        if given:
            raise OptionError(f"{given} does nothing without --credentials", remedy="Add --credentials")
    elif output is not None:
        sidecar_for(output)
        check_key(options)


def check_key(options: CredentialOptions) -> SigningKey | None:
    """The key that would sign, after it was tried; None if it would have to be made. Raises what ``signing_key``
    raises."""
    import_c2pa()
    files = files_to_sign_with(options)
    if files is None and not local_key_exists():
        return None
    key = signing_key(options)
    check_signs(key, None if files is None else files[1])
    return key


def make_key(options: CredentialOptions, output: Path | None) -> None:
    """Make the key of this machine, if it will be needed for ``output`` and is not there. Raises what ``signing_key``
    raises."""
    if options.credentials and output is not None and check_key(options) is None:
        check_signs(local_key(), None)


def files_to_sign_with(options: CredentialOptions) -> tuple[Path, Path] | None:
    """The files of the user's key and of its certificates, as the options or the environment name them; None if they
    name none. Raises ``OptionError`` if they name one of both."""
    key = options.sign_key or _named(KEY)
    certificates = options.sign_cert or _named(CERTIFICATES)
    if key is None and certificates is None:
        return None
    if key is None:
        what = "these certificates are to sign with, but their private key is not given"
        raise OptionError(what, file=certificates, remedy=f"Give it with --sign-key, or in {KEY}")
    if certificates is None:
        what = "this key is to sign with, but its certificates are not given"
        raise OptionError(what, file=key, remedy=f"Give them with --sign-cert, or in {CERTIFICATES}")
    return key, certificates


def _named(variable: str) -> Path | None:
    given = os.environ.get(variable)
    return Path(given) if given else None
