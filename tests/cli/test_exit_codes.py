"""How a program ends: exit codes, one line for each error, and no control characters sent to a terminal."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lipdub.errors import OutputError
from lipdub.process.printable import one_line, printable

ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, pipes and limits of POSIX")


def lipdub(*args: str | bytes, before: str = "exec", **options) -> subprocess.CompletedProcess[str]:
    """Run ``lipdub args`` from a shell; ``before`` is a prefix such as ``ulimit -f 8; exec``."""
    command = ["sh", "-c", f'{before} "$@"', "sh", sys.executable, "-m", "lipdub", *args]
    options = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    return subprocess.run(
        command, stderr=subprocess.PIPE, text=True, errors="replace", env=ENVIRONMENT, check=False, **options
    )


def run_code(code: str, **options) -> subprocess.CompletedProcess[str]:
    """Run ``code`` as a program under ``process.ending.run``."""
    text = f"from lipdub.process.exit_codes import run_program\ndef program():\n {code}\nrun_program(program)"
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env=ENVIRONMENT, check=False, **options
    )


@pytest.mark.parametrize(
    ("code", "exit_code", "says"),
    [
        ("raise PermissionError(13, 'x', 'a.mp4')", 4, "a.mp4: permission is denied"),
        ("raise OSError(28, 'No space left')", 4, "the disk is full"),
        ("raise OSError(27, 'File too large', b'a.mp4')", 4, "a.mp4: the file would be larger"),
        ("raise MemoryError", 7, "not enough memory"),
        ('raise RuntimeError("can\'t start new thread")', 7, "not enough memory"),
        ("'\\udcff'.encode()", 2, "cannot be written on this system"),
        ("raise AssertionError('never')", 70, "a mistake of ours (AssertionError: never)"),
        ("raise TypeError('so')", 70, "a mistake of ours"),
        ("raise KeyboardInterrupt", 130, "stopped"),
        ("return 3", 3, ""),
        ("raise SystemExit(2)", 2, ""),
    ],
)
def test_every_error_has_an_exit_code_and_one_line(code, exit_code, says):
    done = run_code(code)
    assert done.returncode == exit_code
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == (1 if says else 0)


def test_debug_mode_shows_the_traceback():
    done = subprocess.run(
        [sys.executable, "-c", "from lipdub.process.exit_codes import run_program\nrun_program(lambda: 1 / 0)"],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "LIPDUB_DEBUG": "1"},
        check=False,
    )
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" in done.stderr


@POSIX
def test_a_closed_pipe_ends_the_program_silently():
    reads, writes = os.pipe()
    os.close(reads)
    done = lipdub("engines", stdout=writes)
    os.close(writes)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@POSIX
@pytest.mark.parametrize("args", [["engines"], ["weights", "list", "--json"], ["--help"]])
def test_a_full_disk_behind_stdout_is_reported(args):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = lipdub(*args, stdout=full)
    assert done.returncode == OutputError.exit_code
    assert done.stderr.startswith("lipdub: standard output: cannot be written: the disk is full")
    assert len(done.stderr.splitlines()) == 1


@POSIX
def test_a_closed_stdout_is_an_error_and_a_closed_stderr_is_not(tmp_path):
    assert lipdub("engines", before="exec >&-; exec").returncode == OutputError.exit_code
    assert lipdub("engines", before="exec 2>&-; exec").returncode == 0


@POSIX
@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"\x1b[31m.mp4", "\u202e4pm.exe".encode(), b"a\nb.mp4"])
def test_control_characters_in_names_do_not_reach_the_terminal(tmp_path, name):
    done = lipdub("dub", os.fsencode(tmp_path) + b"/" + name, "--audio", "x.wav", "-o", "y.mp4")
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not set(done.stderr) & {"\x1b", "\u202e", "\udcff"}


@POSIX
def test_control_characters_in_unknown_options_do_not_reach_the_terminal():
    done = lipdub("engines", "--\x1b[31mred")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "\\u001b[31mred" in done.stderr


@POSIX
def test_a_very_long_name_is_reported():
    done = lipdub("dub", "a" * 300 + ".mp4", "--audio", "x.wav", "-o", "y.mp4")
    assert done.returncode in (2, 4)
    assert "too long" in done.stderr


@POSIX
def test_a_limit_on_file_sizes_is_reported(tmp_path):
    (tmp_path / "talk.es.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nHola a todos.\n")
    out = tmp_path / "said.wav"
    done = lipdub("speak", str(tmp_path / "talk.es.srt"), "-o", str(out), before="ulimit -f 8; exec")
    assert done.returncode == OutputError.exit_code
    assert "limit" in done.stderr or "too large" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


@POSIX
def test_lack_of_memory_has_its_exit_code():
    code = "import numpy\n return numpy.ones(1 << 40)"
    assert run_code(code).returncode == 7


SLEEPER = """
import sys, time
from pathlib import Path
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.process.child import run_child
from lipdub.process.exit_codes import run_program
here = Path(sys.argv[1])

