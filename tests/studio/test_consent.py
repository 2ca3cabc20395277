"""Records of consent are never lost: not to damage, not to other runs, not to other versions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lipdub.errors import OptionError
from lipdub.studio.preflight.consent import ensure_consent, kept_consent

ONE, TWO = "1" * 64, "2" * 64
RECORD = {"clip": "old.mp4", "when": "2025-01-01T00:00:00+00:00", "how": "stated when asked"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))
    return tmp_path


def agree(clip: str) -> None:
    """Somebody who says yes."""


def refuse(clip: str) -> None:
    raise OptionError("the people did not agree")


def test_a_clip_is_asked_for_once() -> None:
    first = ensure_consent(Path("a.mp4"), ONE, False, agree)
    assert first["how"] == "stated when asked"
    assert ensure_consent(Path("a.mp4"), ONE, False, refuse) == first
    with pytest.raises(OptionError):
        ensure_consent(Path("b.mp4"), TWO, False, refuse)
    assert kept_consent(TWO) is None


def test_records_of_earlier_versions_are_read_and_stay(home: Path) -> None:
    book = home / "consent.json"
    book.write_text(json.dumps({ONE: RECORD}))
    assert ensure_consent(Path("a.mp4"), ONE, False, refuse) == RECORD
    ensure_consent(Path("b.mp4"), TWO, True, refuse)
    assert json.loads(book.read_text()) == {ONE: RECORD}
    assert kept_consent(TWO) is not None


@pytest.mark.parametrize("damage", ["", '{"1', "[]", "\0" * 40, "\udcff"], ids=repr)
def test_damaged_records_are_put_aside_and_said(home: Path, damage: str) -> None:
    book, said = home / "consent.json", []
    garbled = damage.encode("utf-8", "surrogateescape")
    for number in (1, 2):
        book.write_bytes(garbled)
        assert kept_consent(ONE, said.append) is None
        assert (home / f"consent.json.damaged-{number}").read_bytes() == garbled
        assert not book.exists()
    assert "kept as consent.json.damaged-1" in said[0]
    assert ensure_consent(Path("a.mp4"), ONE, True, refuse)["clip"] == "a.mp4"
    own = home / "consent" / f"{ONE}.json"
    own.write_bytes(garbled)
    assert kept_consent(ONE, said.append) is None
    assert own.with_name(f"{ONE}.json.damaged-1").read_bytes() == garbled
    assert ensure_consent(Path("a.mp4"), ONE, True, refuse)["clip"] == "a.mp4"
    assert kept_consent(ONE) is not None


def test_records_that_may_not_be_read_are_left_as_they_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, said = home / "consent.json", []
    book.write_text(json.dumps({ONE: RECORD}))
    real = Path.read_text

    def denied(self: Path, *args, **more):
        if self == book:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **more)

    monkeypatch.setattr(Path, "read_text", denied)
    assert kept_consent(ONE, said.append) is None
    assert "Permission denied" in said[0]
    ensure_consent(Path("a.mp4"), ONE, True, refuse)
    monkeypatch.undo()
    assert json.loads(book.read_text()) == {ONE: RECORD}


RUN = """
import sys
from pathlib import Path
from lipdub.studio.preflight.consent import ensure_consent
for number in range(30):
    ensure_consent(Path("clip.mp4"), f"{sys.argv[1]}{number:063d}", True, print)
"""


def test_runs_at_once_lose_nothing_of_each_others(home: Path) -> None:
    runs = [subprocess.Popen([sys.executable, "-c", RUN, str(n)]) for n in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert all(kept_consent(f"{n}{number:063d}") for n in range(3) for number in range(30))


def test_a_record_that_cannot_be_kept_is_given_all_the_same(home: Path) -> None:
    (home / "consent").write_text("a file in its way")
    assert ensure_consent(Path("a.mp4"), ONE, True, refuse)["how"] == "stated by flag"
    assert kept_consent(ONE) is None
