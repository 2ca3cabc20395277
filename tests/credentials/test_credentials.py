"""Credentials are signed and read back by the library of the standard, with and without trust, whole and damaged."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("cryptography", reason="content credentials need the extra credentials")

from hypothesis import given
from hypothesis import strategies as st

from credentials.keys import Issued, Wish, issue
from credentials.signed_files import account, film, packets, sound, source_of
from lipdub.credentials.local_key import local_certificates, local_key
from lipdub.credentials.manifest import (
    COMPOSITE_WITH_AI,
    MADE_BY_AI,
    Ingredient,
    joined,
    manifest,
    npt,
)
from lipdub.credentials.presence import bears_credentials
from lipdub.credentials.read import read_credentials, state_of
from lipdub.credentials.sign import media_type, sidecar_for, sign_beside, sign_into
from lipdub.credentials.signing_key import SigningKey, read_signing_key
from lipdub.errors import InputError, OptionError
from lipdub.timeline.time import Span

FILM = (".mp4", ".mov", ".m4v")


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    return issue(tmp_path / "keys")


@pytest.fixture
def key(issued: Issued) -> SigningKey:
    return read_signing_key(issued.key, issued.chain)


def signed(path: Path, key: SigningKey, *ingredients: Ingredient) -> Path:
    """A new film at ``path``, signed."""
    plain = film(path.with_stem("plain-" + path.stem), 2)
    sign_into(plain, path, media_type(path), account(*ingredients, title=path.name), key)
    assert packets(plain) == packets(path)
    return path


@pytest.mark.parametrize("suffix", FILM)
def test_a_film_says_who_changed_what_and_its_packets_stay(
    tmp_path: Path, key: SigningKey, issued: Issued, suffix: str
) -> None:
    made = signed(tmp_path / f"out{suffix}", key, source_of(film(tmp_path / "source.mp4", 1)))
    found = read_credentials(made)
    assert found is not None
    assert (found.state, found.beside, found.earlier) == ("untrusted", None, ())
    (one,) = found.credentials
    assert (one.signer, one.issuer, one.generator, one.title) == ("Studio Example", "Org", "lipdub 1.2.3", made.name)
    assert one.ingredients == (("source.mp4", "parentOf", ""),)
    assert [action.name for action in one.actions] == ["opened", "edited", "dubbed", "translated"]
    assert {action.when for action in one.actions} == {"2026-11-29T10:20:30Z"}
    edited, dubbed = one.actions[1:3]
    assert edited.spans == (("0.333333", "2.0"), ("3.0", "4.0"))
    assert edited.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert dubbed.source_type == "trainedAlgorithmicMedia"
    trusted = read_credentials(made, issued.root)
    assert trusted is not None
    assert (trusted.state, trusted.problems) == ("trusted", ())


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".m4a", ".mp3"])
def test_sound_alone_is_created_and_its_samples_stay(tmp_path: Path, key: SigningKey, suffix: str) -> None:
    plain, made = sound(tmp_path / f"plain{suffix}"), tmp_path / f"speech{suffix}"
    told = replace(account(title=made.name), changed=(), translated=False)
    sign_into(plain, made, media_type(made), told, key)
    assert packets(plain) == packets(made)
    found = read_credentials(made)
    assert found is not None
    assert [(one.name, one.source_type) for one in found.credentials[0].actions] == [
        ("created", "trainedAlgorithmicMedia")
    ]
    assert found.state == "untrusted"


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_a_film_that_cannot_hold_credentials_has_them_beside_it(
    tmp_path: Path, key: SigningKey, issued: Issued, suffix: str
) -> None:
    made = film(tmp_path / f"out{suffix}")
    before = made.read_bytes()
    beside = sidecar_for(made)
    assert beside == tmp_path / "out.c2pa"
    credential, unread = sign_beside(made, media_type(made), account(), key)
    assert unread == ()
    beside.write_bytes(credential)
    assert made.read_bytes() == before
    found = read_credentials(made, issued.root)
    assert found is not None
    assert (found.state, found.beside) == ("trusted", beside)
    damaged = bytearray(before)
    damaged[len(damaged) // 2] ^= 1
    made.write_bytes(damaged)
    assert_tampered(made, issued)


def assert_tampered(made: Path, issued: Issued) -> None:
    found = read_credentials(made, issued.root)
    assert found is not None
    assert found.state == "tampered"
    assert found.problems


@pytest.mark.parametrize("where", [0.3, 0.6, 0.95])
def test_one_changed_bit_is_found(tmp_path: Path, key: SigningKey, issued: Issued, where: float) -> None:
    made = signed(tmp_path / "out.mp4", key)
    content = bytearray(made.read_bytes())
    content[int(len(content) * where)] ^= 1
    made.write_bytes(content)
    assert_tampered(made, issued)


def test_a_changed_credential_is_found(tmp_path: Path, key: SigningKey, issued: Issued) -> None:
    made = signed(tmp_path / "out.mp4", key)
    content = made.read_bytes()
    assert content.count(b"lips were changed") == 1
    made.write_bytes(content.replace(b"lips were changed", b"lips are unchanged"[:17]))
    assert_tampered(made, issued)


def test_credentials_of_the_source_stay_in_the_chain(tmp_path: Path, key: SigningKey, issued: Issued) -> None:
    other = issue(tmp_path / "other", Wish("ps256", name="Camera"))
    source = signed(tmp_path / "source.mp4", read_signing_key(other.key, other.chain))
    first = signed(tmp_path / "first.mp4", key, source_of(source))
    second = signed(tmp_path / "second.mp4", key, source_of(first))
    found = read_credentials(second, issued.root)
    assert found is not None
    assert [one.signer for one in found.credentials] == ["Studio Example", "Studio Example", "Camera"]
    assert [one.title for one in found.credentials] == ["second.mp4", "first.mp4", "source.mp4"]
    for later, earlier in pairwise(found.credentials):
        assert later.ingredients[0][2] == earlier.id
    assert found.state == "trusted"


def test_a_source_that_was_tampered_with_is_told(tmp_path: Path, key: SigningKey, issued: Issued) -> None:
    source = signed(tmp_path / "source.mp4", key)
    content = bytearray(source.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    source.write_bytes(content)
    found = read_credentials(signed(tmp_path / "out.mp4", key, source_of(source)), issued.root)
    assert found is not None
    assert found.state == "trusted", "what was signed now is in order"
    assert any(code.endswith("mismatch") for code in found.earlier)


def test_credentials_beside_a_source_stay_in_the_chain(tmp_path: Path, key: SigningKey) -> None:
    source = film(tmp_path / "source.mkv", 3)
    credential, _ = sign_beside(source, media_type(source), account(title="source.mkv"), key)
    (tmp_path / "source.c2pa").write_bytes(credential)
    part = Ingredient(sound(tmp_path / "dub.wav"), "audio/wav", "componentOf", "dub track")
    found = read_credentials(signed(tmp_path / "out.mp4", key, source_of(source), part))
    assert found is not None
    assert [one.title for one in found.credentials] == ["out.mp4", "source.mkv"]
    assert found.earlier == ()
    assert [action.name for action in found.credentials[0].actions][:2] == ["opened", "placed"]
    source.write_bytes(source.read_bytes() + b"\0")
    found = read_credentials(signed(tmp_path / "again.mp4", key, source_of(source)))
    assert found is not None
    assert any(code.endswith("mismatch") for code in found.earlier)


@pytest.mark.parametrize("damage", ["beside", "inside", "boxes"])
def test_a_source_whose_credential_cannot_be_read_is_told_and_stops_nothing(
    tmp_path: Path, key: SigningKey, damage: str
) -> None:
    if damage == "beside":
        source = film(tmp_path / "source.mkv", 3)
        (tmp_path / "source.c2pa").write_bytes(b"nothing of the kind")
    else:
        source = signed(tmp_path / "source.mp4", key)
        content = source.read_bytes()
        at = content.index(b"jumb")
        broken = content[:at] + (bytes(60) if damage == "inside" else b"jumb\0\0\0\xffjumd") + content[at + 60 :]
        source.write_bytes(broken)
    made, plain = tmp_path / "out.mp4", film(tmp_path / "plain.mp4", 2)
    assert sign_into(plain, made, "video/mp4", account(source_of(source)), key) == (source.name,)
    found = read_credentials(made)
    assert found is not None
    assert (found.state, len(found.credentials)) == ("untrusted", 1)
    assert found.credentials[0].ingredients == ((source.name, "parentOf", ""),)
    assert packets(plain) == packets(made)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_not_utf8_are_written_as_escapes(tmp_path: Path, key: SigningKey) -> None:
    source = film(tmp_path / "source.mp4").rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    made = tmp_path / "out.mp4"
    told = replace(account(source_of(source), title=source.name), sound=f"the dub track {source.name}")
    sign_into(film(tmp_path / "plain.mp4"), made, "video/mp4", told, key)
    found = read_credentials(made)
    assert found is not None
    assert found.credentials[0].title == "caf\\udce9.mp4"
    assert found.credentials[0].ingredients[0][0] == "caf\\udce9.mp4"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_that_a_film_bears_credentials_is_seen_without_reading_them(
    tmp_path: Path, key: SigningKey, suffix: str
) -> None:
    made = film(tmp_path / f"film{suffix}")
    assert not bears_credentials(made)
    if suffix == ".mkv":
        (tmp_path / "film.c2pa").write_bytes(b"whatever")
    else:
        made = signed(tmp_path / f"signed{suffix}", key)
    assert bears_credentials(made)


@given(st.binary(max_size=80))
def test_damaged_boxes_bear_nothing_and_end(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        path.write_bytes(content)
        assert not bears_credentials(path)
        assert not bears_credentials(Path(folder) / "none.mp4")


def test_the_key_of_this_machine_is_trusted_by_its_own_certificates_only(tmp_path: Path, issued: Issued) -> None:
    made = signed(tmp_path / "out.mp4", local_key())
    states = [
        found.state for trust in (None, issued.root, local_certificates()) if (found := read_credentials(made, trust))
    ]
    assert states == ["untrusted", "untrusted", "trusted"]


def test_files_without_credentials_and_files_that_are_missing(tmp_path: Path, issued: Issued) -> None:
    assert read_credentials(film(tmp_path / "plain.mp4")) is None
    assert read_credentials(film(tmp_path / "plain.mkv")) is None
    (tmp_path / "text.txt").write_text("words")
    assert read_credentials(tmp_path / "text.txt") is None
    with pytest.raises(InputError, match="cannot be read"):
        read_credentials(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no certificate in it"):
        read_credentials(tmp_path / "plain.mp4", tmp_path / "text.txt")
    (tmp_path / "plain.c2pa").write_bytes(b"nothing")
    found = read_credentials(tmp_path / "plain.mkv")
    assert found is not None
    assert found.state == "tampered"


def test_only_known_file_types_can_be_signed(tmp_path: Path) -> None:
    assert sidecar_for(tmp_path / "a.MOV") is None
    for name in ("a.mpg", "a.txt", "a"):
        with pytest.raises(OptionError, match="cannot be signed"):
            sidecar_for(tmp_path / name)


def test_a_dub_track_of_the_user_is_not_called_synthetic() -> None:
    told = json.dumps(manifest(replace(account(source_of(Path("a.mp4"))), synthetic=None, translated=False)))
    assert COMPOSITE_WITH_AI in told
    assert MADE_BY_AI not in told
    assert "c2pa.translated" not in told


@pytest.mark.parametrize(
    ("state", "problems", "expected"),
    [
        ("Trusted", (), "trusted"),
        ("Valid", ("signingCredential.untrusted",), "untrusted"),
        # as the library told of a certificate that expired after the film was signed
        ("Invalid", ("signingCredential.untrusted", "signingCredential.expired"), "expired"),
        ("Invalid", ("signingCredential.expired", "assertion.bmffHash.mismatch"), "tampered"),
        ("Invalid", ("claimSignature.mismatch",), "tampered"),
        ("Invalid", ("signingCredential.invalid",), "invalid"),
        ("Valid", ("something.new",), "invalid"),
    ],
)
def test_what_is_wrong_decides_what_is_said(state: str, problems: tuple[str, ...], expected: str) -> None:
    assert state_of(state, problems) == expected


@given(st.fractions(0, 10**5))
def test_times_are_written_to_the_microsecond(seconds: Fraction) -> None:
    text = npt(seconds)
    assert abs(Fraction(text) - seconds) <= Fraction(1, 10**6)
    assert "e" not in text


@given(
    st.lists(st.tuples(st.fractions(0, 50), st.fractions(Fraction(1, 50), 5)), max_size=12),
    st.fractions(Fraction(1, 100), 1),
)
def test_joined_spans_cover_the_same_and_have_gaps(pairs: list[tuple[Fraction, Fraction]], gap: Fraction) -> None:
    spans = [Span(start, start + length) for start, length in pairs]
    out = joined(spans, gap)
    assert all(later.start - earlier.end >= gap for earlier, later in pairwise(out))
    assert all(any(one.start <= span.start and span.end <= one.end for one in out) for span in spans)
    assert {span.start for span in out} <= {span.start for span in spans}
    assert {span.end for span in out} <= {span.end for span in spans}