def program():
    with temporary_folder("test") as folder:
        (folder / "work").touch()
        (here / "folder").write_text(str(folder))
        {what}

run_program(program)
"""
CHILD = 'run_child(["sh", "-c", f"echo $$ > {here}/pid; sleep 60 & wait"])'
THREAD = (
    "from concurrent.futures import ThreadPoolExecutor\n"
    '        pool = ThreadPoolExecutor(1); (here / "pid").touch(); pool.submit(time.sleep, 0.5).result()\n'
    "        time.sleep(60)"
)
SLOW_CLEANUP = (
    '(here / "pid").touch()\n        try:\n            time.sleep(60)\n        finally:\n'
    '            (here / "first").touch(); time.sleep(60)'
)


def start(tmp_path: Path, what: str) -> "subprocess.Popen[str]":
    """Start a program that does ``what`` in a temporary folder of its own, and wait until it does."""
    code = SLEEPER.replace("{what}", what)
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True, env=environment
    )
    wait_for(tmp_path / "pid")
    return process


def wait_for(path: Path) -> None:
    """Wait until ``path`` exists."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} was not made")


def running(group: str) -> list[str]:
    """Commands of the processes in ``group`` that run; zombies (Z) have ended."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [row.split(None, 2) for row in found.splitlines()]
    return [row[2] for row in rows if row[0] == group and not row[1].startswith("Z")]


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("what", [CHILD, THREAD], ids=["child", "thread"])
def test_a_signal_ends_the_program_and_leaves_no_files_and_processes(tmp_path, what, number):
    process = start(tmp_path, what)
    time.sleep(0.2)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert said.startswith("lipdub: stopped")
    assert len(said.splitlines()) == 1
    assert not Path((tmp_path / "folder").read_text()).exists()
    if group := (tmp_path / "pid").read_text().strip():
        assert not running(group)


@POSIX
def test_a_second_signal_ends_the_program_at_once(tmp_path):
    process = start(tmp_path, SLOW_CLEANUP)
    process.send_signal(signal.SIGTERM)
    wait_for(tmp_path / "first")
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM


@POSIX
def test_signals_within_half_a_second_count_as_one(tmp_path):
    process = start(tmp_path, CHILD)
    time.sleep(0.2)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in said
    assert not Path((tmp_path / "folder").read_text()).exists()


@POSIX
def test_signals_ignored_by_nohup_stay_ignored(tmp_path):
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from lipdub.process.exit_codes import run_program\n"
        "run_program(lambda: os.kill(os.getpid(), signal.SIGHUP) or 5)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=False).returncode == 5


def test_visible_json_has_the_same_meaning():
    text = json.dumps({"a": "\x1b[0m\u202e\udcff\u0085é"}, ensure_ascii=False)
    assert json.loads(printable(text)) == json.loads(text)
    assert printable("plain\ttext\nhere é") == "plain\ttext\nhere é"
    assert one_line("a\nb\x07") == "a b\\u0007"
