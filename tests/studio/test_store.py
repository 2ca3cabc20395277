"""Work is done once, and only complete work is kept."""

import errno
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from lipdub.errors import InputError, OutputError
from lipdub.studio.inputs import Inputs
from lipdub.studio.kept_work import kept, make_room
from lipdub.studio.session import open_session, reopened
from lipdub.studio.store import Store, content_digest, key


def written(text: str):
    """Something that makes a folder with one file."""

    def make(folder: Path) -> None:
        (folder / "result").write_text(text)

    return make


def never(folder: Path) -> None:
    raise AssertionError("it was there already")


def entries(root: Path) -> list[str]:
    """What is kept below ``root``, and what is left of what was to be kept."""
    return sorted(path.name for path in root.iterdir() if not path.name.startswith((".run-", ".lock")))


def test_work_is_done_once(tmp_path: Path) -> None:
    store, runs = Store(tmp_path), []

    def make(folder: Path) -> None:
        runs.append(1)
        written("done")(folder)

    first, second = store.folder("a", make), store.folder("a", make)
    assert first == second == Store(tmp_path).folder("a", never)
    assert (first / "result").read_text() == "done"
    assert len(runs) == 1


def test_failed_work_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def make(folder: Path) -> None:
        (folder / "half").write_text("...")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        store.folder("a", make)
    assert entries(tmp_path) == []


def test_a_run_that_is_over_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder("a", written("done"))
    assert len(list(tmp_path.glob(".run-*"))) == 1
    store.close()
    assert not list(tmp_path.glob(".run-*"))
    forgotten = Store(tmp_path)
    forgotten.folder("a", never)
    del forgotten
    assert not list(tmp_path.glob(".run-*"))


def test_a_disk_that_refuses_is_a_users_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match=r"cannot be kept there: a part of its path is a file.*LIPDUB_CACHE"):
        Store(blocked / "below").folder("a", lambda folder: None)


