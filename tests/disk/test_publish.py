"""Outputs appear complete, together and last; nothing that stands there is replaced unasked."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lipdub.disk import publish
from lipdub.disk.lock_file import create_locked, is_locked
from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import Outputs, atomic_output, check_output_path, remove_leftovers, write_text
from lipdub.disk.temporary_folder import remove_abandoned_temporary_folders, temporary_folder
from lipdub.errors import OutputError

NAMES = ("film.mp4", "film.report.json", "film.srt")


def hidden(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".lipdub")]


def begun(outputs: Outputs, folder: Path) -> None:
    for name in NAMES:
        outputs.part(folder / name).path.write_text("new " + name)


def test_nothing_stands_under_its_name_before_all_is_published(tmp_path):
    with Outputs() as outputs:
        begun(outputs, tmp_path)
        assert not any((tmp_path / name).exists() for name in NAMES)
        outputs.publish()
    assert [(tmp_path / name).read_text() for name in NAMES] == ["new " + name for name in NAMES]
    assert hidden(tmp_path) == []


def test_the_first_that_was_begun_appears_last(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(publish, "_publish_new", lambda part: order.append(part.target.name))
    with Outputs() as outputs:
        begun(outputs, tmp_path)
        outputs.publish()
    assert order == list(reversed(NAMES))


@pytest.mark.parametrize("taken", NAMES)
def test_a_name_taken_meanwhile_is_never_replaced_and_nothing_is_published(tmp_path, taken):
    with Outputs() as outputs:
        begun(outputs, tmp_path)
        (tmp_path / taken).write_text("somebody else's")
        with pytest.raises(OutputError, match="meanwhile"):
            outputs.publish()
    assert os.listdir(tmp_path) == [taken]
    assert (tmp_path / taken).read_text() == "somebody else's"


def test_a_name_taken_by_a_link_to_nowhere_is_refused(tmp_path):
    (tmp_path / "film.mp4").symlink_to(tmp_path / "nowhere")
    with Outputs() as outputs, pytest.raises(OutputError, match="exists"):
        outputs.part(tmp_path / "film.mp4")
    assert not (tmp_path / "nowhere").exists()


def test_when_one_cannot_be_replaced_the_old_ones_stand_still(tmp_path, monkeypatch):
    for name in NAMES:
        (tmp_path / name).write_text("old " + name)
    replace = os.replace

    def failing(source, target):
        if Path(target).name == NAMES[0] and Path(source).read_text().startswith("new"):
            raise OSError(errno.EIO, "broken")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with Outputs(overwrite=True) as outputs:
        begun(outputs, tmp_path)
        with pytest.raises(OutputError, match="I/O"):
            outputs.publish()
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)
    assert [(tmp_path / name).read_text() for name in NAMES] == ["old " + name for name in NAMES]


def test_a_file_can_be_written_anew_before_it_is_published(tmp_path):
    with Outputs() as outputs:
        begun(outputs, tmp_path)
        part = outputs.part(tmp_path / "more.txt")
        part.write_bytes(b"first")
        first = part.path
        new = outputs.rewrite(first, lambda path: path.write_bytes(first.read_bytes() + b" and second"))
        assert (part.path, outputs.pending(new), outputs.pending(first)) == (new, part, None)
        assert is_locked(new)
        assert len(hidden(tmp_path)) == len(NAMES) + 1
        with pytest.raises(ZeroDivisionError):
            outputs.rewrite(new, lambda path: 1 / 0)
        with pytest.raises(OutputError, match="I/O"):
            outputs.rewrite(new, lambda path: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        assert len(hidden(tmp_path)) == len(NAMES) + 1
        outputs.publish()
    assert (tmp_path / "more.txt").read_bytes() == b"first and second"
    assert hidden(tmp_path) == []


def test_overwriting_leaves_nothing_behind(tmp_path):
    (tmp_path / "film.mp4").write_text("old")
    with Outputs(overwrite=True) as outputs:
        begun(outputs, tmp_path)
        assert (tmp_path / "film.mp4").read_text() == "old"
        outputs.publish()
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)
    assert (tmp_path / "film.mp4").read_text() == "new film.mp4"


def test_a_disk_without_hard_links_is_served_exclusively_too(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    with atomic_output(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"
    with pytest.raises(OutputError), atomic_output(tmp_path / "a.txt") as part:
        pass
    with atomic_output(tmp_path / "a.txt", overwrite=True) as part:
        part.write_text("newer")
    assert (tmp_path / "a.txt").read_text() == "newer"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_that_waits_under_a_guessed_name_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for guess in (f".film.{os.getpid()}.part", f".film.mp4.{os.getpid()}.part", f".film.mp4.{os.getpid()}.partial"):
        (tmp_path / guess).symlink_to(precious)
    write_text(tmp_path / "film.mp4", "new")
    assert precious.read_text() == "mine"


def test_permissions_are_those_the_user_asks_for(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_an_input_is_never_an_output_by_whatever_name(tmp_path):
    script = tmp_path / "talk.srt"
    script.write_text("words")
    os.link(script, tmp_path / "hard.srt")
    (tmp_path / "soft.srt").symlink_to(script)
    for name in ("talk.srt", "hard.srt", "soft.srt"):
        with pytest.raises(OutputError, match="one of the inputs"):
            check_output_path(tmp_path / name, [script], overwrite=True)


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "é" * 130 + ".mp4"])
def test_names_too_long_for_the_disk_are_refused_in_a_sentence(tmp_path, name):
    with pytest.raises(OutputError, match="too long"):
        check_output_path(tmp_path / name)


def test_a_stem_as_long_as_the_disk_allows_can_be_written(tmp_path):
    write_text(tmp_path / ("x" * 251 + ".mp4"), "ok")


def test_leftovers_of_killed_runs_go_and_those_of_living_ones_stay(tmp_path):
    made = "from lipdub.disk.publish import Outputs; from pathlib import Path; import sys, os\n"
    made += "o = Outputs(); o.part(Path(sys.argv[1]) / 'film.mp4'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", made, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (left,) = hidden(tmp_path)
        assert is_locked(tmp_path / left)
        remove_leftovers(tmp_path)
        assert hidden(tmp_path) == [left]
        other.kill()
        other.wait()
        (tmp_path / ".lipdub-notes").write_text("the user's")
        remove_leftovers(tmp_path)
    assert hidden(tmp_path) == [".lipdub-notes"]


def test_temporary_folders_of_killed_runs_go_and_those_of_living_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    long_ago = time.time() - 3600
    dead = tmp_path / "lipdub-work-dead"
    dead.mkdir()
    create_locked(dead, ".held-").release()
    (tmp_path / "lipdub-of-the-user").mkdir()
    with temporary_folder() as mine:
        (mine / "big").write_text("x")
        for folder in tmp_path.iterdir():
            os.utime(folder, (long_ago, long_ago))
        remove_abandoned_temporary_folders(tmp_path)
        assert {f.name for f in tmp_path.iterdir()} == {mine.name, "lipdub-of-the-user"}
    assert [f.name for f in tmp_path.iterdir()] == ["lipdub-of-the-user"]


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "full"), (errno.EFBIG, "limit"), (errno.EACCES, "permission"), (errno.EROFS, "read-only")],
)
def test_errors_of_the_system_are_told_as_they_are(number, says):
    assert says in cause_of(OSError(number, "whatever")).what


def test_memory_and_names_are_causes_of_their_own():
    assert "memory" in cause_of(MemoryError()).what
    assert "name" in cause_of(UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates")).what
    assert cause_of(ValueError("a b")).what == "a b"


def test_removing_leftovers_never_takes_a_file_that_is_being_written(tmp_path):
    """Four processes make files and sweep those of the dead; every one finds its own file until it lets go."""
    work = "import sys; from pathlib import Path; from lipdub.disk.publish import Outputs, remove_leftovers\n"
    work += "folder, me = Path(sys.argv[1]), sys.argv[2]\n"
    work += "for n in range(150):\n"
    work += "    with Outputs() as o:\n"
    work += "        part = o.part(folder / f'{me}-{n}'); remove_leftovers(folder)\n"
    work += "        assert part.path.exists(); o.publish()\n"
    others = [subprocess.Popen([sys.executable, "-c", work, str(tmp_path), str(me)]) for me in range(4)]
    assert [other.wait() for other in others] == [0] * 4
    assert len(os.listdir(tmp_path)) == 600


def test_an_encoder_without_a_reason_lacks_memory_where_there_is_none(monkeypatch):
    refused = OSError(542398533, "Generic error in an external library")
    assert "external library" in cause_of(refused).what
    monkeypatch.setattr("lipdub.disk.os_errors._can_allocate", lambda size: False)
    assert "memory" in cause_of(refused).what


def test_a_process_that_ends_in_the_middle_of_a_block_leaves_no_temporary_folder(tmp_path):
    code = "import atexit, os; from lipdub.disk.temporary_folder import temporary_folder\n"
    code += "block = temporary_folder(); folder = block.__enter__(); (folder / 'big').write_text('x')\n"
    code += "atexit._run_exitfuncs(); os._exit(3)"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert done.returncode == 3
    assert os.listdir(tmp_path) == []
