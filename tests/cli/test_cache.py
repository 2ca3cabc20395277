"""``lipdub cache``: what is kept is shown, removed unless it is in use, and limited."""

import json
import os
import time
from pathlib import Path

import pytest

from lipdub.cli.doctor import examine
from lipdub.cli.main import app
from lipdub.errors import InputError, OptionError
from lipdub.studio.cache_size import USUAL, VARIABLE, cache_size, parse_size
from lipdub.studio.kept_work import kept
from lipdub.studio.session import open_session
from lipdub.studio.store import Store

DAY = 24 * 3600


def filled(size: int):
    """Something that fills a folder with a file of ``size`` bytes."""

    def make(folder: Path) -> None:
        (folder / "x").write_bytes(bytes(size))

    return make


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept work; the user's settings are in a folder of the test."""
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("lipdub.studio.cache_size.settings_file", lambda: tmp_path / "config" / "settings.json")
    return tmp_path / "cache" / "work"


@pytest.fixture
def kept_work(root: Path) -> Path:
    """Three entries: one of them was not used for ten days."""
    store = Store(root)
    for name in ("faces-1", "spoken-1", "spoken-2"):
        store.folder(name, filled(1_500_000))
    store.close()
    old = time.time() - 10 * DAY
    os.utime(root / "spoken-1", (old, old))
    return root


def run(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What a command prints on stdout."""
    capsys.readouterr()
    assert app(list(args), result_action="return_value", exit_on_error=False, print_error=False) == 0
    return capsys.readouterr().out


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.name.startswith("."))


def test_what_is_kept_is_shown(kept_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    using = Store(kept_work)
    using.folder("faces-1", lambda folder: None)
    told = json.loads(run(capsys, "cache", "--json"))
    assert (told["folder"], told["limit"], told["limit_from"]) == (str(kept_work), USUAL, "the default")
    assert [(row["kind"], row["folders"], row["in_use"]) for row in told["kinds"]] == [
        ("faces and studies of mouths", 1, 1),
        ("spoken lines", 2, 0),
    ]
    assert told["bytes"] == sum(row["bytes"] for row in told["kinds"]) > 4_500_000
    shown = run(capsys, "cache")
    assert "spoken lines" in shown
    assert "4.5 MB of 6.4 GB (limit: the default)" in shown
    using.close()


def test_nothing_is_kept_yet(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "0 kB of 6.4 GB" in run(capsys, "cache")
    assert run(capsys, "cache", "clear") == "0 folders removed, 0 kB\n"
    assert not root.exists()


def test_nothing_is_removed_unasked(kept_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match=r"nothing was removed \(3 folders, 4\.5 MB\)\. Add --yes"):
        run(capsys, "cache", "clear")
    assert len(names(kept_work)) == 3


def test_what_is_old_is_removed(kept_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "cache", "clear", "--older-than", "5", "--yes") == "1 folders removed, 1.5 MB\n"
    assert names(kept_work) == ["faces-1", "spoken-2"]
    with pytest.raises(OptionError, match="no number of days"):
        run(capsys, "cache", "clear", "--older-than", "-5", "--yes")


def test_what_is_in_use_stays(kept_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_session() as session:
        session.store.folder("spoken-1", lambda folder: None)
        shown = run(capsys, "cache", "clear", "-y")
        assert shown == "2 folders removed, 3.0 MB\n1 folders stay, 1.5 MB: running dubs use them\n"
        assert names(kept_work) == ["spoken-1"]
        told = json.loads(run(capsys, "cache", "clear", "-y", "--json"))
        assert (told["removed"], told["in_use"]) == (0, 1)
    run(capsys, "cache", "clear", "-y")
    assert names(kept_work) == []
    assert not list(kept_work.glob(".run-*"))


def test_the_limit_is_set_and_holds(
    kept_work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "2.0 MB" in run(capsys, "cache", "limit", "2MB")
    assert json.loads(run(capsys, "cache", "limit", "--json"))["limit"] == 2_000_000
    assert "of 2.0 MB, limit:" in examine()["cache"]
    with open_session() as session:
        session.store.folder("words-1", filled(3))
    assert sum(entry.size for entry in kept(kept_work)) < 2_000_000
    monkeypatch.setenv(VARIABLE, "20 GiB")
    assert cache_size().bytes == 20 * 1024**3
    assert f"(limit: {VARIABLE})" in run(capsys, "cache", "limit", "3MB")


@pytest.mark.parametrize(
    ("text", "size"), [("20GB", 20 * 10**9), ("1.5 g", 1_500_000_000), ("6GiB", 6 * 1024**3), ("100", 100)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "it") == size


@pytest.mark.parametrize("text", ["", "0", "GB", "-1GB", "1 parsec", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(OptionError, match="is no size"):
        parse_size(text, "it")


def test_settings_that_are_damaged(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").mkdir()
    for text in ("{", "[]", '{"cache_size": "a"}', '{"cache_size": -1}'):
        (tmp_path / "config" / "settings.json").write_text(text)
        with pytest.raises(InputError, match=r"settings\.json: the settings are damaged.*lipdub cache limit"):
            cache_size()
        assert any("the settings are damaged" in line for line in examine()["advice"])
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(OptionError, match=f"{VARIABLE}: 'much' is no size"):
        cache_size()