def test_a_disk_that_is_gone_is_a_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that the cache lies in is not there, and cannot be made."""

    def gone(self: Path, *_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(tmp_path / "disk"))

    monkeypatch.setattr(Path, "mkdir", gone)
    with pytest.raises(OutputError, match=r"work: working files cannot be kept there.*LIPDUB_CACHE"):
        Store(tmp_path / "disk" / "cache" / "work").folder("a", lambda folder: None)


def test_keys_depend_on_every_part(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert content_digest(file).startswith("ba7816bf")
    assert key(1, "a") != key(1, "b") != key(2, "b")
    assert key(1, "a") == key(1, "a")


@dataclass(frozen=True)
class Options:
    names: frozenset[str]
    where: Path = Path("a")
    long: Fraction = Fraction(1, 3)


def test_keys_are_the_same_in_every_process() -> None:
    """Sets are in another order in every process, and an object without a stable form has no key at all."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom test_store import *\n"
        "print(key(Options(frozenset(map(str, range(20)))), {'b': 1, 'a': (Path('x'), Fraction(1, 2))}))"
    )
    here = [sys.executable, "-c", program, str(Path(__file__).parent)]
    told = {
        subprocess.run(here, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert key(Options(frozenset("ab"))) != key(Options(frozenset("ac")))
    assert key(Options(frozenset("ab"))) != key(Options(frozenset("ab"), Path("b")))
    with pytest.raises(AssertionError, match="another run"):
        key(object())


def test_two_runs_may_do_the_same_work(tmp_path: Path) -> None:
    first, second = Store(tmp_path), Store(tmp_path)

    def slow(folder: Path) -> None:
        second.folder("a", written("done"))
        written("done later")(folder)

    assert (first.folder("a", slow) / "result").read_text() == "done"
    assert entries(tmp_path) == ["a"]


class TestPruning:
    """What is not used goes when there is no room, and never what a living run uses."""

    def test_old_work_beyond_the_limit_goes(self, tmp_path: Path) -> None:
        store = Store(tmp_path, limit=10)
        old = store.folder("old", written("0" * 100))
        os.utime(old, (1, 1))
        store.close()
        new = Store(tmp_path, limit=10).folder("new", written("0" * 100))
        assert new.exists()
        assert not old.exists()
        assert entries(tmp_path) == ["new"]

    def test_what_a_living_run_used_stays_however_long_ago(self, tmp_path: Path) -> None:
        """A dub of hours: what it used at its start is used at its end again."""
        mine = Store(tmp_path, limit=10)
        used = mine.folder("used", written("0" * 100))
        run = next(tmp_path.glob(".run-*"))
        other = Store(tmp_path, limit=10**6)
        other.folder("unused", written("0" * 100))
        other.close()
        for path in (run, used):
            os.utime(path, (1, 1))
        Store(tmp_path, limit=10).folder("new", written("0" * 100))
        assert entries(tmp_path) == ["new", "used"]
        mine.close()
        Store(tmp_path, limit=10).folder("newer", written("0" * 100))
        assert "used" not in entries(tmp_path)

    def test_work_that_is_only_used_counts_as_used(self, tmp_path: Path) -> None:
        Store(tmp_path).folder("a", written("0" * 100))
        os.utime(tmp_path / "a", (1, 1))
        living = Store(tmp_path)
        living.folder("a", never)
        Store(tmp_path, limit=10).folder("b", written("0" * 100))
        assert entries(tmp_path) == ["a", "b"]

    def test_clocks_do_not_matter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A week later, or after the clock was set back or forth, a lease holds what it held."""
        mine = Store(tmp_path, limit=10)
        mine.folder("used", written("0" * 100))
        for shift in (30 * 24 * 3600, -30 * 24 * 3600):
            moved = time.time() + shift
            monkeypatch.setattr("time.time", lambda moved=moved: moved)
            other = Store(tmp_path, limit=10)
            other.folder(f"{shift}", written("0" * 100))
            other.close()
            monkeypatch.undo()
        assert "used" in entries(tmp_path)

    def test_what_is_in_use_may_exceed_the_limit_and_that_is_told_once(self, tmp_path: Path) -> None:
        said: list[str] = []
        mine = Store(tmp_path, limit=10, say=said.append)
        for name in "abc":
            mine.folder(name, written("0" * 100))
        assert entries(tmp_path) == ["a", "b", "c"]
        assert len(said) == 1
        assert "more than the limit of the cache" in said[0]
        assert mine.notes == said
        mine.close()
        enough = Store(tmp_path, limit=10**6, say=said.append)
        enough.folder("d", written("0" * 100))
        assert len(said) == 1
        assert entries(tmp_path) == ["a", "b", "c", "d"]

    def test_newer_work_makes_room_before_work_in_use_does(self, tmp_path: Path) -> None:
        mine = Store(tmp_path, limit=10**6)
        os.utime(mine.folder("used", written("0" * 1000)), (1, 1))
        other = Store(tmp_path, limit=10**6)
        other.folder("unused", written("0" * 1000))
        other.close()
        room = make_room(tmp_path, 2000, mine._begin())
        assert entries(tmp_path) == ["used"]
        assert 1000 < room < 2000

    def test_a_lease_that_somebody_removed_is_made_again(self, tmp_path: Path) -> None:
        mine = Store(tmp_path, limit=10**6)
        mine.folder("used", written("0" * 100))
        next(tmp_path.glob(".run-*")).unlink()
        mine.folder("other", written("0" * 100))
        Store(tmp_path, limit=10).folder("new", written("0" * 100))
        assert entries(tmp_path) == ["new", "other", "used"]

    def test_a_whole_cache_that_somebody_removed_is_made_again(self, tmp_path: Path) -> None:
        root = tmp_path / "cache"
        mine = Store(root)
        mine.folder("used", written("0"))
        shutil.rmtree(root)
        assert (mine.folder("used", written("1")) / "result").read_text() == "1"
        assert mine.held == ("used",)
        mine.close()
        assert mine.held == ()

    def test_thousands_of_folders_are_not_looked_at_for_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, views = Store(tmp_path), []
        monkeypatch.setattr("lipdub.studio.store.make_room", lambda root, limit, aside: views.append(root) or 0)
        before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
        for number in range(50):
            store.folder(f"{number}", written("y"))
            store.folder(f"{number}", never)
        assert len(views) == 1
        if before:
            assert len(os.listdir("/proc/self/fd")) <= before + 2, "no entry holds a file open"


HOLDING = """
import sys
from pathlib import Path
from lipdub.studio.store import Store
store = Store(Path(sys.argv[1]), limit=10, say=lambda line: None)
store.folder(sys.argv[2], lambda folder: (folder / "result").write_text("0" * 100) and None)
print("holding", flush=True)
sys.stdin.read()
assert (store.root / sys.argv[2] / "result").read_text() == "0" * 100
"""


def holding(root: Path, name: str) -> "subprocess.Popen[bytes]":
    """A process that uses the entry ``name``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(root), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"holding\n"
    return process


def test_what_another_process_uses_stays_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    one, two = holding(tmp_path, "one"), holding(tmp_path, "two")
    for name in ("one", "two"):
        os.utime(tmp_path / name, (1, 1))
    mine = Store(tmp_path, limit=10, say=lambda line: None)
    mine.folder("mine", written("0" * 100))
    assert entries(tmp_path) == ["mine", "one", "two"]
    two.kill()
    two.communicate()
    assert make_room(tmp_path, 10, mine._begin()) > 10
    assert entries(tmp_path) == ["mine", "one"], "the lease of a killed process is free"
    assert len(list(tmp_path.glob(".run-*"))) == 2
    one.communicate(b"")
    assert one.returncode == 0
    make_room(tmp_path, 10, mine._begin())
    assert entries(tmp_path) == ["mine"]


def test_workers_hold_what_their_run_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))
    with open_session() as first:
        first.store.folder("a", written("done"))
        spec = first.spec
        assert spec.held == ("a",)
        again = reopened(spec)
        worker = again.__enter__()
    assert [entry.in_use for entry in kept(tmp_path / "work")] == [True]
    assert worker.store.held == ("a",)
    again.__exit__(None, None, None)
    assert [entry.in_use for entry in kept(tmp_path / "work")] == [False]


