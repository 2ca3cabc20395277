"""Whatever is wrong with a key or its certificates is told in a sentence, before any work."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="content credentials need the extra credentials")

from credentials.keys import Wish, issue
from lipdub.credentials.local_key import local_certificates, local_key, local_key_exists, local_key_folder
from lipdub.credentials.sign import check_signs
from lipdub.credentials.signing_key import read_signing_key
from lipdub.errors import InputError, OptionError
from lipdub.studio.options import CredentialOptions
from lipdub.studio.signing import check_signing, signing_key


@pytest.mark.parametrize("kind", ["es256", "es384", "es512", "ps256", "ed25519"])
def test_the_algorithm_follows_from_the_key_and_it_signs(tmp_path: Path, kind: str) -> None:
    made = issue(tmp_path, Wish(kind))
    key = read_signing_key(made.key, made.chain)
    assert (key.algorithm, key.name, key.local) == (kind, "Studio Example", False)
    check_signs(key, made.chain)
    assert made.key.read_text() not in repr(key)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish("small rsa"), "a key of this kind"),
        (Wish("dsa"), "a key of this kind"),
        (Wish("bitcoin"), "a key of this kind"),
        (Wish(password=b"secret"), "the key is encrypted"),
        (Wish(begins=-9, ends=-2), "expired on"),
        (Wish(begins=2), "not valid before"),
        (Wish(self_signed=True), "self-signed"),
        (Wish(names_authority=False), "authorityKeyIdentifier"),
        (Wish(purpose=False), "not for signing documents or e-mail"),
        (Wish(is_authority=True), "that of an authority"),
        (Wish(swapped=True), "must be the first one"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_cannot_sign_is_refused(tmp_path: Path, wish: Wish, told: str) -> None:
    made = issue(tmp_path, wish)
    with pytest.raises(InputError, match=told) as refused:
        read_signing_key(made.key, made.chain)
    assert refused.value.remedy
    assert refused.value.file in (made.key, made.chain)


def test_certificates_of_another_key_are_refused(tmp_path: Path) -> None:
    one, other = issue(tmp_path / "one"), issue(tmp_path / "other")
    with pytest.raises(InputError, match="not those of the key"):
        read_signing_key(one.key, other.chain)


def test_a_chain_with_a_gap_is_refused(tmp_path: Path) -> None:
    one, other = issue(tmp_path / "one"), issue(tmp_path / "other")
    own = one.chain.read_text().split("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
    one.chain.write_text(own + other.root.read_text())
    with pytest.raises(InputError, match="was not issued by the next one"):
        read_signing_key(one.key, one.chain)
    one.chain.write_text(own)
    assert read_signing_key(one.key, one.chain).algorithm == "es256"


def test_files_that_are_something_else_are_told_apart(tmp_path: Path) -> None:
    made = issue(tmp_path)
    with pytest.raises(InputError, match="it holds a certificate"):
        read_signing_key(made.chain, made.chain)
    with pytest.raises(InputError, match="no certificate in it"):
        read_signing_key(made.key, made.key)
    with pytest.raises(InputError, match="cannot be read"):
        read_signing_key(tmp_path / "none.pem", made.chain)
    (tmp_path / "bytes.pem").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="may be damaged"):
        read_signing_key(tmp_path / "bytes.pem", made.chain)


def test_a_certificate_is_checked_as_of_a_day(tmp_path: Path) -> None:
    made = issue(tmp_path, Wish(ends=3))
    read_signing_key(made.key, made.chain, datetime.now(UTC) + timedelta(days=2))
    with pytest.raises(InputError, match="expired"):
        read_signing_key(made.key, made.chain, datetime.now(UTC) + timedelta(days=4))


def test_the_key_of_this_machine_is_made_once_for_its_user_alone(own_settings: Path) -> None:
    assert not local_key_exists()
    first = local_key()
    assert first.local
    assert local_key_exists()
    assert (local_key(), local_key_folder()) == (first, own_settings / "credentials")
    assert b"PRIVATE" not in local_certificates().read_bytes()
    private = [file for file in own_settings.rglob("*") if file.is_file() and b"PRIVATE" in file.read_bytes()]
    assert len(private) == 1, "the key of the authority is thrown away"
    if os.name != "nt":
        assert stat.S_IMODE(private[0].stat().st_mode) == 0o600
        assert stat.S_IMODE(private[0].parent.stat().st_mode) == 0o700
    check_signs(first, None)


@pytest.mark.skipif(os.name == "nt", reason="files have no modes there")
def test_a_key_that_others_may_read_is_not_used(own_settings: Path) -> None:
    local_key()
    key = next(own_settings.rglob("local-key.pem"))
    key.chmod(0o644)
    with pytest.raises(InputError, match="other users"):
        local_key()


def test_a_damaged_key_of_this_machine_is_told_and_not_replaced(own_settings: Path) -> None:
    local_key()
    key = next(own_settings.rglob("local-key.pem"))
    key.write_text("nothing")
    with pytest.raises(InputError, match="the key of this machine: there is no private key"):
        local_key()
    assert key.read_text() == "nothing"


def test_options_choose_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = issue(tmp_path / "a", Wish(name="Mine")), issue(tmp_path / "b", Wish(name="Other"))
    wanted, film = CredentialOptions(credentials=True), tmp_path / "film.mp4"
    assert signing_key(wanted).local
    monkeypatch.setenv("LIPDUB_SIGN_KEY", str(other.key))
    with pytest.raises(OptionError, match="certificates are not given"):
        check_signing(wanted, film)
    monkeypatch.setenv("LIPDUB_SIGN_CERT", str(other.chain))
    assert signing_key(wanted).name == "Other"
    named = CredentialOptions(True, mine.key, mine.chain)
    assert signing_key(named).name == "Mine"
    with pytest.raises(OptionError, match="does nothing without --credentials"):
        check_signing(CredentialOptions(sign_key=mine.key), None)
    monkeypatch.delenv("LIPDUB_SIGN_KEY")
    monkeypatch.delenv("LIPDUB_SIGN_CERT")
    with pytest.raises(OptionError, match="private key is not given"):
        check_signing(CredentialOptions(True, None, mine.chain), film)


def test_a_check_makes_no_key_and_refuses_other_files(tmp_path: Path, own_settings: Path) -> None:
    wanted = CredentialOptions(credentials=True)
    check_signing(wanted, tmp_path / "a.mp4")
    with pytest.raises(OptionError, match="cannot be signed"):
        check_signing(wanted, tmp_path / "a.mpg")
    assert not own_settings.exists()
