"""How another process is run, followed, cancelled and buried, with small processes in place of lipdub's."""

import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comfyui.tests.conftest import Pack

Run = Callable[..., dict[str, Any]]


class Pressed(BaseException):
    """The user cancelled."""


@pytest.fixture
def run(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a script in place of lipdub's process. ``told`` are the stages, ``check`` is asked again and again."""
    module = pack.module("run_child")
    monkeypatch.setattr(module, "GRACE", 1.0)
    monkeypatch.setattr(module, "POLL", 0.02)

    def made(script: str, *, told: Any = lambda *stage: None, check: Any = lambda: None, python: str = "") -> Any:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(script), "utf-8")
        monkeypatch.setattr(module, "CHILD", file)
        return module.run_child({"kind": "é"}, told, check, python or sys.executable)

    return made


def test_the_result_and_the_stages_come_back(run: Run) -> None:
    """Lines that are no answers are passed over; the request arrives whole."""
    stages: list[tuple[str, int, int]] = []
    result = run(
        """
        import json, sys
        request = json.loads(sys.stdin.buffer.readline())
        print("a library says hello")
        print(json.dumps({"stage": "render", "done": 1, "total": 2}))
        print(json.dumps({"result": {"kind": request["kind"]}}))
        """,
        told=lambda *stage: stages.append(stage),
    )
    assert result == {"kind": "é"}
    assert stages == [("render", 1, 2)]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; sys.stderr.write('no room on the device'); sys.exit(3)", "exit code 3.*no room on the device"),
        ('print(\'{"error": {"kind": "lipdub", "message": "a. Try --voice x"}}\')', "Try the input voice x"),
        ('print(\'{"error": {"kind": "missing", "message": "No module"}}\')', "lipdub is not installed for"),
        ('print(\'{"error": {"kind": "bug", "message": "KeyError: 3."}}\')', "KeyError: 3. Please report"),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "memory ran out",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals"),
        ),
    ],
)
def test_a_process_that_fails_is_told_in_a_sentence(run: Run, pack: Pack, script: str, told: str) -> None:
    """Whatever its end was."""
    with pytest.raises(pack.module("problems").LipdubError, match=told):
        run(script)


def test_a_python_that_is_not_there(run: Run, pack: Pack) -> None:
    """The remedy names the variable."""
    with pytest.raises(pack.module("problems").LipdubError, match="LIPDUB_PYTHON"):
        run("", python="/nowhere/python")


def test_a_python_without_lipdub_says_how_to_get_it(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real child, where lipdub cannot be imported."""
    blocked = tmp_path / "lipdub"
    blocked.mkdir()
    (blocked / "__init__.py").write_text("raise ImportError('no lipdub here')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(pack.module("problems").LipdubError, match=r"not installed for .*no lipdub here"):
        pack.module("run_child").run_child({}, lambda *stage: None, lambda: None, sys.executable)


def _cancelled_when(file: Path) -> Callable[[], None]:
    def check() -> None:
        if file.exists():
            raise Pressed

    return check


def test_cancel_closes_the_lifeline(run: Run, tmp_path: Path) -> None:
    """A process that heeds it ends in order."""
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    with pytest.raises(Pressed):
        run(
            f"""
            import pathlib, sys
            sys.stdin.buffer.readline()
            pathlib.Path({str(ready)!r}).write_text("")
            sys.stdin.buffer.read()
            pathlib.Path({str(ended)!r}).write_text("")
            """,
            check=_cancelled_when(ready),
        )
    assert ended.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_a_process_that_does_not_heed_is_killed_with_its_workers(run: Run, tmp_path: Path) -> None:
    """After the time of grace."""
    ready = tmp_path / "ready"
    with pytest.raises(Pressed):
        run(
            f"""
            import pathlib, subprocess, sys, time
            worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            part = pathlib.Path({str(ready)!r} + ".part")
            part.write_text(str(worker.pid))
            part.rename({str(ready)!r})
            time.sleep(600)
            """,
            check=_cancelled_when(ready),
        )
    worker = int(ready.read_text())
    for _ in range(500):
        if not _is_running(worker):
            break
        time.sleep(0.02)
    assert not _is_running(worker)


def _is_running(process: int) -> bool:
    """True unless it has ended; a zombie that nobody waits for has ended."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_child_ends_when_comfyui_is_gone(tmp_path: Path, pack: Pack) -> None:
    """The pipe closes, whatever killed the other end; the child stops in the middle of its work."""
    import subprocess

    blocked = tmp_path / "lipdub"
    blocked.mkdir()
    (blocked / "__init__.py").write_text(
        "import pathlib, time\npathlib.Path(__file__).with_name('begun').write_text('')\ntime.sleep(600)\n", "utf-8"
    )
    process = subprocess.Popen(
        [sys.executable, str(pack.module("run_child").CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert process.stdin is not None
    process.stdin.write(b"{}\n")
    process.stdin.flush()
    while not (blocked / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.stdin.close()
    assert process.wait(60) in (130, -signal.SIGINT)
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