KILLED = """
import os, sys
from pathlib import Path
from lipdub.studio.store import Store
def make(folder):
    (folder / "half").write_text("...")
    print("making", flush=True)
    sys.stdin.read()
Store(Path(sys.argv[1])).folder("a", make)
"""


def half_done(root: Path) -> "subprocess.Popen[bytes]":
    """A process in the middle of making an entry."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"making\n"
    return process


def test_what_a_killed_run_left_goes_at_once_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    living, killed = half_done(tmp_path), half_done(tmp_path)
    assert len(entries(tmp_path)) == 2
    killed.kill()
    killed.communicate()
    Store(tmp_path).folder("b", written("done"))
    left = entries(tmp_path)
    assert len(left) == 2
    assert left[1] == "b"
    assert (tmp_path / left[0] / "half").exists()
    living.communicate(b"")
    assert living.returncode == 0
    assert entries(tmp_path) == ["a", "b"]
    assert not list(tmp_path.glob(".run-*"))


RUN = """
import random, sys
from pathlib import Path
from lipdub.studio.kept_work import make_room
from lipdub.studio.store import Store
root, seed = Path(sys.argv[1]), int(sys.argv[2])
dice, made = random.Random(seed), []
def say(line):
    assert "damaged" not in line, line
for _ in range(12):
    store, used = Store(root, limit=20_000, say=say), {}
    for _ in range(12):
        name = f"entry-{dice.randrange(12)}"
        def make(folder):
            made.append(name)
            (folder / "one").write_bytes(name.encode() * 100)
            (folder / "two").write_bytes(name.encode() * 200)
        used[name] = store.folder(name, make)
        if dice.random() < 0.1:
            make_room(root, 0, store._begin())
        for known, folder in used.items():
            assert (folder / "one").read_bytes() == known.encode() * 100, known
            assert (folder / "two").read_bytes() == known.encode() * 200, known
    store.close()
