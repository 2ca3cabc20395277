"""The command verify: what it prints, and how it ends."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documented import ROOT

pytest.importorskip("c2pa", reason="content credentials need the extra credentials (c2pa-python)")
pytest.importorskip("cryptography", reason="content credentials need the extra credentials (cryptography)")

from credentials.keys import Issued, issue
from credentials.signed_files import account, film, source_of
from lipdub.cli.doctor import credentials_finding
from lipdub.cli.main import app
from lipdub.credentials.local_key import local_key
from lipdub.credentials.sign import sign_into
from lipdub.credentials.signing_key import read_signing_key
from lipdub.errors import InputError, MissingExtra


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_CONFIG", str(tmp_path / "settings"))
    for name in ("LIPDUB_SIGN_KEY", "LIPDUB_SIGN_CERT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    return issue(tmp_path / "keys")


@pytest.fixture
def signed(tmp_path: Path, issued: Issued) -> Path:
    """A film that was dubbed from one that was signed by this machine."""
    source, plain = tmp_path / "source.mp4", film(tmp_path / "plain.mp4", 1)
    sign_into(plain, source, "video/mp4", account(title="source.mp4"), local_key())
    made = tmp_path / "talk.es.mp4"
    sign_into(plain, made, "video/mp4", account(source_of(source)), read_signing_key(issued.key, issued.chain))
    return made


def run(*words: object) -> int:
    """The exit code of a command; errors are raised."""
    return app(list(map(str, words)), result_action="return_value", exit_on_error=False, print_error=False)


def test_it_says_who_when_and_what(signed: Path, issued: Issued, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", signed, "--trust", issued.root) == 0
    told = capsys.readouterr().out
    for part in ("valid and trusted", "'Studio Example' (Org)", "lipdub 1.2.3", "source.mp4 (the source)"):
        assert part in told
    assert "2026-11-29T10:20:30Z edited (0.333333-2.0 s, 3.0-4.0 s): lips were changed" in told
    assert "before that, the credentials of source.mp4:" in told
    assert run("verify", signed) == 0
    assert "valid, not trusted" in capsys.readouterr().out


def test_it_refuses_what_is_not_in_order(
    signed: Path, tmp_path: Path, issued: Issued, capsys: pytest.CaptureFixture[str]
) -> None:
    other = issue(tmp_path / "other")
    with pytest.raises(InputError, match="do not vouch"):
        run("verify", signed, "--trust", other.root)
    content = bytearray(signed.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    signed.write_bytes(content)
    with pytest.raises(InputError, match="tampered"):
        run("verify", signed, "--trust", issued.root)
    assert "mismatch" in capsys.readouterr().out
    with pytest.raises(InputError, match="no content credentials"):
        run("verify", tmp_path / "plain.mp4")
    with pytest.raises(InputError, match="there is no such file"):
        run("verify", tmp_path / "nothing.mp4")


def test_it_prints_json(signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", signed, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["mark"], len(told["credentials"])) == ("untrusted", "", 2)
    assert told["credentials"][0]["actions"][1]["spans"] == [["0.333333", "2.0"], ["3.0", "4.0"]]
    with pytest.raises(InputError):
        run("verify", tmp_path / "plain.mp4", "--json")
    assert json.loads(capsys.readouterr().out)["state"] == "none"


def test_without_credentials_or_packages_the_mark_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import av

    with av.open(str(tmp_path / "marked.mkv"), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        out.metadata["SYNTHETIC_MEDIA"] = "AI-dubbed: by a test"
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
    with pytest.raises(InputError, match="no content credentials"):
        run("verify", tmp_path / "marked.mkv")
    assert "AI-dubbed: by a test" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(MissingExtra, match="not installed"):
        run("verify", tmp_path / "marked.mkv")
    assert "AI-dubbed: by a test" in capsys.readouterr().out
    assert "cannot be made" in credentials_finding()
    assert "lipdub[credentials]" in credentials_finding()


def test_doctor_tells_which_key_would_sign_and_makes_none(
    tmp_path: Path, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "makes a key for this machine" in credentials_finding()
    assert not (tmp_path / "settings").exists()
    local_key()
    assert "signed by the key of this machine (not trusted)" in credentials_finding()
    monkeypatch.setenv("LIPDUB_SIGN_KEY", str(issued.key))
    assert "cannot be made" in credentials_finding()
    monkeypatch.setenv("LIPDUB_SIGN_CERT", str(issued.chain))
    assert "signed by 'Studio Example' (es256)" in credentials_finding()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_key_that_the_documents_make_can_sign(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "disclosure.md").read_text(encoding="utf-8")
    commands = text.split("```text\n")[1].split("```")[0]
    environment = {**os.environ, "RANDFILE": str(tmp_path / "random")}
    subprocess.run(["bash", "-ec", commands], cwd=tmp_path, check=True, capture_output=True, env=environment)
    key = read_signing_key(tmp_path / "studio-key.pem", tmp_path / "studio-chain.pem")
    made = tmp_path / "made.mp4"
    sign_into(film(tmp_path / "plain.mp4"), made, "video/mp4", account(), key)
    assert run("verify", made, "--trust", tmp_path / "authority.pem") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [((), False), (("--label",), True), (("--label", "Hecho con IA"), "Hecho con IA"), (("--no-label",), False)],
)
def test_a_label_stands_with_a_text_or_without(words: tuple[str, ...], expected: str | bool) -> None:
    given = ["dub", "a.mp4", "--audio", "b.wav", "-o", "c.mp4", *words, "--credentials"]
    _, bound, _ = app.parse_args(given, exit_on_error=False, print_error=False)
    options = bound.arguments["options"]
    assert (options.label, options.credentials) == (expected, True)


def test_a_label_is_part_of_what_would_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = film(tmp_path / "source.mp4")
    command = ("dub", source, "--line", "Hola.", "--to", "es", "-o", tmp_path / "out.mkv", "--dry-run", "--credentials")
    with pytest.raises(InputError, match="too long for a picture"):
        run(*command, "--label")
    assert run(*command) == 0
    assert "would be signed with content credentials, in" in capsys.readouterr().out
    assert not (tmp_path / "settings").exists()
    assert not list(tmp_path.glob("out*"))