print(len(made))
"""


def test_processes_beside_each_other_make_use_and_prune(tmp_path: Path) -> None:
    """What one uses is there as long as it lives, whole, whatever the others remove."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for seed in range(3)
    ]
    ended = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert [(told.decode(), code) for _, told, code in ended] == [("", 0)] * 3
    assert sum(int(out) for out, _, _ in ended) > 12, "what was pruned was made again"
    assert all(not name.startswith(".") for name in entries(tmp_path))
    assert not list(tmp_path.glob(".run-*"))


class TestCauses:
    """An error names what it concerns: the input, the cache or the folder of temporary files."""

    @pytest.mark.parametrize(
        ("error", "what"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
            (OSError(errno.EDQUOT, "Quota exceeded"), "quota"),
            (OSError("4096 requested and 12 written"), "the disk is full"),
        ],
    )
    def test_a_full_cache(self, tmp_path: Path, error: OSError, what: str) -> None:
        def make(folder: Path) -> None:
            raise error

        with pytest.raises(OutputError, match=rf"{what}.*LIPDUB_CACHE") as told:
            Store(tmp_path / "cache").folder("a", make)
        assert told.value.file == tmp_path / "cache"
        with pytest.raises(OutputError, match=rf"{what}.*TMPDIR"):
            Store(tmp_path / "cache", temporary=True).folder("a", make)

    def test_a_file_that_could_not_be_written_into_the_cache(self, tmp_path: Path) -> None:
        def make(folder: Path) -> None:
            raise OutputError("cannot be written: the disk is full", file=folder / "a.wav", remedy="Free some space")

        with pytest.raises(OutputError, match=r"kept there: the disk is full\. .*LIPDUB_CACHE") as told:
            Store(tmp_path / "cache").folder("a", make)
        assert told.value.file == tmp_path / "cache"

        def elsewhere(folder: Path) -> None:
            raise OutputError("cannot be written: the disk is full", file=tmp_path / "a.wav")

        with pytest.raises(OutputError, match=r"a\.wav: cannot be written"):
            Store(tmp_path / "cache").folder("a", elsewhere)

    def test_an_input_that_cannot_be_read(self, tmp_path: Path) -> None:
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(b"clip")
        inputs = Inputs()
        inputs.watch([clip])

        def make(folder: Path) -> None:
            raise OSError(errno.EIO, "Input/output error", str(clip))

        with pytest.raises(InputError, match=r"clip\.mp4: cannot be read: the disk or the connection"):
            Store(tmp_path / "cache", inputs=inputs).folder("a", make)

    def test_ffmpeg_names_no_file_where_reading_breaks_off(self, tmp_path: Path) -> None:
        from av.error import OSError as FFmpegOSError

        clip = tmp_path / "clip.mp4"
        clip.write_bytes(b"clip")
        inputs = Inputs()
        inputs.watch([clip])

        def make(folder: Path) -> None:
            raise FFmpegOSError(errno.EIO, "Input/output error")

        with pytest.raises(InputError, match=r"clip\.mp4: cannot be read: the disk or the connection"):
            Store(tmp_path / "cache", inputs=inputs).folder("a", make)

    def test_a_full_folder_of_temporary_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

        def make(folder: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "temporary" / "lipdub-x" / "a.wav"))

        with pytest.raises(OutputError, match=r"temporary: .*the disk is full.*TMPDIR"):
            Store(tmp_path / "cache").folder("a", make)

    def test_a_real_limit_on_the_size_of_files(self, tmp_path: Path) -> None:
        program = (
            "import resource, sys, signal, numpy as np\nfrom pathlib import Path\n"
            "from lipdub.errors import OutputError\nfrom lipdub.studio.store import Store\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "try: Store(Path(sys.argv[1])).folder('a', lambda f: np.save(f / 'big.npy', np.zeros(9999)))\n"
            "except OutputError as told: print(told)"
        )
        here = [sys.executable, "-c", program, str(tmp_path)]
        told = subprocess.run(here, capture_output=True, text=True, check=True).stdout
        assert "cannot be kept there" in told
        assert entries(tmp_path) == []
